"""Differences of files between two sets of sources, line by line: what a semantic diff of campaigns cannot show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff


@dataclass(frozen=True, slots=True)
class FileChange:
    """`kind` is added, removed or changed; `lines` are a unified diff without its heading."""

    path: str
    kind: str
    lines: tuple[str, ...]


def file_changes(old: Mapping[str, str], new: Mapping[str, str], under: str = "") -> tuple[FileChange, ...]:
    """Every file that differs whose path begins with `under`, by name."""
    return tuple(
        FileChange(path, _kind(path, old, new), _lines(old.get(path, ""), new.get(path, "")))
        for path in sorted(old.keys() | new.keys())
        if path.startswith(under) and old.get(path) != new.get(path)
    )


def _kind(path: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    return "added" if path not in old else "removed" if path not in new else "changed"


def _lines(old: str, new: str) -> tuple[str, ...]:
    return tuple(unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
