"""Rows and queries.

Model: everything of one person hangs on `contact_id`. A small table `due`, clustered by time, is all the pump looks at.
Functions take an open `Transaction` and never commit; who opened it decides what is one unit. Rows become values of
`nurture.domain` here and nowhere else.

Invariants: instants are UTC; every change of a delivery names the state it comes from and who holds it; a change of a
contact raises her version, and the gate refuses a mail that was judged on an older one.

Failure: every fault of a database becomes a `DatabaseFault` that says what happened, whether nothing was changed, and
what to do next. A lost connection during a commit is `commit_unknown`: read again by key, never guess.
"""
