"""`nurture plan` and `nurture apply`: what the files would change, for whom; and making it so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.campaigns import by
from nurture.cli.folding import folded, terminal_width
from nurture.cli.lazy import Command
from nurture.cli.output import (
    Refused,
    answer,
    bad,
    careful,
    confirm,
    envelope,
    faint,
    good,
    plural,
    say,
    show,
    strong,
)
from nurture.cli.session import Session, json_option, pass_session, yes_option

if TYPE_CHECKING:
    from nurture.engine.apply import Planned
    from nurture.language.edits import Change
    from nurture.language.problems import Problem


SHOWN = 12  # lines of the diff of a template; nurture plan --json has all


_in_flight = click.option(
    "--in-flight", type=click.Choice(["keep", "reschedule", "exit"]), default="keep", show_default=True,
    help="Those inside: keep their times, get new ones, or leave what is archived.",
)  # fmt: skip


@click.command(cls=Command)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 if there is something to apply.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Keep the plan in FILE.")
@_in_flight
@json_option
@pass_session
def plan(session: Session, detailed_exitcode: bool, out: Path | None, in_flight: str) -> None:
    """Show what applying these files would change, and for whom.

    It tells the mails of the next day, too, before and after the change. Nothing is changed. Exits with 1 if the files
    have errors. With --out, nurture apply FILE applies what was shown here, or refuses if it is not the same any more.
    """
    planned = _planned(session, None, in_flight)
    pending = _differs(session, planned)
    if out is not None:
        from nurture.engine.saved_plan import kept

        out.write_text(kept(planned), encoding="utf-8")
    answer(_plain(planned, pending), lambda: show(_wrapped(_told(planned, pending))))
    if detailed_exitcode and pending:
        click.get_current_context().exit(10)


@click.command(cls=Command)
@click.argument("saved", required=False, metavar="[PLAN]", type=click.Path(path_type=Path))
@click.option("--revision", type=click.IntRange(1), metavar="N", help="Not the files here: those of revision N again.")
@_in_flight
@click.option("--confirm", "confirmed", multiple=True, metavar="NAME", help="Confirm by name what the plan asks for.")
@yes_option
@pass_session
def apply(
    session: Session,
    saved: Path | None,
    revision: int | None,
    in_flight: str,
    confirmed: tuple[str, ...],
    yes: bool,
) -> None:
    """Make the files of this folder what the daemons do.

    They are stored in the database as a revision; every daemon takes it up within seconds. What the files say later
    changes nothing until it is applied again. PLAN is a file of nurture plan --out: refused if files, revision or the
    people concerned are not those it was made of. --revision goes back; that makes a new revision of the old files.
    """
    from nurture.engine.apply import InFlight
    from nurture.engine.apply import apply as apply_plan

    planned = _planned(session, revision, in_flight)
    if saved is not None:
        from nurture.engine.saved_plan import still_holds

        still_holds(saved.read_text(encoding="utf-8"), planned, saved.name)
    if not _differs(session, planned):
        show(f"Nothing has changed since revision {planned.against}; it stays in force.")
        return
    say(_told(planned, pending=True))
    missing = [name for name in planned.to_confirm if name not in confirmed]
    if missing:
        names = " ".join(f"--confirm {name}" for name in missing)
        raise Refused(f"This could mail people twice, or many at once. If that is meant, add: {names}")
    confirm(f"Apply this as revision {planned.against + 1}?", yes)
    number = apply_plan(
        session.database, planned, session.clock.now(), by(), in_flight=InFlight(in_flight), confirmed=confirmed
    )
    show(good(f"Revision {number} is applied.") + f" {_alive(planned)}")


def _planned(session: Session, revision: int | None, in_flight: str) -> Planned:
    """The plan of the files here, or of an earlier revision; or every error of them and exit code 1."""
    from nurture.engine.apply import InFlight
    from nurture.engine.apply import plan as make_plan
    from nurture.engine.check import as_problem
    from nurture.language.problems import in_order
    from nurture.language.source import read_project
    from nurture.storage.revisions import sources_of

    database = session.database
    if revision is None:
        sources = read_project(Path())
    else:
        with database.read() as tx:
            sources = sources_of(tx, revision)
    planned = make_plan(database, sources, session.clock.now(), InFlight(in_flight))
    problems = in_order([*planned.compiled.problems, *(as_problem(found, sources) for found in planned.templates)])
    if not planned.is_sound:
        _refuse(session, problems, len(sources))
    elif problems:
        say(careful(f"{plural(len(problems), 'warning')}; nurture validate shows them."))
    return planned


def _refuse(session: Session, problems: Sequence[Problem], files: int) -> None:
    from nurture.language import printing

    errors = [problem for problem in problems if problem.is_error]
    if session.json:
        show(envelope(None, [printing.as_dict(problem) for problem in problems], ok=False))
    for problem in errors:
        click.echo(printing.problem_text(problem), err=True)
    click.echo(bad(printing.summary(problems, files=files)) + " Nothing was applied.", err=True)
    click.get_current_context().exit(1)


def _differs(session: Session, planned: Planned) -> bool:
    from nurture.storage.revisions import sources_of

    if planned.against == 0:
        return True
    with session.database.read() as tx:
        return sources_of(tx, planned.against) != dict(planned.sources)


def _plain(planned: Planned, pending: bool) -> dict[str, Any]:
    from nurture.engine.differences import file_changes

    return {
        "pending": pending,
        "against": planned.against,
        "changes": [
            {
                "kind": change.kind,
                "campaign": change.campaign,
                "step": change.step,
                "text": change.text,
                "before": change.before,
                "after": change.after,
                "moved_to": change.moved_to,
                "confirm": change.confirm,
                "inside": planned.people(change),
            }
            for change in planned.changes
        ],
        "files": [
            {"file": one.path, "kind": one.kind, "lines": one.lines}
            for one in file_changes(planned.before, planned.sources)
        ],
        "people": {name: dict(sorted(_named(steps))) for name, steps in sorted(planned.standing.items())},
        "expected": _plain_expected(planned),
        "in_flight": planned.in_flight,
        "to_confirm": planned.to_confirm,
    }


def _named(steps: Mapping[str | None, int]) -> list[tuple[str, int]]:
    return [(node or "-", people) for node, people in steps.items()]


def _plain_expected(planned: Planned) -> dict[str, Any] | None:
    found = planned.expected
    if found is None:
        return None
    mails = [
        {"campaign": name, "step": step, "before": found.before.get((name, step), 0),
         "after": found.after.get((name, step), 0)}
        for name, step in sorted(found.before.keys() | found.after.keys())
    ]  # fmt: skip
    return {"hours": 24, "mails": mails, "people": found.people, "played": found.played, "margin": found.margin}


def _told(planned: Planned, pending: bool) -> str:
    if not pending:
        return f"Nothing has changed since revision {planned.against}."
    from nurture.cli.plan_people import told_expected, told_inside, told_unchanged
    from nurture.cli.revisions import in_lines
    from nurture.engine.differences import file_changes
    from nurture.language.source import TEMPLATES

    lines: list[str] = []
    by_campaign: dict[str | None, list[Change]] = {}
    for change in planned.changes:
        by_campaign.setdefault(change.campaign, []).append(change)
    added = [name for name, found in by_campaign.items() if found[0].kind == "campaign_added"]
    removed = [name for name, found in by_campaign.items() if found[0].kind == "campaign_removed"]
    for name, found in by_campaign.items():
        if name in added:
            lines += [good("+ ") + found[0].text, *(f"        {told}" for told in _concerned(planned, found[0]))]
        elif name in removed:
            lines += [bad("- ") + found[0].text, *(f"        {told}" for told in _concerned(planned, found[0]))]
        else:
            lines.append(careful("~ ") + strong(name or "all campaigns"))
            for change in found:
                lines += [f"    {change.text}", *(f"        {told}" for told in _concerned(planned, change))]
        lines += told_inside(planned, name)
    lines += told_unchanged(planned)
    lines += told_expected(planned)
    changed = sum(name is not None for name in by_campaign) - len(added) - len(removed)
    if not planned.changes:
        lines.append("Only templates or texts have changed: every mail that has not gone yet is made of the new ones.")
    if planned.against:
        lines += in_lines(file_changes(planned.before, planned.sources, TEMPLATES), SHOWN)
    counts = f"{changed} changed, {len(added)} added, {len(removed)} removed"
    lines.append(f"Plan: {counts}, against revision {planned.against}. No mail is sent by applying.")
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    """Folded for the terminal it is shown on; whole lines for a pipe."""
    width = terminal_width()
    return "\n".join(part for line in text.split("\n") for part in folded(line, width))


def _concerned(planned: Planned, change: Change) -> list[str]:
    from nurture.engine.apply import InFlight

    told = []
    people = planned.people(change)
    if people and change.kind == "wait":
        told.append(
            f"{plural(people, 'person waits', 'people wait')} here and keep their time; or: --in-flight reschedule"
            if planned.in_flight is not InFlight.RESCHEDULE
            else f"{plural(people, 'person waits', 'people wait')} here and get a new time, counting what was waited"
        )
    elif people and change.step is not None:
        told.append(f"{plural(people, 'person is', 'people are')} here now")
    elif people and change.kind in {"campaign_removed", "status", "stop", "goal"}:
        told.append(f"{plural(people, 'person is', 'people are')} inside")
    if change.confirm is not None:
        told.append(careful(f"confirm with --confirm {change.confirm}"))
    return told


def _alive(planned: Planned) -> str:
    assert planned.compiled.programme is not None
    campaigns = planned.compiled.programme.campaigns.values()
    live = sum(campaign.status.value == "live" for campaign in campaigns)
    return f"{live} of {plural(len(campaigns), 'campaign')} live. " + faint("The daemon: nurture run")
