"""The event loop: uvloop where the extra `fast` is installed, else asyncio's own. Mails and promises are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """As `asyncio.run`, on the quickest loop there is."""
    with asyncio.Runner(loop_factory=_factory()) as runner:
        return runner.run(work)


def loop_name() -> str:
    """What `run` takes: "uvloop 0.22.1", or "asyncio"."""
    factory = _factory()
    if factory is None:
        return "asyncio"
    return f"uvloop {version('uvloop')}"


def _factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
