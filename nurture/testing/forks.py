"""The real command line in forked children: a parent that has imported everything costs a start of Python once.

    with Forks() as forks:
        daemon = forks.start(folder, environ, ["run"], folder / "daemon.log")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(40) == 0

The parent forks and reaps, on orders of one line; signals go from here straight to the children.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

from nurture.testing.crash_points import Point, arm


@dataclass(frozen=True, slots=True)
class End:
    """How a child ended: `code` as in `Popen.returncode`, and what it wrote to stderr and stdout."""

    code: int
    text: str
    pid: int


class Child:
    """What `Popen` says of a process, of one that another process forked."""

    def __init__(self, pid: int, reap: Callable[[int], int]) -> None:
        self.pid = pid
        self._reap = reap
        self._ended = os.pidfd_open(pid)
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its code, or None while it runs."""
        return self._settle(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its code, when it has ended. Raises subprocess.TimeoutExpired after so many seconds."""
        code = self._settle(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("nurture", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._ended, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _settle(self, seconds: float | None) -> int | None:
        if self._code is None and select.select([self._ended], [], [], seconds)[0]:
            self._code = self._reap(self.pid)
        return self._code

    def __del__(self) -> None:
        os.close(self._ended)


class Forks:
    """The parent of the children."""

    def __init__(self) -> None:
        self._parent: subprocess.Popen[str] | None = None
        self._speaking = threading.Lock()

    def __enter__(self) -> Self:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._parent is not None
        self._parent.communicate()

    def start(
        self, folder: Path, environ: Mapping[str, str], arguments: Sequence[str], log: Path, point: Point | None = None
    ) -> Child:
        """`nurture ARGUMENTS` in a folder, writing to the end of `log`. At the point, if there is one, it dies."""
        order = {
            "folder": str(folder), "environ": dict(environ), "arguments": list(arguments), "log": str(log),
            "point": asdict(point) if point is not None else None,
        }  # fmt: skip
        return Child(self._ask(order), lambda pid: self._ask({"reap": pid}))

    def run(
        self,
        folder: Path,
        environ: Mapping[str, str],
        arguments: Sequence[str],
        point: Point | None = None,
        *,
        on_start: Callable[[int], None] = lambda _: None,
    ) -> End:
        """The same, to its end. `on_start` is told the number of the process, for whoever wants to end it otherwise."""
        log = folder / f"fork-{time.monotonic_ns()}.log"
        child = self.start(folder, environ, arguments, log, point)
        on_start(child.pid)
        return End(child.wait(), log.read_text(encoding="utf-8"), child.pid)

    def _ask(self, order: Mapping[str, Any]) -> int:
        assert self._parent is not None
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        with self._speaking:
            self._parent.stdin.write(json.dumps(order) + "\n")
            self._parent.stdin.flush()
            return int(self._parent.stdout.readline())


@cache
def forks() -> Forks:
    """The parent of this process's children; it ends when we do."""
    parent = Forks().__enter__()
    atexit.register(parent.__exit__)
    return parent


def _serve() -> None:
    """The parent: an order a line, an answer a line."""
    import nurture

    for found in pkgutil.walk_packages(nurture.__path__, "nurture."):
        if not found.name.startswith(("nurture.testing", "nurture.__main__", "nurture._shipped")):
            importlib.import_module(found.name)
    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            _answer(os.waitstatus_to_exitcode(os.waitpid(order["reap"], 0)[1]))
            continue
        pid = os.fork()
        if pid == 0:
            _live(order)
        _answer(pid)


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _live(order: Mapping[str, Any]) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(log, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    time.tzset()
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
