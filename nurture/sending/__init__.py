"""The SMTP edge. Model: one attempt at one mail, stage by stage, ends in an `Attempt` that says how far it came.

Invariants: nothing of a body is written before the gate said yes; the dot goes at most once per attempt; credentials
never travel without TLS; any timeout or garbage closes the connection; the wire sees CRLF only, dot-stuffed.
Failure: a relay that is down costs nobody a try; only silence after the dot leaves a mail of unknown fate.
"""
