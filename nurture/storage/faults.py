"""What a database can do to us, in words that say what to do next and never carry a password."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from nurture.errors import StorageError


class Fault(StrEnum):
    BUSY = "busy"
    READ_ONLY = "read_only"
    FULL = "full"
    UNREACHABLE = "unreachable"
    REPLACED = "replaced"
    DENIED = "denied"
    MISSING = "missing"
    SCHEMA = "schema"
    DAMAGED = "damaged"
    SERIALIZATION = "serialization"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    TIMEOUT = "timeout"
    OTHER = "other"


PAUSES = frozenset({Fault.BUSY, Fault.READ_ONLY, Fault.FULL, Fault.UNREACHABLE, Fault.TIMEOUT})


class DatabaseFault(StorageError):  # noqa: N818 - it is what the glossary calls it
    """`fault` says which; `passes` that waiting may cure it; `commit_unknown` that the commit may or may not stand."""

    def __init__(self, fault: Fault, message: str, *, commit_unknown: bool = False) -> None:
        if commit_unknown:
            message += " It happened during a commit: read again before doing it again."
        super().__init__(message)
        self.fault = fault
        self.commit_unknown = commit_unknown

    @property
    def passes(self) -> bool:
        return self.fault in PAUSES


# SQLSTATE, or its class of two characters
_SQLSTATES = {
    "25006": Fault.READ_ONLY,
    "53100": Fault.FULL,
    "53": Fault.BUSY,
    "57014": Fault.TIMEOUT,
    "55P03": Fault.TIMEOUT,
    "25P03": Fault.TIMEOUT,
    "57": Fault.UNREACHABLE,
    "08": Fault.UNREACHABLE,
    "28": Fault.DENIED,
    "42501": Fault.DENIED,
    "3D000": Fault.MISSING,
    "42P01": Fault.SCHEMA,
    "42703": Fault.SCHEMA,
    "40": Fault.SERIALIZATION,
    "23505": Fault.DUPLICATE,
    "23": Fault.INVALID,
    "22": Fault.INVALID,
    "XX": Fault.DAMAGED,
}
_SQLITE_CODES = {
    "SQLITE_BUSY": Fault.BUSY,
    "SQLITE_LOCKED": Fault.BUSY,
    "SQLITE_READONLY": Fault.READ_ONLY,
    "SQLITE_FULL": Fault.FULL,
    "SQLITE_CANTOPEN": Fault.MISSING,
    "SQLITE_NOTADB": Fault.DAMAGED,
    "SQLITE_CORRUPT": Fault.DAMAGED,
    "SQLITE_IOERR": Fault.UNREACHABLE,
    "SQLITE_PERM": Fault.DENIED,
    "SQLITE_AUTH": Fault.DENIED,
    "SQLITE_CONSTRAINT_UNIQUE": Fault.DUPLICATE,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Fault.DUPLICATE,
    "SQLITE_CONSTRAINT": Fault.INVALID,
    "SQLITE_MISMATCH": Fault.INVALID,
    "SQLITE_TOOBIG": Fault.INVALID,
}
_SENTENCES = {
    Fault.BUSY: "is busy: another program held its write lock too long. If it lasts, find who holds it.",
    Fault.READ_ONLY: "may only be read (permissions, file system, standby). Make it writable; nothing was changed.",
    Fault.FULL: "has no room left on its disk. Free some space; nothing was changed.",
    Fault.UNREACHABLE: "cannot be reached. Check that it is running and that the address is right.",
    Fault.DENIED: "refused these credentials or this permission. Check user, password and grants.",
    Fault.MISSING: "does not exist or cannot be opened. Check its name; `nurture db upgrade` creates a SQLite file.",
    Fault.SCHEMA: "does not have the tables this nurture expects. Run `nurture db upgrade`.",
    Fault.DAMAGED: "is damaged or is not a database of ours. Stop, and restore a backup.",
    Fault.SERIALIZATION: "undid a transaction that collided with another one. It is safe to repeat.",
    Fault.DUPLICATE: "already holds such a row",
    Fault.INVALID: "refused a value",
    Fault.TIMEOUT: "took too long, or a lock was not free in time. Nothing was changed; it will be tried again.",
    Fault.OTHER: "reported a fault",
}


def fault_of(error: SQLAlchemyError) -> Fault:
    """Which fault an error of the driver is."""
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None)
    if state:
        return _SQLSTATES.get(state) or _SQLSTATES.get(state[:2], Fault.OTHER)
    code = getattr(original, "sqlite_errorname", None)
    if code:
        found = _SQLITE_CODES.get(code) or next((f for c, f in _SQLITE_CODES.items() if code.startswith(c)), None)
        if found is not None:
            return found
        return Fault.SCHEMA if _lacks_table(str(original)) else Fault.OTHER
    if isinstance(error, DBAPIError) and (error.connection_invalidated or "connection" in str(original).lower()):
        return Fault.UNREACHABLE
    return Fault.OTHER


def _lacks_table(message: str) -> bool:
    return message.startswith(("no such table", "no such column")) or "has no column named" in message


def explain(url: URL, error: SQLAlchemyError, *, committing: bool = False) -> DatabaseFault:
    """The fault as an error of ours. The driver's own words are added only where they cannot hold secrets."""
    fault = fault_of(error)
    message = f"The database {name_of(url)} {_SENTENCES[fault]}"
    if fault in {Fault.DUPLICATE, Fault.INVALID, Fault.SCHEMA, Fault.OTHER, Fault.DAMAGED, Fault.SERIALIZATION}:
        diagnosis = getattr(getattr(error, "orig", None), "diag", None)
        said = getattr(diagnosis, "message_primary", None) or str(getattr(error, "orig", None) or error)
        message += f" ({said.strip().splitlines()[0]})" if said.strip() else ""
    unknown = committing and fault in {Fault.UNREACHABLE, Fault.OTHER}
    return DatabaseFault(fault, message, commit_unknown=unknown)


def name_of(url: URL) -> str:
    """How we call a database in messages: a path, or host and name; never who logs in how."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"
