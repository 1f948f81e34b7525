"""A week of one person under several campaigns, as docs/caps-and-slots.md tells it: in words, and as a picture.

The campaigns are those of the page itself; `python -m nurture.testing.docs` writes the words, and
`python -m nurture.testing.week` the picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nurture.engine.simulation.charts import STYLE, WIDE
from nurture.engine.simulation.one_person import Imagined, Told, imagine
from nurture.engine.timeline import Line
from nurture.language.compile import compile_project
from nurture.testing.doc_examples import examples, mails_of, of_language_page

PAGE = "docs/caps-and-slots.md"
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "week.svg"
ZONE = ZoneInfo("Europe/Berlin")
BEGIN, DAYS = datetime(2027, 3, 1, tzinfo=ZONE), 10
STORY: tuple[tuple[int, str, str, dict[str, Any]], ...] = (  # day, time, what
    (0, "10:00", "Newsletter Subscribed", {}),
    (0, "21:30", "Checkout Started", {"checkout_id": "c-1", "value": 80}),
    (4, "15:00", "Video Watched", {}),
    (5, "22:15", "Course Visited", {}),
)
LEFT, TOP, LANE = 118.0, 40.0, 54.0
LANES = ("events", "abandoned-cart", "welcome", "tip", "survey")
SHOWN = {"event", "holds", "sends", "skips", "expires"}


@cache
def week() -> Imagined:
    """What becomes of Ana."""
    campaigns = [one.text for one in examples("yaml") if one.page == PAGE and one.kind == "recipe"]
    sources = {
        "campaigns/_project.yaml": of_language_page("project").text,
        "campaigns/people/ana.yaml": of_language_page("person").text,
        **{f"campaigns/{number}.yaml": text for number, text in enumerate(campaigns)},
        **mails_of(campaigns),
    }
    compiled = compile_project(sources)
    assert compiled.programme is not None, compiled.problems
    story = [
        Told(BEGIN + timedelta(days=day, hours=int(at[:2]), minutes=int(at[3:])), event, properties)
        for day, at, event, properties in STORY
    ]
    return imagine(compiled.programme, compiled.people["ana"], BEGIN, story, until=BEGIN + timedelta(days=DAYS))


def words() -> str:
    """Her week, a line for each thing that concerns her mail."""
    told = week()
    lines = [text for line, text in zip(told.lines, told.text, strict=True) if line.verb in SHOWN]
    return "\n".join(["```text", *lines, "```"])


def picture() -> str:
    """Her week as one SVG that needs no other file: a lane for each campaign, nights shaded."""
    bottom = TOP + LANE * len(LANES)
    shown = [line for line in week().lines if line.verb in SHOWN]
    named = Counter[str]()
    marks = []
    for number, line in enumerate(shown):  # names of a lane stand below and above it in turn, for want of room
        marks.append(_mark(line, shown[number + 1 :], above=named[_lane(line)] % 2 == 1))
        named[_lane(line)] += line.verb != "holds"
    parts = [*_nights(bottom), *_lanes(), *(part for mark in marks for part in mark)]
    style = (
        STYLE
        + "svg.chart .night{fill:#5d6b64;fill-opacity:.13}svg.chart .wait{fill:none;stroke:#b3561e;stroke-width:2}"
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDE} {bottom + 12:.0f}" role="img" xmlns="http://www.w3.org/2000/svg" '
        f'aria-label="A week of Ana\'s mail"><style>{style}</style>{"".join(parts)}</svg>\n'
    )


def _lane(line: Line) -> str:
    return line.what.rpartition("/")[0] or "events"


def _x(at: datetime) -> float:
    return LEFT + (WIDE - LEFT - 8) * ((at - BEGIN) / timedelta(days=DAYS))


def _nights(bottom: float) -> list[str]:
    """The quiet hours, 21:00 to 08:00, and the names of the days."""
    parts = []
    for number in range(DAYS):
        day = BEGIN + timedelta(days=number)
        for since, until in ((0, 8), (21, 24)):
            x, end = _x(day + timedelta(hours=since)), _x(day + timedelta(hours=until))
            parts.append(
                f'<rect class="night" x="{x:.1f}" y="{TOP - 8}" width="{end - x:.1f}" height="{bottom - TOP}"/>'
            )
        middle = _x(day + timedelta(hours=14, minutes=30))
        parts.append(
            f'<text class="faint" x="{middle:.1f}" y="20" text-anchor="middle">{day:%a} {day.day} {day:%b}</text>'
        )
    return parts


def _lanes() -> list[str]:
    parts = []
    for number, name in enumerate(LANES):
        y = TOP + LANE * number + 22
        parts.append(f'<line class="line" x1="{LEFT}" y1="{y}" x2="{WIDE - 8}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{name}</text>')
    return parts


def _mark(line: Line, later: Sequence[Line], *, above: bool) -> list[str]:
    """What happened, at its place, with its name and, for the mouse, all of it; a wait leads to where it ended."""
    x, y = _x(line.at), TOP + LANE * LANES.index(_lane(line)) + 22
    told = f"{line.at.astimezone(ZONE):%a %H:%M} {line.verb} {line.what}" + (f": {line.why}" if line.why else "")
    title = f"<title>{escape(told)}</title>"
    if line.verb == "holds":
        end = _x(next(one.at for one in later if one.what == line.what))
        return [
            f'<line class="wait" stroke-dasharray="3 4" x1="{x + 5:.1f}" y1="{y}" x2="{end - 7:.1f}" y2="{y}"/>',
            f'<circle class="wait" cx="{x:.1f}" cy="{y}" r="5">{title}</circle>',
        ]
    shape = {
        "event": f'<rect class="c2" x="{x - 4:.1f}" y="{y - 4}" width="8" height="8">{title}</rect>',
        "sends": f'<circle class="c0" cx="{x:.1f}" cy="{y}" r="7">{title}</circle>',
    }.get(line.verb, f'<path class="wait" d="M{x - 5:.1f} {y - 5}l10 10m0-10l-10 10">{title}</path>')
    words_at, name = y - 12 if above else y + 21, escape(line.what.rpartition("/")[2])
    return [
        shape,
        f'<text class="faint" x="{x:.1f}" y="{words_at}" text-anchor="middle">{name}</text>',
    ]


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
