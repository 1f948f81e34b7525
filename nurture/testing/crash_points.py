"""Death at a named point: the real command line in a child whose entry has one function wrapped.

The product carries no hooks. The child replaces the function wherever a module of ours holds it, and kills itself with
SIGKILL before, or after, the n-th call of it. A parent that has imported everything forks the children, so that a death
costs a tenth of a second and not a start of Python.

    with Forks() as forks:
        death = forks.run(folder, environ, ["run", "--once"], Point("nurture.storage.queue:claim_due", "after"))
        death.code          # -9
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Point:
    """`place` is `module:function` or `module:Class.method`; death comes `when` ("before", "after") its `nth` call."""

    place: str
    when: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class End:
    """How a child ended: `code` as in `Popen.returncode`, and what it wrote to stderr and stdout."""

    code: int
    text: str
    pid: int


class Forks:
    """The parent of the children. They run one at a time."""

    def __init__(self) -> None:
        self._parent: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._parent is not None
        self._parent.communicate()

    def run(
        self,
        folder: Path,
        environ: Mapping[str, str],
        arguments: Sequence[str],
        point: Point | None = None,
        *,
        on_start: Callable[[int], None] = lambda _: None,
    ) -> End:
        """`nurture ARGUMENTS` in a folder, to its end, which is the point's if it is reached.

        `on_start` is told the number of the process, for whoever wants to end it otherwise.
        """
        assert self._parent is not None
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        log = folder / "fork.log"
        order = {
            "folder": str(folder), "environ": dict(environ), "arguments": list(arguments), "log": str(log),
            "point": asdict(point) if point is not None else None,
        }  # fmt: skip
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        pid = int(self._parent.stdout.readline())
        on_start(pid)
        code = int(self._parent.stdout.readline())
        return End(code, log.read_text(encoding="utf-8"), pid)


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


def _serve() -> None:
    """The parent: an order a line, an answer a line."""
    import nurture

    for found in pkgutil.walk_packages(nurture.__path__, "nurture."):
        if not found.name.startswith(("nurture.testing", "nurture.__main__", "nurture._shipped")):
            importlib.import_module(found.name)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order)
        _answer(pid)
        _, status = os.waitpid(pid, 0)
        _answer(os.waitstatus_to_exitcode(status))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _live(order: Mapping[str, Any]) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(log, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    if order["point"] is not None:
        arm(Point(**order["point"]))
    from nurture.cli.main import main

    sys.argv = ["nurture", *order["arguments"]]
    code: int | str | None = 1
    with contextlib.suppress(Exception):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve()
