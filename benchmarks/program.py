"""The program under test, as a child process: everything that is due is decided, built, sent and written down.

`python -m benchmarks.program FOLDER DATABASE_URL RELAY_PORT [CONNECTIONS [parts]]` prints one line of JSON:
mails, seconds of wall clock and of processor from the first look at the queue to the last outcome, and memory on the
way; with `parts` also where the time went. Starting Python and compiling the one template come before the clock.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import parts, shop
from nurture.app import Engine
from nurture.daemon.memory import settle
from nurture.sending import loop

SAMPLE = 0.5  # seconds between two looks at the memory


def main(arguments: list[str]) -> None:
    folder, url, port = Path(arguments[0]), arguments[1], int(arguments[2])
    connections = int(arguments[3]) if len(arguments) > 3 else shop.CONNECTIONS
    app = shop.open_app(folder, url, port, connections)
    app.applied().renderer.template("hello")
    spent = parts.account() if "parts" in arguments else None
    settle()
    wall, cpu = time.perf_counter(), _cpu()
    sent, memory = loop.run(_work(app.engine))
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    print(
        json.dumps({
            "mails": sent,
            "wall": wall,
            "cpu": cpu,
            "parts": parts.told(spent, cpu, sent) if spent is not None and sent else "",
            "memory": memory,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        })
    )  # fmt: skip


async def _work(make: Callable[[], Engine]) -> tuple[int, list[tuple[int, float]]]:
    engine = make()
    memory: list[tuple[int, float]] = []

    async def watch() -> None:
        while True:
            memory.append((engine.dispatcher.counts.get("sent", 0), resident()))
            await asyncio.sleep(SAMPLE)

    watcher = asyncio.create_task(watch())
    try:
        await engine.pump.drain()
    finally:
        watcher.cancel()
        await engine.stop(10)
        engine.shut_down()
    return engine.dispatcher.counts.get("sent", 0), memory


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident(pid: int | str = "self") -> float:
    """Memory of a process in use now, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main(sys.argv[1:])
