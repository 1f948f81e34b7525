"""`nurture status`: one screen that says whether all is well."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command
from nurture.cli.output import answer, bad, careful, faint, good, plural, printable, show, when
from nurture.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from nurture.storage.reports import Status

LAG_ALLOWED = timedelta(minutes=5)
SILENCE_ALLOWED = timedelta(minutes=2)


@click.command(cls=Command)
@click.option("--check", is_flag=True, help="Exit with 1 if something lags, is held, or nobody is at work.")
@json_option
@pass_session
def status(session: Session, check: bool) -> None:
    """Say how things stand: what is due, sent, paused."""
    from nurture.storage.controls import paused_campaigns
    from nurture.storage.duties import marked
    from nurture.storage.reports import outcomes
    from nurture.storage.reports import status as read_status
    from nurture.storage.revisions import latest
    from nurture.storage.suppressions import count_suppressions

    settings, database, now = session.settings, session.database, session.clock.now()
    with database.read() as tx:
        found = read_status(tx, now, now - timedelta(days=1))
        hour = outcomes(tx, now - timedelta(hours=1))
        paused = sorted(paused_campaigns(tx))
        revision = latest(tx)
        suppressed = count_suppressions(tx)
        alive, hold = marked(tx, "alive"), marked(tx, "hold")
    alive_at = datetime.fromisoformat(alive["at"]) if alive is not None else None
    problems = _problems(found, now, alive_at, str(hold.get("why")) if hold is not None else None)
    if alive is not None and "relay" in alive:
        problems.append(f"the relay takes no mail: {printable(alive['relay'])}. nurture doctor looks closer")
    data = {
        **asdict(found),
        "database": database.name,
        "delivery": settings.delivery,
        "revision": revision.number if revision is not None else 0,
        "lag_seconds": _lag(found, now).total_seconds(),
        "last_hour": hour,
        "paused": paused,
        "suppressed": suppressed,
        "daemon_seen": alive_at,
    }
    told = [{"severity": "warning", "message": text} for text in problems]

    def tell() -> None:
        _tell(data, found, now)
        for text in problems:
            show(careful("! ") + text)

    answer(data, tell, told, ok=not problems)
    if check and problems:
        click.get_current_context().exit(1)


def _lag(found: Status, now: datetime) -> timedelta:
    """How long the oldest due turn or mail has been waiting."""
    waiting = [at for at in (found.oldest_due, found.oldest_ready) if at is not None]
    return max(now - min(waiting), timedelta()) if waiting else timedelta()


def _problems(found: Status, now: datetime, alive_at: datetime | None, held: str | None) -> list[str]:
    problems = []
    if held is not None:
        problems.append(f"on hold: {held}. If all is well, nurture run --confirm goes on")
    if _lag(found, now) > LAG_ALLOWED:
        problems.append(f"what is due has been waiting for {_span(_lag(found, now))}; is nurture run at work?")
    elif alive_at is None or now - alive_at > SILENCE_ALLOWED:
        seen = f"none since {when(alive_at)} UTC" if alive_at is not None else "none yet"
        problems.append(f"no daemon is at work ({seen}); start it with nurture run")
    return problems


def _tell(data: dict[str, Any], found: Status, now: datetime) -> None:
    lag = _lag(found, now)
    paint = good if lag <= LAG_ALLOWED else bad
    rows = [
        ("database", data["database"]),
        ("mail goes to", "the local inbox" if data["delivery"] == "inbox" else "the relay"),
        ("revision", data["revision"] or "none; run nurture apply"),
        ("lag", paint(_span(lag)) + faint(f"  {found.due:,} people due, {found.unprocessed:,} events waiting")),
        ("contacts", f"{found.contacts:,}" + faint(f"  {found.active:,} times inside a campaign")),
        ("mails ready", f"{found.ready:,}" + (f", {found.held:,} on the wire" if found.held else "")),
        ("last hour", _counts(data["last_hour"])),
        ("last day", _counts(found.outcomes)),
        ("last event", when(found.latest_event) + (" UTC" if found.latest_event else "")),
        ("suppressed", _counts(data["suppressed"])),
        ("paused", ", ".join(data["paused"]) or "nothing"),
    ]
    if found.outgoing:
        rows.append(("calls waiting", plural(found.outgoing, "webhook call or alert", "webhook calls and alerts")))
    for name, value in rows:
        show(f"{faint(str(name).ljust(14))}{value}")


def _counts(counts: dict[Any, int]) -> str:
    return ", ".join(f"{count:,} {key.value}" for key, count in counts.items() if count) or "nothing"


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
