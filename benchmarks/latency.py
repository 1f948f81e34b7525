"""SMTP over links with a round trip of 5, 20 and 80 ms, against aiosmtplib's `sendmail` at equal connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import aiosmtplib

from benchmarks import shop
from benchmarks.building import builder
from benchmarks.figures import Figure
from benchmarks.sink import SMTP_SINK, smtp_sink
from nurture.domain.retry import Phase
from nurture.sending.mail import OutgoingMail
from nurture.sending.relay import Relay
from nurture.sending.transport import SmtpTransport

SENDER = "b@northwind.example"
CONNECTIONS = 10


def measure(*, quick: bool = False) -> list[Figure]:
    if SMTP_SINK is None:
        return [Figure("SMTP over slow links", None, "times", at_least=3, how="smtp-sink is not installed")]
    data = builder(shop.SMALL)(1)
    figures = []
    for trip in (5, 20, 80):
        mails = CONNECTIONS * (6 if quick else max(12, 400 // trip))
        ours, theirs = asyncio.run(_both(trip / 1000, mails, data))
        figures.append(
            Figure(
                f"SMTP over a link of {trip} ms, {CONNECTIONS} connections, against aiosmtplib's sendmail",
                ours / theirs, "times", at_least=3, against=f"{ours:,.0f} against {theirs:,.0f} mails/s",
                how="through a TCP proxy that holds everything back for half the time each way",
            )
        )  # fmt: skip
    return figures


async def _both(trip: float, mails: int, data: bytes) -> tuple[float, float]:
    """Mails a second: ours, theirs; connections are opened beforehand."""
    with smtp_sink() as sink:
        async with _slow_link(sink.port, trip / 2) as port:
            return await _ours(port, mails, data), await _theirs(port, mails, data)


async def _ours(port: int, mails: int, data: bytes) -> float:
    relay = replace(Relay.parse(f"smtp://127.0.0.1:{port}?connections={CONNECTIONS}"), messages=10_000)
    transport = SmtpTransport(relay, lambda: datetime.now(UTC))

    async def gate() -> bool:
        return True

    async def send(number: int) -> None:
        attempt = await transport.send(OutgoingMail(SENDER, shop.email(number), data, is_canonical=True), gate)
        assert attempt.phase is Phase.DONE, attempt

    await asyncio.gather(*[send(number) for number in range(CONNECTIONS)])
    begun = time.perf_counter()
    await asyncio.gather(*[send(number) for number in range(mails)])
    rate = mails / (time.perf_counter() - begun)
    await transport.close()
    return rate


async def _theirs(port: int, mails: int, data: bytes) -> float:
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(CONNECTIONS)]
    await asyncio.gather(*[client.connect() for client in clients])
    numbers = iter(range(mails))

    async def work(client: aiosmtplib.SMTP) -> None:
        for number in numbers:
            await client.sendmail(SENDER, [shop.email(number)], data)

    begun = time.perf_counter()
    await asyncio.gather(*[work(client) for client in clients])
    rate = mails / (time.perf_counter() - begun)
    await asyncio.gather(*[client.quit() for client in clients])
    return rate


@asynccontextmanager
async def _slow_link(to: int, delay: float) -> AsyncIterator[int]:
    """A port that leads to another, and everything takes `delay` seconds each way, in order."""
    tasks: set[asyncio.Task[None]] = set()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(1 << 18):
            loop.call_later(delay, writer.write, data)
        loop.call_later(delay, writer.close)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to, limit=1 << 18)
        for task in (asyncio.create_task(pipe(reader, back)), asyncio.create_task(pipe(there, writer))):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 18)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
        for task in tasks:
            task.cancel()
