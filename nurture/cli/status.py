"""`nurture status`: one screen that says whether all is well, and what to do if not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command
from nurture.cli.output import answer, bad, careful, faint, good, plural, printable, show, strong, table, when
from nurture.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from nurture.engine.standing import Closer, Finding, Standing
    from nurture.storage.heartbeats import Heartbeat


@click.command(cls=Command)
@click.option("--watch", type=click.FloatRange(min=0.5), metavar="SECONDS", help="Look again and again, until Ctrl-C.")
@json_option
@pass_session
def status(session: Session, watch: float | None) -> None:
    """Say how things stand: what is due, sent, paused, wrong.

    Exits with 1 if something needs a person.
    """
    from threading import Event

    while watch is not None:
        click.clear()
        _say(session)
        Event().wait(watch)
    if _say(session):
        click.get_current_context().exit(1)


def _say(session: Session) -> list[Finding]:
    from nurture.engine.standing import findings, look, look_closer, troubles_as_findings

    database, now = session.database, session.clock.now()
    standing = look(database, now)
    closer = look_closer(database, now, standing.applied_at)
    found = [*findings(standing), *troubles_as_findings(closer.troubles)]

    def tell() -> None:
        _head(session, standing, closer, found)
        for name, value in _rows(standing, closer):
            show(f"{faint(name.ljust(10))}{value}")
        show()
        show(_mails(closer))

    problems = [{"severity": "warning", "code": one.code, "message": one.found, "hint": one.fix} for one in found]
    answer(_data(session, standing, closer), tell, problems, ok=not found)
    return found


def _data(session: Session, standing: Standing, closer: Closer) -> dict[str, Any]:
    from nurture.engine.standing import lag_in_words

    return {
        **asdict(standing),
        **asdict(closer),
        "database": session.database.name,
        "delivery": session.settings.delivery,
        "lag_seconds": standing.lag.total_seconds(),
        "lag": lag_in_words(standing),
        "paused": sorted(standing.paused),
        "pauses": {name: asdict(one) for name, one in standing.paused.items()},
        "breakers": {name: one.to_json() for name, one in standing.breakers.items()},
    }


def _head(session: Session, standing: Standing, closer: Closer, found: list[Finding]) -> None:
    where = "the local inbox" if session.settings.delivery == "inbox" else "the relay"
    applied = f"revision {standing.revision}" if standing.revision else "nothing applied"
    about = f"{session.database.name}, {_megabytes(closer.size)}, {applied}; mail goes to {where}"
    if not found:
        show(f"{good('All is well.')}  {faint(about)}")
    else:
        show(f"{bad(plural(len(found), 'thing needs', 'things need') + ' you.')}  {faint(about)}")
    for one in found:
        show(f"{careful('! ')}{printable(one.found)}")
        show(f"  {faint('->')} {printable(one.fix)}")
    show()


def _rows(standing: Standing, closer: Closer) -> Iterator[tuple[str, str]]:
    from nurture.engine.standing import LAG_ALLOWED, lag_in_words

    queue = standing.queue
    paint = strong if standing.lag <= LAG_ALLOWED else bad
    yield "lag", paint(lag_in_words(standing))
    waiting = [
        plural(queue.due, "person due", "people due"),
        plural(queue.unprocessed, "event waiting", "events waiting"),
        plural(queue.ready, "mail ready", "mails ready"),
    ]
    if queue.held:
        waiting.append(f"{queue.held:,} on the wire")
    if queue.calls:
        waiting.append(plural(queue.calls, "webhook or alert", "webhooks and alerts"))
    yield "queue", ", ".join(waiting)
    yield "daemons", _daemons(standing)
    if standing.breakers:
        yield "relay", ", ".join(f"{name} {one.state.value}" for name, one in sorted(standing.breakers.items()))
    if standing.warmth is not None:
        yield "warm-up", f"{standing.warmth.taken:,} of the {standing.warmth.ceiling:,} mails of today"
    yield "paused", ", ".join([*standing.paused, *(one.domain for one in standing.domains)]) or "nothing"
    inside = plural(closer.inside, "time inside a campaign", "times inside a campaign")
    suppressed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(closer.suppressed.items()))
    people = f"{plural(closer.contacts, 'contact')}, {inside}"
    yield "people", people + (f"; suppressed: {suppressed}" if suppressed else "")
    if closer.latest_event is not None:
        yield "events", f"the last came {when(closer.latest_event)} UTC"


def _daemons(standing: Standing) -> str:
    if not standing.daemons:
        seen = f"; one was, until {when(standing.seen_at)} UTC" if standing.seen_at is not None else ""
        return f"none at work{seen}"
    return ", ".join(_daemon(one, standing.at) for one in standing.daemons)


def _daemon(one: Heartbeat, now: datetime) -> str:
    from nurture.engine.standing import in_words

    name = f"{printable(one.said.get('host', one.owner))}-{one.said.get('pid', '?')}"
    if not one.is_alive(now):
        return careful(f"{name} silent for {in_words(now - one.at)}")
    roles = one.said.get("roles", ())
    only = f", only {roles[0]}" if len(roles) == 1 else ""
    return f"{name} at work (heard {in_words(max(now - one.at, timedelta()))} ago{only})"


def _mails(closer: Closer) -> str:
    """Outcomes, a day beside a week."""
    from nurture.domain.delivery import DeliveryState

    states = [state for state in DeliveryState if state in closer.week]
    rows = [
        (_WORDS.get(state, state.value), f"{closer.today.get(state, 0):,}", f"{closer.week[state]:,}")
        for state in states
    ]
    return table(("mails", "24 hours", "7 days"), rows or [("none", "0", "0")], right=frozenset({1, 2}))


_WORDS = {"unknown": "unknown (may have arrived)", "ghost": "held out", "expired": "too late"}


def _megabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
