"""`nurture validate --audience`: every live mail for each contact who could get it, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nurture.cli.output import bad, faint, plural, say, show, table
from nurture.cli.progress import counting
from nurture.cli.session import Session
from nurture.engine.check import as_problem
from nurture.engine.everybody import Everybody, everybody, how_many, problems_of
from nurture.engine.processes import cores
from nurture.engine.revisions import assemble
from nurture.language.problems import Problem


def made_for_all(session: Session, sources: Mapping[str, str]) -> tuple[Everybody, list[Problem]]:
    """Sources without errors, for the contacts of the configured database, which is only read. Raises StorageError."""
    applied = assemble(sources)
    database = session.database
    with counting(session, "making mails", how_many(database)) as progress:
        found = everybody(database, applied, session.clock.now(), workers=cores(), progress=progress)
    return found, [as_problem(problem, sources) for problem in problems_of(found, applied)]


def as_data(found: Everybody) -> dict[str, Any]:
    """For `--json`: no text of anybody's mail, no address."""
    return {
        "contacts": found.contacts,
        "mails": {
            name: {
                "made": outcome.mails,
                "not_made": outcome.not_made,
                "missing": [
                    {"why": told, "count": why.count, "contact": why.contact_id}
                    for told, why in outcome.missing.items()
                ],
                "longest_subject": {"characters": outcome.longest_subject, "contact": outcome.longest_for or None},
                "heaviest": {"bytes": outcome.heaviest, "contact": outcome.heaviest_for or None},
                "subject_too_long": outcome.too_long.count,
                "cut_by_gmail": outcome.cut_off.count,
            }
            for name, outcome in found.outcomes.items()
        },
    }


def tell(found: Everybody) -> None:
    """A line for each mail, the worst first."""
    asked = {name: outcome for name, outcome in found.outcomes.items() if outcome.mails or outcome.not_made}
    worst = sorted(asked.items(), key=lambda each: (-each[1].not_made, -each[1].heaviest))
    rows: list[Sequence[object]] = [
        (
            name,
            f"{outcome.mails:,}",
            f"{outcome.not_made:,}" if outcome.not_made else "",
            f"{outcome.longest_subject} ({outcome.longest_for})" if outcome.mails else "",
            f"{outcome.heaviest:,} ({outcome.heaviest_for})" if outcome.mails else "",
        )
        for name, outcome in worst
    ]
    show(f"{plural(found.contacts, 'contact')}; in brackets, a contact to look at with nurture preview MAIL --as ID")
    if rows:
        heads = ("mail", "made", "not made", "longest subject", "heaviest, bytes")
        show(table(heads, rows, right=frozenset({1, 2, 3, 4})))
    failed = sum(outcome.not_made for outcome in asked.values())
    if failed:
        show(bad(f"{plural(failed, 'mail')} cannot be made."))
    if len(asked) < len(found.outcomes):
        say(faint(f"Nobody could get {plural(len(found.outcomes) - len(asked), 'other mail')} now."))
