"""Campaign files to a programme.

Model: sources (path to text) -> data with marks -> pydantic models -> domain values, and problems with places.
Invariants: a programme is made of all files or of none; the same sources always make the same programme; nothing here
reads the clock, the network or, but for `read_project`, the disk.
Failure: a problem in a file is a value, never an exception; only an unreadable folder raises.
"""
