"""Distil the data of caniemail.com into `features.json`: `python -m nurture.rendering.compatibility.distil FILE`.

FILE is the site's own JSON (https://www.caniemail.com/api/data.json), or `caniemail.json` of the npm package of that
name. Kept of each feature: its title, and the newest answer of each family of mail programs (y yes, a partly, n no;
the worse one where the programs of a family differ).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CLASSIC = frozenset({"windows", "windows-mail"})  # Outlook that draws with Word
FAMILIES = {
    "apple-mail": "apple", "gmail": "gmail", "yahoo": "yahoo", "aol": "yahoo", "samsung-email": "samsung",
}  # fmt: skip
OTHERS = "others"
WORST = "nay"  # u, untested, says nothing


def family_of(client: str, platform: str) -> str:
    """`outlook-windows` for the Outlook that draws with Word, `outlook` for the newer ones."""
    if client == "outlook":
        return "outlook-windows" if platform in CLASSIC else "outlook"
    return FAMILIES.get(client, OTHERS)


def distilled(data: Mapping[str, Any]) -> dict[str, Any]:
    """`{"updated", "source", "features": {slug: [title, {family: answer}]}}`."""
    features = {}
    for feature in data["data"]:
        answers: dict[str, str] = {}
        for client, platforms in feature["stats"].items():
            for platform, versions in platforms.items():
                answer = list(versions.values())[-1][:1]
                family = family_of(client, platform)
                if answer in WORST:
                    answers[family] = min(answers.get(family, "y"), answer, key=WORST.index)
        features[feature["slug"]] = [feature["title"].strip(), answers]
    return {
        "source": "https://www.caniemail.com",
        "updated": data["last_update_date"][:10],
        "features": dict(sorted(features.items())),
    }


if __name__ == "__main__":
    made = distilled(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    lines = [f"  {json.dumps(slug)}: {json.dumps(found)}" for slug, found in made.pop("features").items()]
    head = json.dumps(made)[:-1]
    (HERE / "features.json").write_text(f'{head}, "features": {{\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")
