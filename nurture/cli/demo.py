"""`nurture demo`: sixty days of a made-up shop through the real engine, in under a minute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nurture.cli.lazy import Command
from nurture.cli.output import answer, bad, faint, good, plural, say, show, strong, table
from nurture.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from nurture.demo.run import Report


@click.command(cls=Command)
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"),
              show_default=True, help="Where the demo keeps its database and mail; emptied first.")  # fmt: skip
@click.option("--people", type=click.IntRange(10, 5000), default=200, show_default=True, help="How many live in it.")
@click.option("--days", type=click.IntRange(1, 365), default=60, show_default=True, help="How long they live.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, other lives.")
@json_option
@pass_session
def demo(session: Session, folder: Path, people: int, days: int, seed: int) -> None:
    """Watch sixty days of a demo shop in under a minute.

    Made-up customers sign up, fill carts, buy, answer and unsubscribe; the shipped campaigns run on them through the
    real daemon code and real SMTP on this machine, on a clock that jumps. Nothing leaves the machine.
    """
    import asyncio
    import sys

    from nurture.demo.run import Demo
    from nurture.shipped import folder as shipped

    say(f"{plural(people, 'person', 'people')} live through {plural(days, 'day')} with the shipped campaigns.")
    say(faint(f"A real daemon, a real SMTP server on this machine, a clock that jumps. Files: {folder}/"))
    run = Demo(folder.resolve(), shipped("campaigns").parent, people=people, days=days, seed=seed)
    with click.progressbar(length=1000, label="  living", file=sys.stderr, show_eta=False, hidden=session.quiet) as bar:
        done = 0

        def progress(part: float) -> None:
            nonlocal done
            bar.update(int(part * 1000) - done)
            done = int(part * 1000)

        report = asyncio.run(run.run(progress))
    answer(_plain(report), lambda: _tell(report, folder), ok=report.audit.holds and not report.failures)
    if not report.audit.holds or report.failures:
        click.get_current_context().exit(1)


def _tell(report: Report, folder: Path) -> None:
    show()
    show(strong(f"What happened in {report.days} days") + faint(f"  ({report.seconds:.0f} seconds)"))
    events, turns, kept = plural(report.events, "event"), plural(report.turns, "turn"), plural(report.kept, "mail")
    ghosts, webhooks = plural(report.held_out, "mail"), plural(report.webhooks, "webhook")
    show(f"  {events}, {turns}, {kept} in the inbox")
    show(f"  {ghosts} held back to measure uplift, {webhooks} written down")
    show()
    show(strong("People by stage"))
    show("  " + ", ".join(f"{stage} {count}" for stage, count in sorted(report.stages.items(), key=lambda s: -s[1])))
    show()
    rows = [
        (name, report.enrolments[name], report.mails[name], report.goals[name] or "")
        for name in sorted(report.enrolments, key=lambda name: -report.mails[name])
    ]
    show(table(("campaign", "entered", "mails", "goals"), rows, right=frozenset({1, 2, 3})))
    show()
    show(strong("Not sent, and why"))
    show("  " + _reasons(report.skipped))
    show(strong("Sent later, and why"))
    show("  " + _reasons(report.postponed))
    show()
    _tell_audit(report)
    show()
    show("Look at it next:")
    where = f"NURTURE_INBOX={folder}/inbox"
    show(f"  {where} nurture inbox list" + faint("            the mails, as any mail program would show them"))
    show(
        f"  nurture --env-file {folder}/demo.env explain customer7@post.example" + faint("   why she got what she got")
    )
    show("  nurture init my-shop" + faint("                            start your own"))


def _reasons(counts: Mapping[str, int]) -> str:
    told = [f"{reason.replace('_', ' ')} {count}" for reason, count in sorted(counts.items(), key=lambda c: -c[1])]
    return ", ".join(told) or "none"


def _tell_audit(report: Report) -> None:
    checked = report.audit.checked
    windows = f"{checked.get('mails', 0):,} mails in {checked.get('windows', 0):,} rolling windows recounted"
    number = len(report.audit.findings) + report.audit.more
    verdict = good("0 violations") if report.audit.holds else bad(plural(number, "violation"))
    show(strong("Cap audit: ") + verdict + faint(f"  ({windows})"))
    for finding in report.audit.findings[:10]:
        show(bad(f"  {finding.rule}: contact {finding.contact_id}: {finding.text}"))
    for contact, error in report.failures[:10]:
        show(bad(f"  the turn of contact {contact} failed: {error}"))


def _plain(report: Report) -> dict[str, object]:
    return {
        "days": report.days,
        "people": report.people,
        "events": report.events,
        "turns": report.turns,
        "mails": dict(report.mails),
        "stages": report.stages,
        "enrolments": dict(report.enrolments),
        "goals": dict(report.goals),
        "skipped": dict(report.skipped),
        "postponed": dict(report.postponed),
        "violations": len(report.audit.findings) + report.audit.more,
        "seconds": round(report.seconds, 1),
    }
