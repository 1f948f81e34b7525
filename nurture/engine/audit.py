"""Audit: recount the ledger of a running system against the promises, from the rows as they are.

Nothing here trusts the decisions that were taken: caps are counted again over every rolling window, and every person
inside a campaign must have something that will move her on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, groupby

from nurture.domain.campaign import CampaignStatus
from nurture.domain.programme import Cap, Programme
from nurture.engine.revisions import load
from nurture.errors import ConfigurationError, NurtureError
from nurture.storage import audits
from nurture.storage.database import Database, Transaction
from nurture.storage.reports import AuditMail, audit_mails

MOST_SHOWN = 100
KEPT = timedelta(days=30)  # the shortest retention: of what is older, one row may have been forgotten before the other


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise that a row breaks. `rule` names it, `text` says what was found where."""

    rule: str
    contact_id: int
    text: str


@dataclass(slots=True)
class Audit:
    """`checked` counts what was looked at, by name. No findings: every promise that can be recounted holds."""

    checked: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    more: int = 0

    @property
    def holds(self) -> bool:
        return not self.findings

    def found(self, finding: Finding) -> None:
        if len(self.findings) < MOST_SHOWN:
            self.findings.append(finding)
        else:
            self.more += 1

    def count(self, name: str, number: int = 1) -> None:
        self.checked[name] = self.checked.get(name, 0) + number


def audit(
    database: Database, programme: Programme, now: datetime, progress: Callable[[int], None] = lambda _: None
) -> Audit:
    """Check everything. `progress` is told how many contacts have been recounted."""
    result = Audit()
    with database.read() as tx:
        caps = _CapsOfTheirTime(tx, programme)
        merged, own = audits.merged(tx), audits.own_caps(tx)
        for number, (contact_id, mails) in enumerate(groupby(audit_mails(tx), lambda mail: mail.contact_id), 1):
            told, apart_until = list(mails), merged.get(contact_id, 0)
            result.count("contacts")
            result.count("mails", len(told))
            for finding in over_caps(contact_id, told, caps, now, result, apart_until):
                result.found(finding)
            if contact_id in own:
                for finding in over_own_cap(contact_id, told, *own[contact_id], now, result, apart_until):
                    result.found(finding)
            if number % 1000 == 0:
                progress(number)
        since = now - KEPT
        for rule, rows in (
            ("nobody is mailed twice", audits.sent_twice(tx, since)),
            ("nobody is forgotten", audits.forgotten(tx, _held(programme))),
            ("a stop is a stop", chain(audits.pending_after_exit(tx), audits.gated_after_stop(tx))),
            ("nothing leaves without a gate", audits.sent_without_gate(tx)),
            ("never late by accident", audits.sent_late(tx)),
            ("mails and ledger agree", audits.sent_and_gone(tx, since)),
        ):
            result.count(rule)
            for contact_id, text in rows:
                result.found(Finding(rule, contact_id, text))
    return result


def _held(programme: Programme) -> frozenset[str]:
    """Campaigns whose people are held by the file: they wait for an edit, and that is as it should be."""
    return frozenset(one.name for one in programme.campaigns.values() if one.status in _HOLDING)


_HOLDING = frozenset({CampaignStatus.DRAFT, CampaignStatus.PAUSED})


class _CapsOfTheirTime:
    """A mail was right if it kept the caps that held when it was planned; another revision may have tightened them."""

    def __init__(self, tx: Transaction, programme: Programme) -> None:
        self._tx = tx
        self._by_revision: dict[int, Sequence[Cap]] = {programme.revision: programme.caps}
        self.now = programme.caps

    def held(self, cap: Cap, revision: int) -> bool:
        if revision not in self._by_revision:
            self._by_revision[revision] = self._read(revision)
        return any(
            old.max <= cap.max and old.per >= cap.per and old.category in {None, cap.category}
            for old in self._by_revision[revision]
        )

    def _read(self, revision: int) -> Sequence[Cap]:
        """Asked for only where something looks wrong. What cannot be read any more excuses nothing."""
        try:
            return load(self._tx, revision).programme.caps
        except (NurtureError, ConfigurationError):
            return self.now


def over_caps(
    contact_id: int,
    mails: Sequence[AuditMail],
    caps: _CapsOfTheirTime,
    now: datetime,
    result: Audit,
    apart_until: int = 0,
) -> Iterator[Finding]:
    """Every rolling window of one person that holds more mails than a cap allows.

    Up to number `apart_until` they were planned for two contacts, before it was known that these are one.
    """
    for cap in caps.now:
        for planned_last, text in _too_many(cap, mails, now, result):
            if planned_last.seq > apart_until and caps.held(cap, planned_last.revision):
                yield Finding("never one too many", contact_id, text)


def over_own_cap(
    contact_id: int,
    mails: Sequence[AuditMail],
    days: int,
    since: datetime,
    now: datetime,
    result: Audit,
    apart_until: int = 0,
) -> Iterator[Finding]:
    """The same for what she asked for herself; what was planned before she did was right."""
    cap = Cap(1, timedelta(days=days), own=True)
    for planned_last, text in _too_many(cap, mails, now, result):
        if planned_last.seq > apart_until and planned_last.planned_at >= since:
            yield Finding("never one too many", contact_id, text)


def _too_many(cap: Cap, mails: Sequence[AuditMail], now: datetime, result: Audit) -> Iterator[tuple[AuditMail, str]]:
    """Windows over a cap: which of their mails was planned last, and in words what is wrong."""
    counted = [mail for mail in mails if cap.category is None or cap.category == mail.category]
    counted.sort(key=lambda mail: mail.at or now)
    result.count("windows", len(counted))
    for place, (first, last) in enumerate(zip(counted, counted[cap.max :], strict=False)):
        begins, ends = first.at or now, last.at or now
        if ends - begins < cap.per:
            names = f"{first.campaign}/{first.step} and {last.campaign}/{last.step}"
            text = f"{cap}: {cap.max + 1} mails from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} ({names})"
            yield max(counted[place : place + cap.max + 1], key=lambda mail: mail.seq), text
