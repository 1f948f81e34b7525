"""Two processes on one host against one: the same number of mails, one database between them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import shop
from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure
from benchmarks.sink import SMTP_SINK, smtp_sink


def measure(*, quick: bool = False) -> list[Figure]:
    if SMTP_SINK is None:
        return [Figure("two processes against one", None, "times", at_least=1.7, how="smtp-sink is not installed")]
    mails = 2_000 if quick else 20_000
    figures = []
    for kind in KINDS:
        one, two = _rate(kind, mails, 1), _rate(kind, mails, 2)
        figures.append(
            Figure(
                f"two processes on one host against one, {kind}", two / one, "times", at_least=1.7,
                against=f"{two:,.0f} against {one:,.0f} mails/s",
                how="wall clock, 20-KB mails; sink (and database server) on the same two cores",
            )
        )  # fmt: skip
    return figures


def _rate(kind: str, mails: int, processes: int) -> float:
    """Mails a second of wall clock, by the slower of the processes; each counts from its own first look."""
    with database(kind) as (folder, url), smtp_sink(core=None) as sink:
        app = shop.open_app(folder, url)
        shop.fill(app, mails, shop.SMALL)
        app.close()
        begun = time.perf_counter()
        running = [_start(folder, url, sink.port) for _ in range(processes)]
        output = [process.communicate()[0].decode() for process in running]
        assert all(process.returncode == 0 for process in running), output
        whole = time.perf_counter() - begun
    told = [json.loads(text.splitlines()[-1]) for text in output]
    assert sum(one["mails"] for one in told) == mails
    return mails / min(max(one["wall"] for one in told), whole)


def _start(folder: Path, url: str, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.program", str(folder), url, str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)
