"""One authenticated connection: envelope, gate, body and dot, reply; the next envelope behind the body where it may.

    with PIPELINING (RFC 2920)   MAIL RCPT DATA | gate | body . MAIL RCPT DATA (of the next)    one round trip a mail
    without                      MAIL | RCPT | DATA | gate | body .                             four

The gate stands right before the body: what it decides, it decides with the connection open and the server waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nurture.domain.retry import Attempt, Fault, Phase
from nurture.sending.line import Line
from nurture.sending.mail import OutgoingMail, xtext
from nurture.sending.outcome import Reply, Stopped
from nurture.sending.relay import Relay

Gate = Callable[[], Awaitable[bool]]
READY_FOR_BODY = 354
CLOSING = 421


@dataclass(frozen=True, slots=True)
class Offers:
    """What the server said it can do. `size` is in octets, None where it set no limit."""

    pipelining: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    size: int | None = None

    @classmethod
    def read(cls, extensions: Mapping[str, str]) -> Offers:
        size = extensions.get("size", "").strip()
        return cls(
            pipelining="pipelining" in extensions,
            eight_bit="8bitmime" in extensions,
            smtputf8="smtputf8" in extensions,
            dsn="dsn" in extensions,
            size=(int(size) or None) if size.isascii() and size.isdigit() else None,
        )


def nobody() -> OutgoingMail | None:
    """Nothing rides behind the body."""
    return None


class Session:
    """One mail after the other, by one coroutine. `phase` is where the present mail is."""

    def __init__(self, line: Line, offers: Offers, relay: Relay) -> None:
        self._line, self._offers, self._relay, self._timeouts = line, offers, relay, relay.timeouts
        self._pipelining = offers.pipelining and relay.pipelining
        self._riding: OutgoingMail | None = None
        self._open_transaction = False
        self.begun = 0
        self.phase = Phase.MAIL
        self.is_answered = False

    @property
    def is_spent(self) -> bool:
        """No further mail should be begun on it: enough were, or the line is gone."""
        return self._line.is_disturbed or self.begun >= self._relay.messages

    @property
    def has_rider(self) -> bool:
        """The next mail's envelope is on its way already: that mail must be delivered next, here."""
        return self._riding is not None

    async def deliver(
        self, mail: OutgoingMail, gate: Gate, ride: Callable[[], OutgoingMail | None] = nobody
    ) -> Attempt:
        """One attempt. `ride` is asked for the next mail once this dot has left; that mail must be delivered next.

        An exception of the gate closes the connection without the dot and is passed on.
        """
        try:
            if self._riding is None:
                unfit = self._unfit(mail)
                if unfit is not None:
                    return unfit
                self._begin(mail)
            elif self._riding is not mail:
                raise RuntimeError("another mail's envelope is already on its way on this connection")
            self._riding, self.phase, self.is_answered = None, Phase.MAIL, False
            refusal = await (self._pipelined() if self._pipelining else self._step_by_step(mail))
            return refusal or await self._content(mail, gate, ride)
        except Stopped as stop:
            self._line.abort()
            return stop.attempt
        except BaseException:
            self._line.abort()
            raise

    def _unfit(self, mail: OutgoingMail) -> Attempt | None:
        """Why this server cannot take this mail, before a word is said."""
        if mail.needs_smtputf8 and not self._offers.smtputf8:
            return _unfit(Fault.UNSUPPORTED, "the relay does not offer SMTPUTF8, which this address needs")
        if not mail.data.isascii() and not self._offers.eight_bit:
            return _unfit(Fault.UNSUPPORTED, "the relay does not offer 8BITMIME, and the message is not 7-bit")
        if self._offers.size is not None and len(mail.data) > self._offers.size:
            return _unfit(Fault.TOO_BIG, f"{len(mail.data)} octets; the relay takes at most {self._offers.size}")
        return None

    # --- envelope

    def _begin(self, mail: OutgoingMail) -> None:
        self.begun += 1
        if self._pipelining:
            start = b"RSET\r\n" if self._open_transaction else b""
            self._line.write(start + self._mail(mail) + self._rcpt(mail) + b"DATA\r\n")

    def _mail(self, mail: OutgoingMail) -> bytes:
        words = [f"MAIL FROM:<{mail.envelope_sender}>"]
        if self._offers.size is not None:
            words.append(f"SIZE={len(mail.data)}")
        if not mail.data.isascii():
            words.append("BODY=8BITMIME")
        if mail.needs_smtputf8:
            words.append("SMTPUTF8")
        if self._offers.dsn:
            words.append("RET=HDRS")
            if mail.envid:
                words.append(f"ENVID={xtext(mail.envid)}")
        return " ".join(words).encode() + b"\r\n"

    def _rcpt(self, mail: OutgoingMail) -> bytes:
        words = [f"RCPT TO:<{mail.recipient}>"]
        if self._offers.dsn:
            words.append("NOTIFY=FAILURE,DELAY")
            if mail.recipient.isascii():  # RFC 6533 has its own form for the others, which few servers read
                words.append(f"ORCPT=rfc822;{xtext(mail.recipient)}")
        return " ".join(words).encode() + b"\r\n"

    async def _step_by_step(self, mail: OutgoingMail) -> Attempt | None:
        if self._open_transaction:
            self._line.write(b"RSET\r\n")
            await self._reset()
        self._line.write(self._mail(mail))
        reply = await self._answer(Phase.MAIL)
        if not reply.is_good:
            return self._refusal(Phase.MAIL, reply)
        self._open_transaction = True
        self._line.write(self._rcpt(mail))
        reply = await self._answer(Phase.RCPT)
        if not reply.is_good:
            return self._refusal(Phase.RCPT, reply)
        self._line.write(b"DATA\r\n")
        reply = await self._answer(Phase.DATA)
        return None if reply.code == READY_FOR_BODY else self._refusal(Phase.DATA, reply)

    async def _pipelined(self) -> Attempt | None:
        if self._open_transaction:
            await self._reset()
        reply = await self._answer(Phase.MAIL)
        if not reply.is_good:
            return await self._skip(self._refusal(Phase.MAIL, reply), Phase.RCPT, Phase.DATA)
        self._open_transaction = True
        reply = await self._answer(Phase.RCPT)
        if not reply.is_good:
            return await self._skip(self._refusal(Phase.RCPT, reply), Phase.DATA)
        reply = await self._answer(Phase.DATA)
        return None if reply.code == READY_FOR_BODY else self._refusal(Phase.DATA, reply)

    async def _reset(self) -> None:
        reply = await self._line.reply(Phase.MAIL, self._timeouts.mail)
        if not reply.is_good:
            raise Stopped(Phase.MAIL, Fault.CLOSED, f"RSET was answered {reply.code} {reply.text}")
        self._open_transaction = False

    async def _skip(self, refusal: Attempt, *owed: Phase) -> Attempt:
        """Read what the server still owes for a refused envelope. The verdict stands, whatever happens to the line."""
        try:
            replies = [await self._answer(phase) for phase in owed]
        except Stopped:
            return refusal
        if any(reply.code == CLOSING for reply in replies):
            self._line.abort()
        recipient_was_refused = len(owed) == 1 or not replies[0].is_good
        if replies[-1].code != READY_FOR_BODY:
            return refusal
        if not recipient_was_refused:
            # Ending the body here would send an empty mail, so the line has to go instead.
            self._line.abort()
            return refusal
        self._line.write(b".\r\n")  # RFC 2920 3.1: no valid recipient, so this delivers nothing
        try:
            await self._line.reply(Phase.DOT, self._timeouts.data)
        except Stopped:
            return refusal
        self._open_transaction = False
        return refusal

    async def _answer(self, phase: Phase) -> Reply:
        self.phase = phase
        reply = await self._line.reply(phase, getattr(self._timeouts, phase.value))
        self.is_answered = True
        return reply

    def _refusal(self, phase: Phase, reply: Reply) -> Attempt:
        """The attempt that this reply ends. 421 announces a hang-up, and what is no refusal at all means lost step."""
        if reply.code == CLOSING or reply.code // 100 not in {4, 5}:
            self._line.abort()
        return reply.attempt(phase)

    # --- content

    async def _content(self, mail: OutgoingMail, gate: Gate, ride: Callable[[], OutgoingMail | None]) -> Attempt:
        content = mail.content
        self.phase = Phase.GATE
        self._raise_if_disturbed()
        if not await gate():
            self._line.abort()
            return Attempt(Phase.GATE, fault=Fault.GATE_SHUT, text="the gate is shut; nothing was sent")
        if self._line.is_disturbed:
            interruption = self._line.interruption(Phase.GATE)
            if isinstance(interruption, Reply):
                return self._premature(Phase.GATE, interruption)
            raise interruption
        self.phase = Phase.BODY
        self._line.write(content)
        early = await self._line.drained(self._timeouts.block)
        if early is not None:
            return self._premature(Phase.BODY, early)
        self.phase, self._open_transaction = Phase.DOT, False
        self._let_ride(ride)
        reply = await self._line.reply(Phase.DOT, self._timeouts.dot)
        if reply.is_good:
            return reply.attempt(Phase.DONE)
        if reply.code // 100 == 3:
            raise Stopped(Phase.DOT, Fault.GARBAGE, f"{reply.code} {reply.text}")
        return self._refusal(Phase.DOT, reply)

    def _raise_if_disturbed(self) -> None:
        if self._line.is_disturbed:
            interruption = self._line.interruption(Phase.DATA)
            if isinstance(interruption, Stopped):
                raise interruption
            raise Stopped(Phase.DATA, Fault.GARBAGE, f"unasked for: {interruption.code} {interruption.text}")

    def _premature(self, phase: Phase, reply: Reply) -> Attempt:
        """A reply before the dot has left: a refusal counts, anything else means we lost step. Either way: no dot."""
        self._line.abort()
        if reply.code // 100 in {4, 5}:
            return reply.attempt(phase)
        raise Stopped(phase, Fault.GARBAGE, f"before the end: {reply.code} {reply.text}")

    def _let_ride(self, ride: Callable[[], OutgoingMail | None]) -> None:
        """Only now, with the dot out of our hands: behind an unsent body it would hide how far that body came."""
        if not self._pipelining or self.begun >= self._relay.messages:
            return
        follower = ride()
        if follower is not None and self._unfit(follower) is None:
            self._riding = follower
            self._begin(follower)

    # --- the end

    async def quit(self) -> None:
        """Say goodbye if there is anybody to say it to; everything was decided before."""
        if self._line.is_disturbed or self._riding is not None:
            self._line.abort()
            return
        self._line.write(b"QUIT\r\n")
        try:
            await self._line.reply(Phase.DONE, self._timeouts.quit)
        except Stopped:
            self._line.abort()
        else:
            await self._line.close(self._timeouts.quit)

    def abort(self) -> None:
        self._line.abort()


def _unfit(fault: Fault, text: str) -> Attempt:
    return Attempt(Phase.MAIL, fault=fault, text=text)
