"""How things stand, and what of it needs a person: one judgement for status, probes, metrics and the dead-man ping.

`look` is cheap enough for every few seconds; `look_closer` reads a week and is for somebody who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nurture.domain.breaker import Breaker, BreakerState
from nurture.domain.delivery import DeliveryState
from nurture.domain.refusals import DomainPause
from nurture.engine.hold import hold_of, last_sign
from nurture.engine.storms import NURTURE
from nurture.storage import figures
from nurture.storage.controls import Paused, Stopped, pauses, sending_stopped
from nurture.storage.database import Database
from nurture.storage.figures import Queue, Trouble
from nurture.storage.heartbeats import Heartbeat, heartbeats
from nurture.storage.refusals import paused_domains
from nurture.storage.relays import Warmth, breakers, warmth
from nurture.storage.revisions import latest
from nurture.storage.suppressions import count_suppressions

LAG_ALLOWED = timedelta(minutes=5)
SILENCE_ALLOWED = timedelta(minutes=2)
TODAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that needs a person: a short name that stays the same, what it is, and what to do about it."""

    code: str
    found: str
    fix: str


@dataclass(frozen=True, slots=True)
class Standing:
    """`seen_at` is when any daemon was last heard; `relay_trouble` what the relay said when it took no mail."""

    at: datetime
    queue: Queue
    hold: str | None
    stopped: Stopped | None
    seen_at: datetime | None
    relay_trouble: str | None
    breakers: dict[str, Breaker]
    daemons: tuple[Heartbeat, ...]
    warmth: Warmth | None
    paused: dict[str, Paused]
    domains: tuple[DomainPause, ...]
    revision: int
    applied_at: datetime | None

    @property
    def lag(self) -> timedelta:
        """How long the oldest due turn or mail has been waiting; what waits for tomorrow's warm-up is not late."""
        is_full = self.warmth is not None and self.warmth.taken >= self.warmth.ceiling
        mail = None if is_full else self.queue.oldest_ready
        waiting = [at for at in (self.queue.oldest_due, mail) if at is not None]
        return max(self.at - min(waiting), timedelta()) if waiting else timedelta()

    @property
    def alive(self) -> tuple[Heartbeat, ...]:
        return tuple(one for one in self.daemons if one.is_alive(self.at))


@dataclass(frozen=True, slots=True)
class Closer:
    """What takes longer to find out: a day and a week of mails, and what went wrong in them, grouped."""

    contacts: int
    inside: int
    latest_event: datetime | None
    today: dict[DeliveryState, int]
    week: dict[DeliveryState, int]
    suppressed: dict[str, int]
    size: int
    troubles: tuple[Trouble, ...] = field(default=())


def look(database: Database, now: datetime) -> Standing:
    """The state of the queue, of what shuts it, and of the daemons."""
    with database.read() as tx:
        seen_at, relay_trouble = last_sign(tx)
        revision = latest(tx)
        return Standing(
            at=now,
            queue=figures.queue(tx, now),
            hold=hold_of(tx),
            stopped=sending_stopped(tx),
            seen_at=seen_at,
            relay_trouble=relay_trouble,
            breakers=breakers(tx, now),
            daemons=tuple(heartbeats(tx)),
            warmth=warmth(tx, now),
            paused=pauses(tx),
            domains=tuple(paused_domains(tx)),
            revision=revision.number if revision is not None else 0,
            applied_at=revision.applied_at if revision is not None else None,
        )


def look_closer(database: Database, now: datetime, applied_at: datetime | None) -> Closer:
    """Template errors count since the newest revision: applying the correction answers them."""
    with database.read() as tx:
        contacts, inside = figures.people(tx)
        return Closer(
            contacts=contacts,
            inside=inside,
            latest_event=figures.latest_event(tx),
            today=figures.outcomes(tx, now - TODAY),
            week=figures.outcomes(tx, now - WEEK),
            suppressed={reason.value: count for reason, count in count_suppressions(tx).items()},
            size=figures.size(tx),
            troubles=(
                *figures.template_errors(tx, max(now - WEEK, applied_at or now)),
                *figures.failed_turns(tx, now - TODAY),
                *figures.failed_calls(tx, now - TODAY),
                *figures.refused_events(tx, now - TODAY),
            ),
        )


def findings(standing: Standing) -> list[Finding]:
    """What needs a person now, the most urgent first. A relay that is away needs one only if nobody knows of it."""
    return [*_shut(standing), *_slow(standing), *_relay(standing), *_refused_us(standing)]


def _shut(standing: Standing) -> list[Finding]:
    found = []
    if standing.hold is not None:
        found.append(
            Finding(
                "hold",
                f"on hold: {standing.hold}",
                "if all is well, nurture run --confirm goes on; see docs/operations.md, hold",
            )
        )
    if standing.stopped is not None:
        because = f": {standing.stopped.why}" if standing.stopped.why else ""
        since = f"sending is stopped since {standing.stopped.at:%a %-d %b %H:%M} UTC by {standing.stopped.by}{because}"
        found.append(Finding("stopped", since, "nurture start-sending lets it go on"))
    if not standing.revision:
        found.append(Finding("revision", "nothing is applied yet", "nurture apply"))
    return found


def _slow(standing: Standing) -> list[Finding]:
    shut = standing.hold is not None or standing.stopped is not None
    if standing.lag > LAG_ALLOWED and not shut:
        told = f"what is due has been waiting for {in_words(standing.lag)}"
        return [Finding("lag", told, "is nurture run at work? its log and nurture doctor say more")]
    if standing.seen_at is None or standing.at - standing.seen_at > SILENCE_ALLOWED:
        seen = f"none since {standing.seen_at:%a %-d %b %Y %H:%M} UTC" if standing.seen_at is not None else "none yet"
        return [Finding("daemons", f"no daemon is at work ({seen})", "start it with nurture run")]
    return []


def _relay(standing: Standing) -> list[Finding]:
    open_ones = [(name, one) for name, one in standing.breakers.items() if one.state is not BreakerState.CLOSED]
    if open_ones:
        return [
            Finding("relay", f"the relay {name} takes no mail: {one.why}", "nurture doctor looks closer")
            for name, one in open_ones
        ]
    if standing.relay_trouble is not None:
        return [Finding("relay", f"the relay takes no mail: {standing.relay_trouble}", "nurture doctor looks closer")]
    return []


def _refused_us(standing: Standing) -> list[Finding]:
    """What was paused because too many refusals were about us. The texts of receivers mostly say what they mind."""
    found = []
    if standing.domains:
        told = "; ".join(
            f"{one.domain} since {one.since:%a %-d %b %H:%M} UTC ({one.refused} of {one.mails} mails were refused, the "
            f"last with: {one.text}; one mail tries it at {one.probe_at:%H:%M})"
            for one in standing.domains
        )
        fix = f"correct what they mind, then nurture feedback resume {standing.domains[0].domain}"
        found.append(Finding("domain_paused", f"mail is paused to {told}", fix))
    for name, pause in standing.paused.items():
        if pause.by == NURTURE:
            told = f"campaign {name} is paused since {pause.at:%a %-d %b %H:%M} UTC: {pause.why}"
            fix = f"correct what they mind, then nurture campaigns resume {name}"
            found.append(Finding("campaign_paused", told, fix))
    return found


def troubles_as_findings(troubles: Sequence[Trouble]) -> list[Finding]:
    """Grouped problems, each as something to do."""
    return [_FOUND[one.kind](one) for one in troubles]


def _template(one: Trouble) -> Finding:
    people = "1 person" if one.count == 1 else f"{one.count:,} people"
    return Finding(
        "template_error",
        f"{one.what} could not be written to {people}; for instance: {one.example}",
        f"give it a default or a condition, see it with nurture preview {one.what}, then nurture apply",
    )


def _turn(one: Trouble) -> Finding:
    people = "1 person" if one.count == 1 else f"{one.count:,} people"
    return Finding(
        "turn_failed",
        f"{people} could not be decided about; for instance: {one.example}",
        "they are tried again every hour; report it, with the log around the first",
    )


def _call(one: Trouble) -> Finding:
    times = "once" if one.count == 1 else f"{one.count:,} times"
    return Finding(
        one.kind,
        f"{one.kind.removesuffix('_failed')} {one.what} was not taken, {times} today; the last answer: {one.example}",
        "it is tried again for about two hours; correct its address in campaigns/_project.yaml, or its receiver",
    )


def _refused(one: Trouble) -> Finding:
    events = "1 event" if one.count == 1 else f"{one.count:,} events"
    return Finding(
        "events_refused",
        f"{events} from {one.what} could not be taken today; for instance: {one.example}",
        "correct whoever sends them, then send them again: what was taken already changes nothing",
    )


_FOUND = {
    "events_refused": _refused,
    "template_error": _template,
    "turn_failed": _turn,
    "webhook_failed": _call,
    "alert_failed": _call,
}


def in_words(span: timedelta) -> str:
    """`3 seconds`, `2 minutes`, `5 hours`, `3 days`."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (seconds >= size and unit == "minute" and seconds % 60 == 0):
            return f"{seconds // size} {unit}s" if seconds // size != 1 else f"1 {unit}"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def lag_in_words(standing: Standing) -> str:
    """`the oldest due turn is 3 seconds old`, or when something is due next."""
    turn, mail, now = standing.queue.oldest_due, standing.queue.oldest_ready, standing.at
    if turn is None and mail is None:
        at = standing.queue.next_at
        return "nothing is due" if at is None else f"nothing is due for another {in_words(at - now)}"
    what, since = ("turn", turn) if mail is None or (turn is not None and turn <= mail) else ("mail", mail)
    assert since is not None
    return f"the oldest due {what} is {in_words(max(now - since, timedelta()))} old"
