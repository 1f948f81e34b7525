"""The command line: parse, call what does the work, print.

Only click is imported when a module here is; everything else waits inside the command that needs it, so that
`nurture --help` and completion answer at once.
"""
