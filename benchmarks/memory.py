"""The daemon with a million contacts, of whom a hundred thousand are due at once: the most memory it ever takes."""

from __future__ import annotations

from datetime import timedelta

from benchmarks import shop
from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure
from benchmarks.sink import SMTP_SINK, smtp_sink
from benchmarks.whole_path import program


def measure(*, quick: bool = False) -> list[Figure]:
    if SMTP_SINK is None:
        return [Figure("memory of the daemon", None, "MB", at_most=200, how="smtp-sink (Postfix) is not installed")]
    due, contacts = (4_000, 40_000) if quick else (100_000, 1_000_000)
    figures = []
    for kind in KINDS:
        with database(kind) as (folder, url), smtp_sink() as sink:
            app = shop.open_app(folder, url)
            shop.fill(app, due, shop.SMALL)
            shop.multiply(app, due, contacts // due, spread=timedelta(days=1))
            app.close()
            told = program([str(folder), url, str(sink.port)]).told
        assert told["mails"] == due
        figures.append(
            Figure(
                f"memory with {contacts:,} contacts, {due:,} due at once, {kind}", told["peak"], "MB", at_most=200,
                against=f"{told['mails'] / told['wall']:,.0f} mails/s",
                how="the most its resident memory ever was, as the system counts it",
            )
        )  # fmt: skip
    return figures
