"""The report of a simulation as one HTML page that needs nothing else: no script, no network, no file beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from nurture.engine.simulation import charts
from nurture.engine.simulation.report import Report, figures

_STYLE = """\
:root{color-scheme:light dark;--ink:#1d2a24;--faint:#55635c;--line:#dfe5e1;--paper:#fff;--ground:#f5f7f5;--warn:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e4ebe7;--faint:#a3b4ab;--line:#33413a;--paper:#18211c;--ground:#101713;
--warn:#ff8a80}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 16px 64px}h1{font-size:1.6rem;line-height:1.25;margin:.2em 0}
h2{font-size:1.05rem;margin:0 0 2px}p{margin:0 0 12px}.note{color:var(--faint);font-size:.9rem}
.grid{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr))}
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:16px;min-width:0}
section.wide{grid-column:1/-1}.scroll{overflow-x:auto}
.scroll svg.wide{min-width:720px}.scroll svg.half{min-width:300px;max-width:600px}
dl{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));margin:20px 0}
dl div{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:10px 14px}
dt{color:var(--faint);font-size:.85rem}dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--faint);font-weight:500}td.n,th.n{text-align:right}td.bad{color:var(--warn)}
@media print{body{background:#fff}section{break-inside:avoid}}
"""
STYLE = _STYLE + charts.STYLE


def page(report: Report, other: Report | None = None) -> str:
    """The whole page. With `other`, the same people under other caps, a table of both and the difference."""
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>Simulation</title>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<style>{STYLE}</style></head><body><main>{body(report, other)}</main></body></html>\n"
    )


def body(report: Report, other: Report | None = None) -> str:
    """What stands on the page, for another that has `STYLE`."""
    asked = report.asked
    told = (
        f"{asked.begin:%d %b %Y} to {asked.end:%d %b %Y}, {asked.source}"
        + (f", seed {asked.seed}" if asked.seed is not None else "")
        + f". {report.turns:,} decisions, {report.mails:,} mails; days by {asked.zone}. Nothing was sent."
    )
    parts = [
        f"<h1>What this programme would do</h1><p class='note'>{escape(told)}</p>",
        _figures(report),
        "<div class='grid'>",
        _comparison(report, other) if other is not None else "",
        _chart("People by stage", "Pale: the first day. Strong: the last.", charts.stages(report)),
        _chart("Marketing mails a person gets in a week", "Of all weeks of all people.", charts.weeks(report)),
        _chart("Mails by day", "The tallest bars are what the relay must carry.", charts.days(report), wide=True),
        _chart("When mail arrives", "By weekday and hour, on people's own clocks.", charts.hours(report)),
        _chart("Discount pressure", "Mails with an offer that a person gets in all.", charts.discounts(report)),
        _chart("Campaigns", "Mails sent, and mails skipped for any reason.", charts.campaigns(report), wide=True),
        _starved(report),
        _chart(
            "Campaigns that meet",
            "How many people were in two at one time; on the diagonal, ever in the one.",
            charts.overlaps(report),
            wide=True,
        ),
        _reasons(report),
        _caps(report),
        "</div>",
    ]
    return "".join(parts)


def _figures(report: Report) -> str:
    numbers = figures(report)
    weeks = sum(report.weeks) or 1
    most = max(len(report.weeks) - 1, 0)
    peak = report.peak
    limit = f" of {report.asked.limit:,} allowed" if report.asked.limit is not None else ""
    shown = [
        ("people", f"{report.people:,}"),
        ("of them new", f"{report.arrived:,}"),
        ("mails", f"{report.mails:,}"),
        ("weeks without marketing mail", f"{100 * (report.weeks[0] if report.weeks else 0) / weeks:.0f} %"),
        ("most in one week", f"{most}"),
        ("busiest minute", f"{peak.mails:,}{limit}"),
        ("unsubscribed", f"{numbers['unsubscribed']:,}"),
        ("goals reached", f"{numbers['goals']:,}"),
    ]
    return (
        "<dl>" + "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in shown) + "</dl>"
    )


def _chart(title: str, note: str, svg: str, wide: bool = False) -> str:
    return _section(title, note, f"<div class='scroll'>{svg}</div>", wide)


def _section(title: str, note: str, body: str, wide: bool = False) -> str:
    kind = " class='wide'" if wide else ""
    return f"<section{kind}><h2>{escape(title)}</h2><p class='note'>{escape(note)}</p>{body}</section>"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]], numbers: int) -> str:
    """The last `numbers` columns are numbers."""
    first = len(head) - numbers

    def line(cells: Sequence[str], tag: str) -> str:
        made = (f"<{tag}{' class=n' if n >= first else ''}>{escape(cell)}</{tag}>" for n, cell in enumerate(cells))
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(line(cells, "td") for cells in lines)
    return f"<div class='scroll'><table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table></div>"


def _comparison(report: Report, other: Report) -> str:
    before, after = figures(report), figures(other)
    lines = [
        (name, _number(number), _number(after[name]), _number(after[name] - number, sign=True))
        for name, number in before.items()
        if number or after[name]
    ]
    note = "The same people with the caps of this programme, and with the others."
    return _section("Other caps", note, _table(("", "now", "other", "difference"), lines, 3), wide=True)


def _number(number: float, sign: bool = False) -> str:
    digits = ".4g" if isinstance(number, float) and abs(number) < 10 else ",.0f"
    return f"{number:{'+' if sign and number else ''}{digits}}"


def _starved(report: Report) -> str:
    title, note = "Who is starved by whom", "Mails kept back (rows) because mails of others (columns) had filled a cap."
    if not report.starved:
        return _section(title, "No cap kept any mail back.", "")
    return _chart(title, note, charts.starved(report), wide=True)


def _reasons(report: Report) -> str:
    lines = [
        (row.what, f"{row.campaign}/{row.step}", row.reason.replace("_", " "), f"{row.count:,}")
        for row in report.reasons[:20]
    ]
    return _section("Kept back", "The most frequent reasons.", _table(("", "mail", "reason", "times"), lines, 1))


def _caps(report: Report) -> str:
    lines = [(row.cap, f"{row.skipped:,}", f"{row.postponed:,}") for row in report.caps]
    return _section("Caps", "How often each was full.", _table(("cap", "skipped", "postponed"), lines, 2))
