"""Events over HTTP, by Segment's protocol: batches of a hundred and single ones, each answered after its commit.

`nurture serve` runs as a process of its own; clients on plain sockets send requests made beforehand. Events a core are
counted by the processor time of the server (with its database, where that is SQLite); rows are counted afterwards.
Waiting times are taken at a steady 300 single events a second, and need an otherwise idle machine.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from benchmarks.children import ROOT
from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure
from nurture.engine.apply import apply, plan
from nurture.engine.keys import Scope, create_key
from nurture.language.source import read_project
from nurture.storage import schema
from nurture.storage.database import Database
from nurture.storage.duties import require_secret

CONNECTIONS, BATCH, PEOPLE = 32, 100, 5000
SECRET = "a secret key for benchmarks, long enough to be one"
TICKS = os.sysconf("SC_CLK_TCK")


def measure(*, quick: bool = False) -> list[Figure]:
    """Batches, single ones and waiting times, on both databases."""
    batches, singles, seconds = (30, 500, 1) if quick else (1000, 20_000, 10)
    return [figure for kind in KINDS for figure in _of(kind, batches, singles, seconds)]


def _of(kind: str, batches: int, singles: int, seconds: int) -> Iterator[Figure]:
    with database(kind) as (folder, url):
        key = _prepare(url)
        with _server(folder, url) as (address, pid):
            asyncio.run(_send(address, [_batch(key, 10**9 + n * BATCH, BATCH) for n in range(10)]))  # warm
            how = f"server's CPU; {CONNECTIONS} connections; rows counted"
            cpu = _cpu(pid)
            asyncio.run(_send(address, [_batch(key, n * BATCH, BATCH) for n in range(batches)]))
            spent = _cpu(pid) - cpu
            yield Figure(f"events in batches of {BATCH}, {kind}", batches * BATCH / spent, "a second a core",
                         at_least=20_000, how=how)  # fmt: skip
            cpu = _cpu(pid)
            asyncio.run(_send(address, [_single(key, 10**7 + n) for n in range(singles)]))
            spent = _cpu(pid) - cpu
            yield Figure(f"single events, {kind}", singles / spent, "a second a core", at_least=5000, how=how)
            waits = asyncio.run(_steadily(address, [_single(key, 2 * 10**7 + n) for n in range(300 * seconds)], 300))
            longest = 1000 * waits[int(len(waits) * 0.99)]
            yield Figure(f"wait for a single event at 300 a second, 99 of 100, {kind}", longest, "ms", at_most=50,
                         how="from its time to its answer")  # fmt: skip
        with Database(url, address_secret=SECRET) as opened, opened.read() as tx:
            stored = tx.execute(text("SELECT count(*) FROM events")).scalar_one()
        expected = (batches + 10) * BATCH + singles + 300 * seconds
        if stored != expected:
            raise RuntimeError(f"{stored} events were stored of {expected}")


def _prepare(url: str) -> str:
    """A database with the starter programme; a key."""
    now = datetime.now(UTC)
    with Database(url, address_secret=SECRET) as opened:
        schema.upgrade(opened)
        opened.transact(lambda tx: require_secret(tx, now))
        planned = plan(opened, read_project(ROOT))
        apply(opened, planned, now, "benchmark", confirmed=planned.to_confirm)
        return create_key(opened, "benchmark", {Scope.EVENTS}, now)


@contextmanager
def _server(folder: Path, url: str) -> Iterator[tuple[tuple[str, int], int]]:
    """Its address and process id."""
    log = folder / "serve.log"
    environ = {**os.environ, "NURTURE_DATABASE_URL": url, "NURTURE_SECRET_KEY": SECRET, "NURTURE_LOG_FORMAT": "json"}
    (folder / ".env").touch()
    with log.open("wb") as stderr:
        command = [sys.executable, "-m", "nurture", "serve", "--http", "127.0.0.1:0"]
        process = subprocess.Popen(
            command, cwd=folder, env={**environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=stderr
        )
        try:
            yield ("127.0.0.1", _port(log, process)), process.pid
        finally:
            process.terminate()
            process.wait(30)


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if line.startswith("{") and json.loads(line).get("event") == "listening":
                return int(json.loads(line)["at"].rpartition(":")[2])
        os.sched_yield()
    raise RuntimeError(f"the server did not start: {log.read_text(encoding='utf-8')[-1000:]}")


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _event(number: int) -> dict[str, object]:
    return {
        "type": "track",
        "messageId": f"m-{number}",
        "userId": f"u-{number % PEOPLE}",
        "event": "Product Viewed",
        "timestamp": "2026-03-02T09:00:00.000Z",
        "properties": {"product_id": f"p-{number % 97}", "name": "Rake", "price": 19.9, "currency": "EUR",
                       "url": "https://shop.example/p/97", "position": number % 10},
        "context": {"library": {"name": "analytics-python", "version": "2.3.3"}},
    }  # fmt: skip


def _batch(key: str, first: int, size: int) -> bytes:
    return _request(key, "batch", {"batch": [_event(first + n) for n in range(size)]})


def _single(key: str, number: int) -> bytes:
    return _request(key, "track", _event(number))


def _request(key: str, address: str, data: object) -> bytes:
    body = json.dumps(data, separators=(",", ":")).encode()
    basic = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST /v1/{address} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _send(address: tuple[str, int], requests: Sequence[bytes]) -> None:
    """All of them, as fast as they are answered."""
    waiting = iter(requests)

    async def client() -> None:
        reader, writer = await asyncio.open_connection(*address)
        for request in waiting:
            await _exchange(reader, writer, request)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))


async def _steadily(address: tuple[str, int], requests: Sequence[bytes], rate: int) -> list[float]:
    """Each at its time, however slow the answers are; how long each waited from then, sorted."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(*address))
    loop = asyncio.get_running_loop()
    begun, waits = loop.time(), list[float]()

    async def one(number: int, request: bytes) -> None:
        at = begun + number / rate
        await asyncio.sleep(max(0.0, at - loop.time()))
        connection = await free.get()
        await _exchange(*connection, request)
        free.put_nowait(connection)
        waits.append(loop.time() - at)

    await asyncio.gather(*(one(number, request) for number, request in enumerate(requests)))
    return sorted(waits)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode("latin-1")[:200])
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
