from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from nurture.domain.retry import Attempt
from nurture.sending.transport import SmtpTransport
from nurture.testing.certificates import Authority
from nurture.testing.outgoing import Gatekeeper, a_mail, noon, relay_of
from nurture.testing.smtp import ScriptedServer


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    """`attempt(server, mail=..., gate=..., host=..., ...)`: one attempt over a fresh transport, closed afterwards."""

    def once(server: ScriptedServer, *, mail=None, gate=None, **options) -> Attempt:
        async def go() -> Attempt:
            transport = SmtpTransport(relay_of(server, **options), noon)
            try:
                return await transport.send(mail or a_mail(), gate or Gatekeeper())
            finally:
                await transport.close(grace=2)

        return asyncio.run(go())

    return once


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))
