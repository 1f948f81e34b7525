"""The people of a plan, in lines: who stands where, and the mails of the next day before and after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nurture.cli.output import careful, faint, plural, strong

if TYPE_CHECKING:
    from nurture.engine.apply import Planned

STEPS, MAILS = 8, 12  # shown; nurture plan --json has all


def told_inside(planned: Planned, campaign: str | None) -> Iterator[str]:
    """Where the people inside a changed campaign stand; those who would go on at once are to be confirmed."""
    steps = {node or "-": people for node, people in planned.standing.get(campaign or "", {}).items()}
    if steps:
        shown = sorted(steps.items(), key=lambda each: (-each[1], each[0]))
        told = ", ".join(f"{people:,} at {node}" for node, people in shown[:STEPS])
        more = f" and {plural(len(shown) - STEPS, 'more step')}" if len(shown) > STEPS else ""
        yield faint(f"    inside: {told}{more}")
    soon = planned.soon.get(campaign or "", 0)
    if soon:
        yield f"    {plural(soon, 'person goes', 'people go')} on within the hour, each at another moment of it"
        if campaign in planned.to_confirm:
            yield careful(f"    confirm with --confirm {campaign}")


def told_unchanged(planned: Planned) -> Iterator[str]:
    changed = {change.campaign for change in planned.changes}
    same = {name: sum(steps.values()) for name, steps in planned.standing.items() if name not in changed}
    if same:
        campaigns = plural(len(same), "other campaign with", "other campaigns with")
        yield faint(f"= {campaigns} {plural(sum(same.values()), 'person', 'people')} inside, as they were")


def told_expected(planned: Planned) -> Iterator[str]:
    found = planned.expected
    if found is None or not found.people:
        return
    before, after = found.total(found.before), found.total(found.after)
    about = "about " if found.margin else ""
    yield ""
    if planned.against:
        yield strong(f"Mails of the next 24 hours, if nothing else happens: {about}{before:,} -> {about}{after:,}")
    else:
        yield strong(f"Mails of the next 24 hours, if nothing else happens: {about}{after:,}")
    rows = [
        (f"{name}/{step}", found.before.get((name, step), 0), found.after.get((name, step), 0))
        for name, step in sorted(found.before.keys() | found.after.keys())
    ]
    other = [row for row in rows if row[1] != row[2]]
    width = max((len(row[0]) for row in other), default=0)
    yield from (f"    {mail.ljust(width)}  {one:>9,} -> {two:,}" for mail, one, two in other[:MAILS])
    if len(other) > MAILS:
        yield faint(f"    and {plural(len(other) - MAILS, 'more mail')}; --json has all")
    if found.margin:
        yield faint(
            f"    {found.played:,} of {found.people:,} people were played, and scaled up: "
            f"give or take {found.margin:,} mails, 95 times of 100"
        )
