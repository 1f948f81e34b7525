"""The ten invariants of a run, from a database and from what the counterparty was handed.

    broken(database, server.copies, programme, now=now)  ->  [] or one line for each thing that is wrong
    hold(...)                                            asserts that there is none

I1  complete copies of a Message-ID <= 1, and one more for each resend the ledger knows of
I2  every planned mail ends in exactly one terminal state, and the ledger says which
I3  no copy gated after a committed stop
I4  sent and unknown mails of a person in any window <= cap
I5  every sent mail has a copy; every copy has a row that passed the gate
I6  envelope recipient = To = the contact, and every token in the mail is hers
I7  the mails of one enrolment go in order, the next planned when the one before was settled
I8  one Message-ID, one sequence of octets
I9  one scenario, one ledger: `told(database)` of both databases is the same
I10 no secret and no address in a log
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes
from email.utils import getaddresses
from itertools import pairwise
from typing import Any

from sqlalchemy import text

from nurture.domain.programme import Programme
from nurture.domain.tokens import Keyring, Purpose
from nurture.engine.audit import audit
from nurture.rendering.addresses import wire_address
from nurture.storage.database import Database, Transaction
from nurture.storage.types import UTCDateTime
from nurture.testing.house import SECRET
from nurture.testing.smtp import Received

Key = tuple[int, int]
_OPEN = frozenset({"planned", "claimed", "gated", "deferred"})
_BEHIND_THE_GATE = frozenset({"sent", "unknown", "gated"})
_TERMINAL = ("sent", "rejected", "expired", "unknown", "cancelled", "skipped")
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]{43}|[A-Za-z2-7]{52})(?![A-Za-z0-9_-])")
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")


@dataclass(frozen=True, slots=True)
class Mailed:
    """A delivery as the database has it, after the run."""

    key: Key
    enrolment: int
    kind: str
    state: str
    campaign: str
    step: str
    planned_at: datetime
    gated_at: datetime | None
    settled_at: datetime | None
    email: str | None


def hold(database: Database, copies: Sequence[Received], programme: Programme, **options: Any) -> None:
    """Assert that nothing is `broken`."""
    found = broken(database, copies, programme, **options)
    assert not found, "\n".join(found[:20])


def broken(
    database: Database,
    copies: Sequence[Received],
    programme: Programme,
    *,
    now: datetime,
    secret: str = SECRET,
    settled: bool = True,
    stops: Mapping[str, datetime] | None = None,
    logs: Iterable[str] = (),
) -> list[str]:
    """What is wrong, one line each, beginning with the invariant's name.

    `copies` are in the order the counterparty got them; those it refused (4xx, 5xx) do not count as copies. `settled`:
    the run is over, nothing may still be on its way. `stops`: address -> when a stop of hers was committed. `logs`:
    what the daemons wrote.
    """
    with database.read() as tx:
        mails = _mails(tx)
        resent = _resent(tx)
        ends = _ends(tx)
    keys = Keyring([secret])
    taken = [copy for copy in copies if copy.code is None or copy.code // 100 == 2]
    taken = [copy for copy in taken if not message_id(copy).startswith("alert-")]
    found = [
        *_copies(taken, resent, keys),
        *(_ended(mails, ends) if settled else ()),
        *_stopped(mails, stops or {}),
        *_recounted(database, programme, now, settled),
        *_agreed(taken, mails, keys),
        *(line for copy in taken for line in _hers(copy, mails, keys)),
        *_in_order(mails),
        *_told_nobody(logs, secret),
    ]
    return [*found[:100], *([f"and {len(found) - 100} more"] if len(found) > 100 else [])]


# --- what the database says


def _mails(tx: Transaction) -> dict[Key, Mailed]:
    rows = tx.execute(
        text(
            "SELECT d.contact_id, d.seq, d.enrolment, d.kind, d.state, d.campaign, d.step, d.planned_at, d.gated_at,"
            " d.settled_at, p.email FROM deliveries d JOIN contacts p ON p.id = d.contact_id"
        ).columns(planned_at=UTCDateTime, gated_at=UTCDateTime, settled_at=UTCDateTime)
    )
    return {(row[0], row[1]): Mailed((row[0], row[1]), *row[2:]) for row in rows}


def _resent(tx: Transaction) -> Counter[Key]:
    """How often the ledger says that a mail of unknown fate goes once more."""
    rows = tx.execute(
        text(
            "SELECT contact_id, delivery, detail FROM ledger"
            " WHERE kind = 'unknown' OR (kind = 'deferred' AND reason = 'no_reply')"
        )
    )
    return Counter((row[0], row[1]) for row in rows if "again_at" in str(row[2]))


def _ends(tx: Transaction) -> dict[Key, list[str]]:
    """Every terminal fact of every delivery."""
    kinds = ", ".join(f"'{kind}'" for kind in _TERMINAL)
    rows = tx.execute(
        text(f"SELECT contact_id, delivery, kind, detail FROM ledger WHERE delivery IS NOT NULL AND kind IN ({kinds})")
    )
    ends: dict[Key, list[str]] = defaultdict(list)
    for contact_id, seq, kind, detail in rows:
        if not (kind == "unknown" and "again_at" in str(detail)):
            ends[contact_id, seq].append(kind)
    return ends


def told(database: Database) -> list[tuple[str, ...]]:
    """The ledger without numbers that databases give out: what two runs of one scenario must have in common."""
    with database.read() as tx:
        rows = tx.execute(
            text(
                "SELECT p.email, l.at, l.kind, l.reason, l.campaign, l.step, l.id FROM ledger l"
                " JOIN contacts p ON p.id = l.contact_id ORDER BY p.email, l.id"
            ).columns(at=UTCDateTime)
        )
        return [tuple(str(value) for value in row[:-1]) for row in rows]


# --- the invariants


def _copies(taken: Sequence[Received], resent: Counter[Key], keys: Keyring) -> Iterator[str]:
    by_id: dict[str, list[Received]] = defaultdict(list)
    for copy in taken:
        by_id[message_id(copy)].append(copy)
    for name, group in by_id.items():
        key = keys.read(Purpose.MESSAGE_ID, name.partition("@")[0])
        if len(group) > 1 + resent[key or (0, 0)]:
            yield f"I1 {len(group)} copies of the mail {key}, {resent[key or (0, 0)]} resends in the ledger"
        if len({copy.data for copy in group}) > 1:
            yield f"I8 the copies of the mail {key} are not the same octets"


def _ended(mails: Mapping[Key, Mailed], ends: Mapping[Key, list[str]]) -> Iterator[str]:
    for mail in mails.values():
        if mail.state in _OPEN:
            yield f"I2 {_named(mail)} is still {mail.state}"
        elif mail.state != "ghost" and ends.get(mail.key, []) != [mail.state]:
            yield f"I2 {_named(mail)} is {mail.state}, and the ledger says {ends.get(mail.key, [])}"


def _stopped(mails: Mapping[Key, Mailed], stops: Mapping[str, datetime]) -> Iterator[str]:
    for mail in mails.values():
        stop = stops.get(mail.email or "")
        if stop is not None and mail.state in _BEHIND_THE_GATE and mail.gated_at and mail.gated_at > stop:
            yield f"I3 {_named(mail)} was gated {mail.gated_at - stop} after a stop"


def _recounted(database: Database, programme: Programme, now: datetime, settled: bool) -> Iterator[str]:
    """I3, I4 and the rest of the audit, which trusts no decision either."""
    for finding in audit(database, programme, now + timedelta(seconds=1)).findings:
        if settled or finding.rule != "nobody is forgotten":
            yield f"I3-I4 {finding.rule}: contact {finding.contact_id}, {finding.text}"


def _agreed(taken: Sequence[Received], mails: Mapping[Key, Mailed], keys: Keyring) -> Iterator[str]:
    copied = {keys.read(Purpose.MESSAGE_ID, message_id(copy).partition("@")[0]) for copy in taken}
    for mail in mails.values():
        if mail.state == "sent" and mail.key not in copied:
            yield f"I5 {_named(mail)} is sent, and nobody has a copy"
        if mail.key in copied and mail.state not in _BEHIND_THE_GATE and mail.gated_at is None:
            yield f"I5 {_named(mail)} has a copy, and is {mail.state} without ever having passed the gate"
    if None in copied:
        yield "I5 a copy has a Message-ID that is not ours"


def _hers(copy: Received, mails: Mapping[Key, Mailed], keys: Keyring) -> Iterator[str]:
    key = keys.read(Purpose.MESSAGE_ID, message_id(copy).partition("@")[0])
    mail = mails.get(key) if key is not None else None
    if mail is None:  # erased since
        return
    head = re.sub(r"\r\n(?=[ \t])", "", copy.data.partition(b"\r\n\r\n")[0].decode())
    shown = [address for _, address in getaddresses(re.findall(r"(?im)^To: *(.*?)\r?$", head))]
    hers = {str(wire_address(mail.email))} if mail.email else {copy.recipient}
    if {*copy.recipients, *shown, *hers} != hers or len(copy.recipients) != 1:
        yield f"I6 the mail {key} has another recipient, To or contact than the other two say"
    if keys.read(Purpose.RETURN_PATH, copy.sender.partition("@")[0].rpartition("+")[2]) != key:
        yield f"I6 the return path of the mail {key} is not hers"
    for token in _tokens(head, copy.data):
        for purpose in Purpose:
            owner = keys.read(purpose, token)
            if owner is not None and owner != key:
                yield f"I6 the mail {key} holds a {purpose} token of {owner}"


def _tokens(head: str, data: bytes) -> set[str]:
    mail = message_from_bytes(data)  # by the old policy, which is a hundred times as quick as the one that knows fields
    parts = [part.get_payload(decode=True) for part in mail.walk() if part.get_content_maintype() == "text"]
    texts = [head, *(part.decode("utf-8", "replace") for part in parts if isinstance(part, bytes))]
    return {token for each in texts for token in _TOKEN.findall(each)}


def _in_order(mails: Mapping[Key, Mailed]) -> Iterator[str]:
    journeys: dict[Key, list[Mailed]] = defaultdict(list)
    for mail in mails.values():
        if mail.state in _BEHIND_THE_GATE:
            journeys[mail.key[0], mail.enrolment].append(mail)
    for journey in journeys.values():
        journey.sort(key=lambda mail: mail.key[1])
        for first, second in pairwise(journey):
            if first.gated_at and second.gated_at and second.gated_at < first.gated_at:
                yield f"I7 {_named(second)} was gated before {_named(first)}"
            if first.settled_at is None or second.planned_at < first.settled_at:
                yield f"I7 {_named(second)} was planned before {_named(first)} was settled"


def _told_nobody(logs: Iterable[str], secret: str) -> Iterator[str]:
    for log in logs:
        if secret in log:
            yield "I10 the secret stands in a log"
        for address in sorted(set(_ADDRESS.findall(log)))[:3]:
            yield f"I10 an address stands in a log: {address}"


def message_id(copy: Received) -> str:
    """Without its angle brackets."""
    found = _MESSAGE_ID.search(copy.data, 0, copy.data.find(b"\r\n\r\n"))
    return found[1].decode("ascii", "replace") if found else ""


def _named(mail: Mailed) -> str:
    return f"{mail.campaign}/{mail.step} of contact {mail.key[0]}"
