"""The feedback mailbox: a Maildir that a mail server delivers bounces to, or one on an IMAP server.

It is read by one daemon at a time. What is taken moves from `new` to `cur`, or is marked as seen; a crash in between
only reads it again, which changes nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from nurture.domain.programme import Programme
from nurture.domain.refusals import StormRule
from nurture.domain.tokens import Keyring
from nurture.engine.feedback import take_mail
from nurture.intake.imap import ImapAddress, open_mailbox
from nurture.storage.database import Database
from nurture.storage.duties import hold_duty

DUTY, IMAP_DUTY, LEASE = "feedback", "feedback-imap", timedelta(minutes=5)
BATCH = 50  # mails at once: turns wait for the same thread
MOST_BYTES = 1 << 20  # of one mail; the reader looks at less


@dataclass(frozen=True, slots=True)
class Emptied:
    """`effects` counts the mails by what became of them; `more` says whether others wait."""

    effects: Counter[str] = field(default_factory=Counter)
    more: bool = False


def empty_maildir(
    database: Database,
    keyring: Keyring,
    programme: Programme,
    folder: Path,
    owner: str,
    now: datetime,
    *,
    storm: StormRule,
) -> Emptied:
    """Take up to `BATCH` mails, the oldest first; none if another daemon is at it. Raises StorageError, OSError."""
    if not database.transact(lambda tx: hold_duty(tx, DUTY, owner, now, LEASE)):
        return Emptied()
    waiting = sorted((each for each in (folder / "new").iterdir() if each.is_file()), key=_order)
    effects: Counter[str] = Counter()
    seen = folder / "cur"
    seen.mkdir(exist_ok=True)
    for path in waiting[:BATCH]:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES)
        effects[take_mail(database, keyring, programme, raw, now, storm=storm).effect.value] += 1
        path.rename(seen / f"{path.name.partition(':')[0]}:2,S")
    return Emptied(effects, len(waiting) > BATCH)


def empty_imap(
    database: Database,
    keyring: Keyring,
    programme: Programme,
    address: ImapAddress,
    owner: str,
    now: datetime,
    *,
    storm: StormRule,
) -> Emptied:
    """The same of a mailbox elsewhere. Raises StorageError, MailboxError."""
    if not database.transact(lambda tx: hold_duty(tx, IMAP_DUTY, owner, now, LEASE)):
        return Emptied()
    effects: Counter[str] = Counter()
    with open_mailbox(address) as mailbox:
        waiting = mailbox.unseen(BATCH + 1)
        for uid in waiting[:BATCH]:
            raw = mailbox.read(uid, MOST_BYTES)
            if raw is not None:
                effects[take_mail(database, keyring, programme, raw, now, storm=storm).effect.value] += 1
                mailbox.mark(uid)
    return Emptied(effects, len(waiting) > BATCH)


def _order(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, path.name
