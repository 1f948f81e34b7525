"""Pictures of a report as SVG text: they need no script and no library, and print.

Every function takes a `Report` and gives one `<svg>`. Colours are classes, which `STYLE` defines for light and dark;
nothing is styled inline, so that a page with a strict content policy can hold them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from nurture.engine.simulation.report import WEEKDAYS, Report

HALF, WIDE = 520, 1000  # widths of charts for half a page and a whole one, in pixels
SHOWN = 7  # campaigns with a colour of their own; the others share one

STYLE = """\
svg.chart{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}
svg.chart text{fill:var(--ink,#1d2a24)}svg.chart .faint{fill:var(--faint,#5d6b64)}
svg.chart .line{stroke:var(--line,#dfe5e1);stroke-width:1}
svg.chart .c0{fill:#2f7d5b}svg.chart .c1{fill:#d98324}svg.chart .c2{fill:#3f6fb5}svg.chart .c3{fill:#b0527e}
svg.chart .c4{fill:#7c9a2e}svg.chart .c5{fill:#7d63b8}svg.chart .c6{fill:#279aa3}svg.chart .c7{fill:#8b9590}
svg.chart .heat{fill:#2f7d5b}svg.chart .want{fill:#b3561e}svg.chart .before{fill:var(--quiet,#b9c7bf)}
svg.chart .cell{fill:var(--cell,#f1f4f2)}svg.chart text.on{fill:#fff}
@media(prefers-color-scheme:dark){svg.chart text{fill:var(--ink,#e4ebe7)}svg.chart .faint{fill:var(--faint,#9fb0a7)}
svg.chart .line{stroke:var(--line,#33413a)}svg.chart .before{fill:var(--quiet,#56655d)}
svg.chart .cell{fill:var(--cell,#1f2a24)}svg.chart text.on{fill:#0d1712}
svg.chart .c0{fill:#4caf85}svg.chart .c1{fill:#e9a04b}svg.chart .c2{fill:#6f9fe0}svg.chart .c3{fill:#d67fa8}
svg.chart .c4{fill:#a8c653}svg.chart .c5{fill:#a58fdd}svg.chart .c6{fill:#4fc0c9}svg.chart .c7{fill:#7b8781}
svg.chart .heat{fill:#4caf85}svg.chart .want{fill:#e08a52}}
"""


def stages(report: Report) -> str:
    """People in each stage, on the first day and on the last."""
    most = max((max(row.before, row.after) for row in report.stages), default=1) or 1
    parts, left, room = [], 110, HALF - 230
    for place, row in enumerate(report.stages):
        y = 10 + 46 * place
        told = f"{row.stage}: {row.before:,} before, {row.after:,} after; {row.entered:,} came in, {row.left:,} went on"
        parts += [
            _text(left - 10, y + 23, row.stage, "end"),
            _bar(left, y, room * row.before / most, 14, "before", told),
            _bar(left, y + 16, room * row.after / most, 14, "c0", told),
            _text(left + room * max(row.before, row.after) / most + 8, y + 20, f"{row.before:,} → {row.after:,}"),
        ]
    return _svg(parts, 20 + 46 * len(report.stages), "People by stage, on the first and the last day", HALF)


def days(report: Report) -> str:
    """Mails by day, stacked by campaign."""
    order = sorted(report.days, key=lambda name: (-sum(report.days[name]), name))
    order = [name for name in order if sum(report.days[name])]
    layers = [(name, report.days[name]) for name in order[:SHOWN]]
    if len(order) > SHOWN:
        rest = zip(*(report.days[name] for name in order[SHOWN:]), strict=True)
        layers.append((f"{len(order) - SHOWN} others", tuple(map(sum, rest))))
    totals = [sum(column) for column in zip(*(counts for _, counts in layers), strict=True)] if layers else []
    top, bottom, left, right = 12, 272, 52, WIDE - 8
    most = _nice(max(totals, default=0))
    parts = _scale(most, left, right, top, bottom)
    step = (right - left) / max(len(report.dates), 1)
    for place, day in enumerate(report.dates):
        reached, x = 0, left + step * place
        for colour, (name, counts) in enumerate(layers):
            high = (bottom - top) * counts[place] / most
            if high:
                told = f"{day:%a} {day.day} {day:%b}: {counts[place]:,} of {name}, {totals[place]:,} in all"
                y = bottom - (bottom - top) * reached / most - high
                parts.append(_bar(x + step * 0.1, y, step * 0.8, high, f"c{colour}", told))
            reached += counts[place]
        if place % max(len(report.dates) // 8, 1) == 0:
            parts.append(_text(x + step / 2, bottom + 16, f"{day.day} {day:%b}", "middle", "faint"))
    parts += _legend([name for name, _ in layers], left, bottom + 40)
    return _svg(parts, bottom + 52 + 20 * ((len(layers) - 1) // 4), "Mails by day and campaign", WIDE)


def hours(report: Report) -> str:
    """When mail arrives, on people's own clocks: weekday by hour."""
    most = max((count for row in report.hours for count in row), default=0) or 1
    parts, left, cell = [], 42, (HALF - 48) / 24
    for weekday, row in enumerate(report.hours):
        y = 4 + 27 * weekday
        parts.append(_text(left - 8, y + 17, WEEKDAYS[weekday], "end"))
        for hour, count in enumerate(row):
            told = f"{WEEKDAYS[weekday]} {hour:02d}:00 to {hour:02d}:59: {count:,} mails"
            parts.append(_heat(left + cell * hour, y, cell - 2, 25, count / most, "heat", told))
    parts += [_text(left + cell * (h + 0.5), 208, f"{h:02d}", "middle", "faint") for h in range(0, 24, 2)]
    return _svg(parts, 214, "Mails by weekday and hour, on people's own clocks", HALF)


def weeks(report: Report) -> str:
    """Which share of people's weeks had 0, 1, 2, ... marketing mails."""
    return _shares(report.weeks, "Marketing mails in a week of a person")


def discounts(report: Report) -> str:
    """Which share of people got 0, 1, 2, ... discount mails in all."""
    return _shares(report.discounts, "Discount mails of a person, over the whole time")


def campaigns(report: Report) -> str:
    """Of each campaign's mails: sent, postponed, skipped."""
    shown = sorted(report.campaigns, key=lambda row: (-row.sent, row.campaign))
    most = max((row.sent + row.skipped for row in shown), default=1) or 1
    parts, left, room = [], 160, WIDE - 300
    for place, row in enumerate(shown):
        y, sent = 26 + 24 * place, room * row.sent / most
        told = f"{row.campaign}: {row.sent:,} sent, {row.skipped:,} skipped, {row.postponed:,} times postponed"
        parts += [
            _text(left - 10, y + 13, row.campaign, "end"),
            _bar(left, y, sent, 17, "c0", told),
            _bar(left + sent, y, room * row.skipped / most, 17, "c1", told),
            _text(left + room * (row.sent + row.skipped) / most + 8, y + 13, f"{row.sent:,} + {row.skipped:,}"),
        ]
    parts += _legend(["sent", "skipped"], left, 12)
    return _svg(parts, 34 + 24 * len(shown), "Mails of each campaign, sent and skipped", WIDE)


def overlaps(report: Report) -> str:
    """How many people were in two campaigns at one time; on the diagonal, ever in the one."""
    names = [row.campaign for row in report.campaigns if row.enrolled]
    counts = {one: {two: report.overlaps[one][two] for two in names} for one in names}
    return _matrix(names, names, counts, "heat", "in both", "People in two campaigns at one time")


def starved(report: Report) -> str:
    """Whose mails were kept back because whose had filled a cap."""
    counts: dict[str, dict[str, int]] = {}
    for row in report.starved:
        counts.setdefault(row.campaign, {})[row.by] = row.skipped + row.postponed
    columns = sorted({by for found in counts.values() for by in found})
    return _matrix(list(counts), columns, counts, "want", "times", "Mails kept back (rows), by mails of (columns)")


def _shares(counts: Sequence[int], title: str) -> str:
    total = sum(counts) or 1
    parts, left, room = [], 66, HALF - 210
    for number, count in enumerate(counts):
        y = 6 + 28 * number
        told = f"{number} mails: {count:,} of {total:,}"
        parts += [
            _text(left - 10, y + 15, f"{number} mail{'s' if number != 1 else ''}", "end"),
            _bar(left, y, room * count / total, 20, f"c{min(number, 3) and 1}", told),
            _text(left + room * count / total + 8, y + 15, f"{100 * count / total:.1f} %"),
            _text(HALF - 4, y + 15, f"{count:,}", "end", "faint"),
        ]
    return _svg(parts, 12 + 28 * len(counts), title, HALF)


def _matrix(
    names: Sequence[str],
    columns: Sequence[str],
    counts: Mapping[str, Mapping[str, int]],
    colour: str,
    word: str,
    title: str,
) -> str:
    """Rows by columns; the column heads are turned, so that many fit."""
    left, top = 140, 112
    cell = min((WIDE - left - 60) / max(len(columns), 1), 64)
    most = max((n for one, row in counts.items() for two, n in row.items() if one != two), default=0) or 1
    parts = []
    for place, name in enumerate(columns):
        x = left + cell * (place + 0.5)
        turned = f' transform="rotate(-50 {x:.1f} {top - 8})"'
        parts.append(f'<text x="{x:.1f}" y="{top - 8}"{turned}>{escape(name)}</text>')
    for place, one in enumerate(names):
        y = top + 26 * place
        parts.append(_text(left - 10, y + 17, one, "end"))
        for column, two in enumerate(columns):
            count = counts.get(one, {}).get(two, 0)
            told = f"{one} and {two}: {count:,} {word}" if one != two else f"{one}: {count:,}"
            share = min(count / most, 1.0) if one != two else 0.0
            x = left + cell * column
            parts.append(_heat(x, y, cell - 2, 24, share, colour, told))
            if count:
                strong = "on" if share > 0.55 else "faint" if one == two else ""
                parts.append(_text(x + cell / 2 - 1, y + 16, _short(count), "middle", strong))
    return _svg(parts, top + 8 + 26 * len(names), title, WIDE)


def _short(count: int) -> str:
    """Four signs at most: it stands in a small cell."""
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"


def _nice(most: float) -> float:
    """The end of a scale: 1, 2 or 5 times a power of ten."""
    size = 1.0
    while size * 10 < most:
        size *= 10
    return next((size * step for step in (1, 2, 3, 4, 5, 6, 8, 10) if size * step >= most), size * 10)


def _scale(most: float, left: float, right: float, top: float, bottom: float) -> list[str]:
    parts = []
    for part in range(5):
        y = bottom - (bottom - top) * part / 4
        parts.append(f'<line class="line" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(_text(left - 6, y + 4, f"{most * part / 4:,.0f}", "end", "faint"))
    return parts


def _legend(names: Sequence[str], left: float, y: float) -> list[str]:
    parts = []
    for place, name in enumerate(names):
        x, line = left + 230 * (place % 4), y + 20 * (place // 4)
        parts += [_bar(x, line - 10, 12, 12, f"c{place}", name), _text(x + 18, line, name)]
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start", css: str = "") -> str:
    kind = f' class="{css}"' if css else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(text)}</text>'


def _bar(x: float, y: float, width: float, height: float, css: str, told: str) -> str:
    size = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}"'
    return f'<rect class="{css}" {size} rx="1.5"><title>{escape(told)}</title></rect>'


def _heat(x: float, y: float, width: float, height: float, share: float, css: str, told: str) -> str:
    """A cell that is the stronger the larger its share."""
    size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3"'
    title = f"<title>{escape(told)}</title>"
    if not share:
        return f'<rect class="cell" {size}>{title}</rect>'
    return (
        f'<rect class="cell" {size}/><rect class="{css}" {size} fill-opacity="{0.12 + 0.88 * share:.2f}">{title}</rect>'
    )


def _svg(parts: Sequence[str], height: float, title: str, width: int) -> str:
    size = "wide" if width == WIDE else "half"
    head = f'<svg class="chart {size}" viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(title)}"'
    return f'{head} xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
