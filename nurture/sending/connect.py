"""From a relay's address to a session that is ready for MAIL: name, TCP, greeting, EHLO, TLS, AUTH, each told apart."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Awaitable
from typing import TypeVar, cast

import aiosmtplib

from nurture.domain.retry import Attempt, Fault, Phase
from nurture.sending.line import Line
from nurture.sending.outcome import NoSession, Reply, clean
from nurture.sending.relay import Relay, Security
from nurture.sending.session import Offers, Session

T = TypeVar("T")
_UNKNOWN_MECHANISM = 504
_NOT_IMPLEMENTED = frozenset({500, 501, 502, 504})


def tls_context(relay: Relay) -> ssl.SSLContext:
    """Chain and name verified, TLS 1.2 or newer. Nothing turns that off; `ca=` trusts a private authority."""
    try:
        context = ssl.create_default_context(cafile=relay.ca_file)
    except OSError as error:  # ssl.SSLError is one
        text = clean(f"the certificates in {relay.ca_file or 'the system store'} cannot be read: {error}")
        raise NoSession(Attempt(Phase.TLS, fault=Fault.BAD_CERTIFICATE, text=text)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def open_session(relay: Relay, context: ssl.SSLContext | None) -> Session:
    """A session after AUTH. Raises NoSession with the stage that failed; nothing of it stays open then.

    `context` is `tls_context(relay)`, None where the relay uses no TLS.
    """
    if context is None and relay.security is not Security.OFF:
        raise ValueError(f"{relay} needs a TLS context")
    sock = await _reach(relay)
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        sock=sock,
        use_tls=relay.security is Security.IMPLICIT,
        start_tls=False,  # the default would go on in clear where STARTTLS is not offered
        tls_context=context,
        local_hostname=relay.name or _literal(sock),
        timeout=relay.timeouts.greeting,
    )
    try:
        await _stage(Phase.CONNECT, client.connect())
        await _greet(client)
        if relay.security is Security.STARTTLS:
            await _secure(client, relay, context)
        if relay.username is not None and relay.password is not None:
            await _log_in(client, relay.username, relay.password)
        if client.transport is None or client.transport.is_closing():
            raise NoSession(Attempt(Phase.CONNECT, fault=Fault.CLOSED, text="the server closed the connection"))
        line = Line(cast("asyncio.Transport", client.transport))
    except BaseException:
        if client.transport is not None:
            cast("asyncio.Transport", client.transport).abort()
        client.close()
        raise
    return Session(line, Offers.read(client.esmtp_extensions), relay)


async def _reach(relay: Relay) -> socket.socket:
    """A connected socket, trying every address of the name. Apart from the greeting, which may rightly take minutes."""
    loop = asyncio.get_running_loop()
    problem = f"{relay.host} has no address"
    try:
        async with asyncio.timeout(relay.timeouts.tcp):
            for family, kind, proto, _, address in await loop.getaddrinfo(
                relay.host, relay.port, type=socket.SOCK_STREAM
            ):
                sock = socket.socket(family, kind, proto)
                sock.setblocking(False)
                try:
                    await loop.sock_connect(sock, address)
                except OSError as error:
                    sock.close()
                    problem = f"{relay.host} port {relay.port}: {error.strerror or error}"
                except BaseException:
                    sock.close()
                    raise
                else:
                    return sock
    except TimeoutError:
        text = f"no connection to {relay.host} port {relay.port} within {relay.timeouts.tcp:g} s"
        raise NoSession(Attempt(Phase.CONNECT, fault=Fault.TIMED_OUT, text=text)) from None
    except OSError as error:
        problem = f"{relay.host}: {error.strerror or error}"
    raise NoSession(Attempt(Phase.CONNECT, fault=Fault.UNREACHABLE, text=clean(problem)))


def _literal(sock: socket.socket) -> str:
    """An address literal for EHLO (RFC 5321 4.1.3): asking for our own full name can hang for seconds."""
    host = sock.getsockname()[0]
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await _stage(Phase.CONNECT, client.ehlo())
    except NoSession as refusal:
        if refusal.attempt.code not in _NOT_IMPLEMENTED:
            raise
        await _stage(Phase.CONNECT, client.helo())


async def _secure(client: aiosmtplib.SMTP, relay: Relay, context: ssl.SSLContext | None) -> None:
    if not client.supports_extension("starttls"):
        text = (
            f"{relay.host} does not offer STARTTLS; use smtps://, or tls=off where the way is safe and needs no login"
        )
        raise NoSession(Attempt(Phase.TLS, fault=Fault.NO_TLS, text=text))
    await _stage(Phase.TLS, client.starttls(tls_context=context, server_hostname=relay.host))
    await _stage(Phase.CONNECT, client.ehlo())


async def _log_in(client: aiosmtplib.SMTP, username: str, password: str) -> None:
    """The first mechanism both know; another only where the server disowns it: each wrong try may lock us out."""
    if client.get_transport_info("sslcontext") is None:
        raise NoSession(Attempt(Phase.AUTH, fault=Fault.NO_AUTH, text="credentials never travel without TLS"))
    mechanisms = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
    offered = [name for name in mechanisms if name in client.server_auth_methods]
    if not offered:
        text = f"the server offers no login we know (it offers: {', '.join(client.server_auth_methods) or 'none'})"
        raise NoSession(Attempt(Phase.AUTH, fault=Fault.NO_AUTH, text=clean(text)))
    for name in offered:
        try:
            await _stage(Phase.AUTH, mechanisms[name](username, password))
        except NoSession as refusal:
            if refusal.attempt.code == _UNKNOWN_MECHANISM and name != offered[-1]:
                continue
            raise NoSession(_without_secrets(refusal.attempt, username, password)) from None
        return


def _without_secrets(attempt: Attempt, username: str, password: str) -> Attempt:
    text = attempt.text
    plain = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
    for secret in (plain, base64.b64encode(password.encode()).decode(), password):
        text = text.replace(secret, "***")
    return Attempt(attempt.phase, attempt.code, attempt.enhanced, text, attempt.fault)


async def _stage(phase: Phase, doing: Awaitable[T]) -> T:
    try:
        return await doing
    except aiosmtplib.SMTPResponseException as refusal:
        if not 200 <= refusal.code <= 599:
            attempt = Attempt(phase, fault=Fault.GARBAGE, text=clean(refusal.message))
        else:
            attempt = Reply(refusal.code, refusal.message.replace("\n", " ")).attempt(phase)
    except (aiosmtplib.SMTPException, OSError) as error:
        attempt = _fault(phase, error)
    raise NoSession(attempt)


def _fault(phase: Phase, error: Exception) -> Attempt:
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Attempt(Phase.TLS, fault=Fault.BAD_CERTIFICATE, text=clean(f"certificate: {cause.verify_message}"))
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return Attempt(Phase.TLS, fault=Fault.NO_TLS, text=clean(f"TLS: {cause.reason or cause}"))
    if isinstance(error, TimeoutError):
        return Attempt(phase, fault=Fault.TIMED_OUT, text=clean(str(error)))
    return Attempt(phase, fault=Fault.CLOSED, text=clean(str(error)))
