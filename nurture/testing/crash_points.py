"""Death at a named point: the real command line in a child whose entry has one function wrapped.

The product carries no hooks. The child replaces the function wherever a module of ours holds it, and kills itself with
SIGKILL before, or after, the n-th call of it. The child is forked (`nurture.testing.forks`): a death costs a tenth of a
second, and not a start of Python.

    with Forks() as forks:
        death = forks.run(folder, environ, ["run", "--once"], Point("nurture.storage.queue:claim_due", "after"))
        death.code          # -9
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """`place` is `module:function` or `module:Class.method`; death comes `when` ("before", "after") its `nth` call."""

    place: str
    when: str
    nth: int = 1


def arm(point: Point) -> None:
    """From now on the point is deadly, in this process."""
    module_name, _, path = point.place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original = getattr(owner, name)
    deadly = _deadly(original, point)
    setattr(owner, name, deadly)
    if not outer:  # modules that have it by `from ... import`
        for module in [each for key, each in sys.modules.items() if key.startswith("nurture.")]:
            for other, value in list(vars(module).items()):
                if value is original:
                    setattr(module, other, deadly)


def _deadly(original: Callable[..., Any], point: Point) -> Callable[..., Any]:
    passed: Counter[str] = Counter()

    def die(when: str) -> None:
        passed[when] += 1
        if when == point.when and passed[when] == point.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def slow(*values: Any, **named: Any) -> Any:
            die("before")
            result = await original(*values, **named)
            die("after")
            return result

        return slow

    @functools.wraps(original)
    def quick(*values: Any, **named: Any) -> Any:
        die("before")
        result = original(*values, **named)
        die("after")
        return result

    return quick
