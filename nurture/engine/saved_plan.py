"""A plan kept in a file: what was looked at, so that nothing else is applied by its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from nurture.engine.apply import MANY, Planned
from nurture.errors import ConflictError

FORM = 1


def kept(planned: Planned) -> str:
    """The plan as JSON: the revision it was made against, its files by hash, whom it concerns, what it must confirm."""
    return json.dumps({"nurture_plan": FORM, **_facts(planned)}, indent=2, sort_keys=True) + "\n"


def still_holds(text: str, planned: Planned, name: str) -> None:
    """Raises ConflictError, naming what is different, if `planned`, made now, is not what `text` has kept."""
    try:
        known: Mapping[str, Any] = json.loads(text)
        form = known["nurture_plan"]
        against, files, inside, confirm = (known[key] for key in ("against", "files", "inside", "to_confirm"))
    except (ValueError, KeyError, TypeError) as error:
        raise ConflictError(f"{name} is no plan; make one with: nurture plan --out {name}") from error
    now = _facts(planned)
    again = f"Plan again with: nurture plan --out {name}"
    if form != FORM:
        raise ConflictError(f"{name} was written by another version of nurture. {again}")
    if against != now["against"]:
        raise ConflictError(f"{name} was made against revision {against}; now {now['against']} is applied. {again}")
    other = sorted(path for path in files.keys() | now["files"].keys() if files.get(path) != now["files"].get(path))
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        raise ConflictError(f"{other[0]}{more} changed after {name} was made. {again}")
    if new := sorted(set(now["to_confirm"]) - set(confirm)):
        raise ConflictError(f"{', '.join(new)} must be confirmed now, and was not when {name} was made. {again}")
    for campaign, people in now["inside"].items():
        if abs(people - inside.get(campaign, 0)) > MANY:
            before = inside.get(campaign, 0)
            raise ConflictError(f"{people:,} people are in {campaign}; there were {before:,} in {name}. {again}")


def _facts(planned: Planned) -> dict[str, Any]:
    files = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in planned.sources.items()}
    changed = sorted({change.campaign for change in planned.changes if change.campaign is not None})
    inside = {name: sum(planned.standing.get(name, {}).values()) for name in changed}
    return {"against": planned.against, "files": files, "inside": inside, "to_confirm": list(planned.to_confirm)}
