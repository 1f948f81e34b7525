"""Programs under test as child processes: pinned to a core, their processor time from the operating system."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a child took from its start to its end: seconds of wall clock, seconds of processor, and what it printed."""

    wall: float
    cpu: float
    output: str

    @property
    def told(self) -> dict[str, Any]:
        """The last line it printed, which is JSON."""
        lines = [line for line in self.output.splitlines() if line.startswith("{")]
        return dict(json.loads(lines[-1]))


def pinned(core: int | None) -> Callable[[], None] | None:
    """What a child does before it begins: stay on one core, where there are several."""
    if core is None or (os.cpu_count() or 1) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {core})


def run(
    command: Sequence[str], *, core: int | None = None, environ: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Ran:
    """To its end. Raises RuntimeError with what it said if it fails."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, preexec_fn=pinned(core), env={**os.environ, **(environ or {})}, cwd=cwd
    )
    assert process.stdout is not None
    output = process.stdout.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} ... ended with {process.returncode}: {output[-2000:]}")
    return Ran(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, output)
