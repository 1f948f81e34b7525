"""A million personalised mails by one process on one core: how long, and whether its memory stays where it is."""

from __future__ import annotations

from benchmarks import shop
from benchmarks.databases import database
from benchmarks.figures import Figure
from benchmarks.sink import SMTP_SINK, smtp_sink
from benchmarks.whole_path import program


def measure(*, quick: bool = False) -> list[Figure]:
    if SMTP_SINK is None:
        return [Figure("1,000,000 personalised mails", None, "", how="smtp-sink (Postfix) is not installed")]
    mails = 20_000 if quick else 1_000_000
    with database("SQLite") as (folder, url), smtp_sink() as sink:
        app = shop.open_app(folder, url)
        shop.fill(app, mails, shop.SMALL)
        app.close()
        told = program([str(folder), url, str(sink.port)]).told
    assert told["mails"] == mails
    minutes = told["wall"] / 60 * 1_000_000 / mails
    grown = _level(told["memory"], 0.85, 1.0) - _level(told["memory"], 0.02, 0.15)
    scaled = "" if mails == 1_000_000 else f", from {mails:,} mails"
    return [
        Figure(
            "1,000,000 personalised 20-KB mails on one core, SQLite", minutes, "minutes", at_most=5,
            against=f"{mails / told['wall']:,.0f} mails/s, {1e6 * told['cpu'] / mails:,.0f} us of CPU each",
            how=f"the whole path{scaled}, wall clock",
        ),
        Figure(
            "memory: the last 15% of the mails against the first 15%", grown, "MB", at_most=10,
            against=f"at most {told['peak']:,.0f} MB", how="resident memory, means of samples every 0.5 s",
        ),
    ]  # fmt: skip


def _level(samples: list[tuple[int, float]], begin: float, end: float) -> float:
    """Mean memory while the counter went from one part of its way to another."""
    last = samples[-1][0] or 1
    chosen = [memory for sent, memory in samples if begin * last <= sent <= end * last]
    return sum(chosen) / len(chosen) if chosen else samples[-1][1]
