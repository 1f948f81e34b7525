"""A few connections to one relay, each worked by one coroutine that takes the next mail from a common queue.

A connection is opened when there is a mail for it, carries at most `messages` mails, and says goodbye after `idle`
seconds without one. A mail whose envelope found a kept connection dead is begun once more on a fresh one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass

from nurture.domain.retry import Attempt, Fault, Phase
from nurture.sending.connect import open_session, tls_context
from nurture.sending.health import Health
from nurture.sending.mail import OutgoingMail, fault_of
from nurture.sending.outcome import NoSession
from nurture.sending.relay import Relay, Security
from nurture.sending.session import CLOSING, Gate, Session


@dataclass(slots=True, eq=False)
class _Job:
    mail: OutgoingMail
    gate: Gate
    attempt: asyncio.Future[Attempt]
    was_begun_again: bool = False

    def settle(self, attempt: Attempt) -> None:
        if not self.attempt.done():
            self.attempt.set_result(attempt)


class Pool:
    """Belongs to one event loop. Give it a `close` before that ends."""

    def __init__(self, relay: Relay, health: Health, context: ssl.SSLContext | None = None) -> None:
        self.relay, self.health = relay, health
        self._context = context
        self._queue: deque[_Job] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def send(self, mail: OutgoingMail, gate: Gate) -> Attempt:
        """One attempt at one mail. Whoever cancels this after the gate was asked will not learn what came of it."""
        unfit = fault_of(mail)
        if unfit is not None:
            return Attempt(Phase.MAIL, fault=Fault.BAD_MESSAGE, text=unfit)
        if self._is_closing:
            return _held("sending is stopping")
        job = _Job(mail, gate, asyncio.get_running_loop().create_future())
        self._queue.append(job)
        self._call_a_worker()
        return await job.attempt

    async def close(self, grace: float = 30.0) -> None:
        """Hold what waits, let what is on the wire finish for up to `grace` seconds, then hang up."""
        self._is_closing = True
        for job in self._queue:
            job.settle(_held("sending is stopping"))
        self._queue.clear()
        while self._idle:
            _wake(self._idle.popleft())
        if not self._workers:
            return
        _, late = await asyncio.wait(self._workers, timeout=grace)
        for worker in late:
            worker.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    @property
    def open_workers(self) -> int:
        return len(self._workers)

    def _call_a_worker(self) -> None:
        while self._idle:
            waiting = self._idle.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        if len(self._workers) < max(1, self.health.room(self.relay.connections)):
            worker = asyncio.create_task(_Worker(self).run(), name=f"smtp {self.relay.host}")
            self._workers.add(worker)
            worker.add_done_callback(self._gone)

    def _gone(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if self._queue and not self._is_closing:
            self._call_a_worker()

    def take(self) -> _Job | None:
        """The next mail that somebody still waits for."""
        while self._queue:
            job = self._queue.popleft()
            if not job.attempt.done():
                return job
        return None

    async def next(self) -> _Job | None:
        """The next mail, waiting for one up to the idle time; None then, or when the pool closes."""
        while (job := self.take()) is None:
            if self._is_closing:
                return None
            called = asyncio.get_running_loop().create_future()
            self._idle.append(called)
            try:
                async with asyncio.timeout(self.relay.idle):
                    await called
            except TimeoutError:
                if not self._queue:
                    return None
            finally:
                if called in self._idle:
                    self._idle.remove(called)
        return job

    async def context(self) -> ssl.SSLContext | None:
        """Made once and only where it is needed: reading the system's certificates takes a while."""
        if self._context is None and self.relay.security is not Security.OFF:
            self._context = await asyncio.to_thread(tls_context, self.relay)
        return self._context


class _Worker:
    """One connection at a time, for as long as there is mail."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._session: Session | None = None
        self._job: _Job | None = None
        self._following: _Job | None = None

    async def run(self) -> None:
        try:
            while (job := self._following or await self._pool.next()) is not None:
                self._job, self._following = job, None
                await self._attempt(job)
            await self._leave()
        except BaseException:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        """Stopped by force: what was on the wire ends where it stands, which after the dot means unknown."""
        if self._session is not None:
            self._session.abort()
        if self._job is not None and self._session is not None:
            text = "we stopped before the server answered"
            self._job.settle(Attempt(self._session.phase, fault=Fault.CLOSED, text=text))
        for job in (self._job, self._following):
            if job is not None:
                job.settle(_held("sending is stopping"))

    async def _attempt(self, job: _Job) -> None:
        session = self._session
        if session is None or not session.has_rider:
            session = await self._ready(job)
        if session is None:
            return
        was_used = session.begun > 0
        try:
            attempt = await session.deliver(job.mail, job.gate, self._ride)
        except Exception as error:  # noqa: BLE001 - it is the gate's, and belongs to whoever gave it
            self._session = None
            if not job.attempt.done():
                job.attempt.set_exception(error)
            return
        if was_used and not job.was_begun_again and _found_it_dead(session, attempt):
            session.abort()
            self._session, self._following, job.was_begun_again = None, job, True
            return
        self._settle(job, attempt)

    async def _ready(self, job: _Job) -> Session | None:
        """The connection for this job, if the relay may be used at all; the job is settled otherwise."""
        pool = self._pool
        if not pool.health.admit():
            job.settle(_held("the relay is not being used for now: it failed too often"))
            return None
        if self._session is not None and self._session.is_spent:
            await self._leave()
        if self._session is None:
            try:
                self._session = await open_session(pool.relay, await pool.context())
            except NoSession as failure:
                self._settle(job, failure.attempt)
        return self._session

    def _ride(self) -> OutgoingMail | None:
        if not self._pool.health.is_flowing:
            return None
        self._following = self._pool.take()
        return self._following.mail if self._following is not None else None

    def _settle(self, job: _Job, attempt: Attempt) -> None:
        self._pool.health.learn(attempt)
        job.settle(attempt)
        self._job = None

    async def _leave(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.quit()


def _found_it_dead(session: Session, attempt: Attempt) -> bool:
    """A kept connection that the server had given up meanwhile: the envelope got no answer, or a 421 at once."""
    if attempt.phase is not Phase.MAIL:
        return False
    return attempt.code == CLOSING or (attempt.fault is Fault.CLOSED and not session.is_answered)


def _held(text: str) -> Attempt:
    return Attempt(Phase.CONNECT, fault=Fault.HELD, text=text)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
