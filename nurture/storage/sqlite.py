"""What SQLite needs: settings of each connection, and a file that is local, ours and still there."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from nurture.errors import StorageError
from nurture.storage.faults import DatabaseFault, Fault

BUSY_SECONDS = 10

# WAL needs shared memory between all who open the file: over a network it corrupts
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre"})
NETWORK_FUSE = ("fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.rclone", "fuse.ceph")


def configure(connection: sqlite3.Connection, *, foreign_keys: bool) -> None:
    """Set up one connection. FULL: a gate or an outcome that was committed survives a power cut."""
    connection.isolation_level = None  # we say BEGIN ourselves; the driver would say it too late
    cursor = connection.cursor()
    for setting in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
        "cache_size=-65536",
        f"mmap_size={256 << 20}",
        "wal_autocheckpoint=16000",
        f"journal_size_limit={64 << 20}",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system that holds `path`, by the text of /proc/self/mountinfo; '' if unknown."""
    found, longest = "", -1
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        words = fields.split()
        if len(words) < 5 or not rest:
            continue
        point = words[4].replace("\\040", " ")
        if path.is_relative_to(point) and len(point) >= longest:
            found, longest = rest.split()[0], len(point)
    return found


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """Raise StorageError if the file would lie on a network file system."""
    if mounts is None:
        listing = Path("/proc/self/mountinfo")
        mounts = listing.read_text(encoding="utf-8", errors="replace") if listing.exists() else ""
    kind = file_system_of(path.resolve(), mounts)
    if kind in NETWORK or kind.startswith(NETWORK_FUSE):
        raise StorageError(
            f"{path} lies on a network file system ({kind}), where SQLite loses data. "
            "Put it on a local disk, or use PostgreSQL."
        )


class FileGuard:
    """Notices that the file under our feet was deleted, or replaced by another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise DatabaseFault unless the path still names the file first seen. Cheap: one stat."""
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - a hot path
        except FileNotFoundError:
            if self._identity is None:
                return
            raise DatabaseFault(
                Fault.REPLACED,
                f"The database file {self.path} was deleted while in use. Stop, restore it from a backup, start again.",
            ) from None
        if self._identity is None:
            self._identity = (stat.st_dev, stat.st_ino)
        elif self._identity != (stat.st_dev, stat.st_ino):
            raise DatabaseFault(
                Fault.REPLACED,
                f"The database file {self.path} was replaced by another file while in use. Stop and start again.",
            )


def copy_file(source: Path, target: Path) -> None:
    """A copy by SQLite itself: consistent even while others write, and complete before it has its name."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(source, timeout=BUSY_SECONDS)) as original, closing(sqlite3.connect(part)) as copy:
        original.backup(copy)
    part.replace(target)
