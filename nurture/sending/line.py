"""One open connection: bytes out, whole replies in. aiosmtplib opens it; from the first MAIL on we read it ourselves.

aiosmtplib keeps one reply for each command and drops what else is in its buffer, so it cannot pipeline, and it cannot
tell a reply that came before the dot from one that came after it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from nurture.domain.retry import Fault, Phase
from nurture.sending.outcome import Reply, ReplyReader, Stopped


class Line(asyncio.Protocol):
    """For one coroutine at a time. Any timeout, garbage or loss closes it for good."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._over: tuple[Fault, str] | None = None
        self._change: asyncio.Future[None] | None = None
        self._gone = asyncio.Event()
        self._paused = False
        # "Paused" then means that bytes are still unsent. TLS has a buffer we cannot see and wants at least 1: there
        # a loss may look later than it was, and a mail be called unknown that never left. Never the other way round.
        encrypted = transport.get_extra_info("sslcontext") is not None
        transport.set_write_buffer_limits(high=1 if encrypted else 0, low=0)
        transport.set_protocol(self)

    # --- the loop's side

    def data_received(self, data: bytes) -> None:
        self._replies.extend(self._reader.feed(data))
        if self._reader.garbage is not None:
            self._end(Fault.GARBAGE, self._reader.garbage)
        elif self._replies:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Fault.CLOSED, f"the connection was lost: {exc}" if exc else "the server closed the connection")
        self._gone.set()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()

    def _wake(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    def _end(self, fault: Fault, text: str) -> None:
        if self._over is None:
            self._over = fault, text
        self._transport.abort()
        self._wake()

    # --- the session's side

    @property
    def is_over(self) -> bool:
        return self._over is not None or self._transport.is_closing()

    @property
    def is_disturbed(self) -> bool:
        """The server said something, or hung up, although it was not its turn."""
        return bool(self._replies) or self.is_over

    def write(self, data: bytes) -> None:
        if not self.is_over:
            self._transport.write(data)

    async def reply(self, phase: Phase, timeout: float) -> Reply:  # noqa: ASYNC109 - a timeout here ends the connection
        """The next whole reply. Raises Stopped in `phase`; replies that came before a loss are still handed out."""
        deadline = self._loop.time() + timeout
        while not self._replies:
            self._raise_if_over(phase)
            await self._until_changed(deadline, f"no reply within {timeout:g} s")
        return self._replies.popleft()

    async def drained(self, timeout: float) -> Reply | None:  # noqa: ASYNC109 - as above
        """Wait until everything written has left. A reply that comes first is returned: the server did not wait.

        Raises Stopped(BODY): the dot, written last, never left, so the server must discard what it has.
        """
        deadline = self._loop.time() + timeout
        while self._paused:
            if self._replies:
                return self._replies.popleft()
            self._raise_if_over(Phase.BODY)
            await self._until_changed(deadline, f"the server took no data for {timeout:g} s")
        return None

    def interruption(self, phase: Phase) -> Reply | Stopped:
        """What disturbed the line, where `is_disturbed`."""
        if self._replies:
            return self._replies.popleft()
        fault, text = self._over or (Fault.CLOSED, "the connection is closing")
        return Stopped(phase, fault, text)

    def _raise_if_over(self, phase: Phase) -> None:
        if self._over is not None:
            raise Stopped(phase, *self._over)
        if self._transport.is_closing():
            raise Stopped(phase, Fault.CLOSED, "the connection is closing")

    async def _until_changed(self, deadline: float, complaint: str) -> None:
        self._change = self._loop.create_future()
        timer = self._loop.call_at(deadline, self._end, Fault.TIMED_OUT, complaint)
        try:
            await self._change
        finally:
            timer.cancel()
            self._change = None

    def abort(self) -> None:
        """Close at once, without sending anything that is still buffered."""
        self._end(Fault.CLOSED, "we closed the connection")

    async def close(self, timeout: float) -> None:  # noqa: ASYNC109 - as above
        """Close after a proper goodbye, and wait until it is done: TLS has a goodbye of its own."""
        if self._over is None:
            self._over = Fault.CLOSED, "we closed the connection"
        self._transport.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._gone.wait()
        self._transport.abort()
