"""Postfix's smtp-sink and smtp-source: the counterparty, and what a mail costs a C program that builds nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.children import pinned

SINK_CORE, PROGRAM_CORE = 1, 0
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
SMTP_SINK = shutil.which("smtp-sink", path=_PATH)
SMTP_SOURCE = shutil.which("smtp-source", path=_PATH)


@dataclass(frozen=True, slots=True)
class Sink:
    """A server on 127.0.0.1 that takes every mail and keeps none."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time it has used."""
        with open(f"/proc/{self.pid}/schedstat", encoding="ascii") as stat:
            return int(stat.read().split()[0]) / 1e9


@contextlib.contextmanager
def smtp_sink(core: int | None = SINK_CORE) -> Iterator[Sink]:
    """A running smtp-sink, which must be installed."""
    assert SMTP_SINK is not None
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([SMTP_SINK, *user, f"127.0.0.1:{port}", "256"], preexec_fn=pinned(core))
    try:
        until_open(port)
        yield Sink(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def until_open(port: int, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on 127.0.0.1:{port}")
