"""RESULTS.md: a section for each row, with its day and commit, so that a row measured alone replaces only its own."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("jinja2", "premailer", "aiosmtplib", "sqlalchemy", "psycopg", "cryptography")
HEAD = """\
# Benchmarks

By `make bench`: what is compared runs interleaved in one run, medians. Loopback only: the figures say what the software
costs, not what a provider takes. Each section says when it was measured and of which commit; `python -m benchmarks ROW`
measures one again.
"""
TABLE = "| what | goal | measured | against | goal met | how |\n| --- | --- | ---: | --- | --- | --- |\n"


def write(measured: Mapping[str, Iterable[Figure]], order: Iterable[str]) -> None:
    """Put these rows in the place of what was measured of them before; `order` is that of the sections."""
    sections = _sections(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    sections |= {name: _section(figures) for name, figures in measured.items()}
    page = [HEAD, *(f"## {name}\n\n{sections[name]}" for name in order if name in sections)]
    RESULTS.write_text("\n".join(page), encoding="utf-8")


def _sections(page: str) -> dict[str, str]:
    """The text under each heading, as `_section` wrote it."""
    _, *parts = re.split(r"^## (\S+)\n\n", page, flags=re.MULTILINE)
    return {name: body.rstrip("\n") + "\n" for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _section(figures: Iterable[Figure]) -> str:
    rows = [f"| {f.what} | {f.limit} | {f.shown} | {f.against} | {f.verdict} | {f.how} |\n" for f in figures]
    return f"{_circumstances()}\n\n{TABLE}{''.join(rows)}"


def _circumstances() -> str:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores ({_processor()})"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%d %B %Y}, commit {_commit()}; {machine};\n"
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}."
    )


def _commit() -> str:
    """Short, and said if what was measured is not quite that."""
    here = RESULTS.parent.parent
    named = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True, cwd=here
    )
    changed = ["git", "diff", "--quiet", "HEAD", "--", ".", ":!benchmarks/RESULTS.md"]
    dirty = subprocess.run(changed, check=False, cwd=here).returncode == 1
    return (named.stdout.strip() or "unknown") + (" with changes" if dirty else "")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
