"""One file per arrow of the flow: what happens to a signal until a mail is out and its outcome is known.

The only floor that opens transactions and uses two rooms. Nothing here decides: decisions are `domain`'s, on values.
"""
