"""The octets of transactional mails between their gate and their end: a second copy must be the first once more.

What they were made from (a name, a cart, a template, a key) may have changed since; so the mail itself is kept, in the
same commit as its gate, and goes when its fate is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from nurture.storage.bulk import Delete, Insert, in_batch
from nurture.storage.database import Transaction
from nurture.storage.tables import kept_mails
from nurture.storage.types import Batch, sql

Key = tuple[int, int]  # contact id, seq
_COLUMNS = ("contact_id", "seq", "sender", "recipient", "envid", "needs_smtputf8", "data")
_KEYS = Batch(key_contact="int", key_seq="int")
_KEEP = Insert(
    kept_mails,
    _COLUMNS,
    conflict="(contact_id, seq) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:]),
)  # fmt: skip
_LET_GO = Delete(kept_mails, ("contact_id", "seq"))


@dataclass(frozen=True, slots=True)
class KeptMail:
    """One mail as it went up to its dot: envelope and message."""

    contact_id: int
    seq: int
    sender: str
    recipient: str
    envid: str | None
    needs_smtputf8: bool
    data: bytes


def keep(tx: Transaction, mails: Sequence[KeptMail]) -> None:
    """Keep these, in place of what was kept of the same deliveries."""
    _KEEP(
        tx,
        [(m.contact_id, m.seq, m.sender, m.recipient, m.envid, m.needs_smtputf8, m.data.decode()) for m in mails],
    )


def kept(tx: Transaction, keys: Sequence[Key]) -> dict[Key, KeptMail]:
    """What is kept of these deliveries."""
    if not keys:
        return {}
    rows = tx.execute(
        select(*(kept_mails.c[name] for name in _COLUMNS)).where(sql(in_batch(tx.dialect, _KEYS))),
        {"batch": _KEYS.text(tx.dialect, keys)},
    )
    return {
        (contact_id, seq): KeptMail(contact_id, seq, sender, recipient, envid, utf8, data.encode())
        for contact_id, seq, sender, recipient, envid, utf8, data in rows
    }


def let_go(tx: Transaction, keys: Iterable[Key]) -> None:
    """Their fate is known, or will never be."""
    _LET_GO(tx, list(keys))
