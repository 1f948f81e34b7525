"""Where the processor time of a mail goes, in a run of its own: what each part takes of the thread it runs in."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from nurture.engine import dispatch, pump
from nurture.engine.compose import Composer
from nurture.engine.delivery_writer import DeliveryWriter
from nurture.engine.dispatch import Dispatcher
from nurture.engine.pump import Pump
from nurture.sending.line import Line

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("two turns", pump, "advance"),
    ("building", Composer, "__call__"),
    ("gate and outcome", DeliveryWriter, "commit"),
    ("claim", Dispatcher, "_claim"),
    ("look at the queue", Pump, "_look"),
    ("recheck", dispatch, "recheck"),
    ("writing to the socket", Line, "write"),
)
REST = "event loop, session, replies"


def account() -> dict[str, int]:
    """Begin to count; nanoseconds of each part, as they grow."""
    spent: dict[str, int] = {}
    for name, owner, attribute in PARTS:
        spent[name] = 0
        setattr(owner, attribute, _counted(getattr(owner, attribute), name, spent))
    return spent


def told(spent: dict[str, int], seconds: float, mails: int) -> str:
    """Microseconds of a mail, the largest part first; what no part has is the rest of `seconds` in all."""
    each = {name: nanoseconds / 1e3 / mails for name, nanoseconds in spent.items()}
    each[REST] = 1e6 * seconds / mails - sum(each.values())
    return ", ".join(f"{name} {us:,.0f} us" for name, us in sorted(each.items(), key=lambda part: -part[1]))


def _counted(work: Callable[..., Any], name: str, spent: dict[str, int]) -> Callable[..., Any]:
    @functools.wraps(work)
    def counted(*arguments: Any, **named: Any) -> Any:
        begun = time.thread_time_ns()
        try:
            return work(*arguments, **named)
        finally:
            spent[name] += time.thread_time_ns() - begun

    return counted
