# ruff: noqa: S608 - the SQL here is put together from names in this code only
"""Contacts by the thousand: staged in a temporary table, then written with a fixed number of statements.

One call is one chunk in one transaction, so that sending goes on between chunks. Importing the same again changes
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from nurture.domain.contact import Consent
from nurture.domain.event import NOTHING
from nurture.domain.frozen import frozen
from nurture.storage.addresses import address_hash, canonical, domain_of
from nurture.storage.database import Transaction
from nurture.storage.queue import wake
from nurture.storage.tables import imports
from nurture.storage.types import dump_json, micros, sql

COLUMNS = ("place", "email", "email_key", "address_key", "domain", "external_id", "attributes", "zone", "locale",
           "stage", "consent", "consent_at", "said")  # fmt: skip

_CONSENT = {consent: consent.value for consent in Consent}  # asking the member takes longer than all else of a line


@frozen
class ImportedContact:
    """One line. `consent` granted counts only for those who never said anything; withdrawn counts always.

    `consent_at` is when she agreed, now if not known; a no counts from now on.
    """

    email: str | None
    external_id: str | None = None
    attributes: Mapping[str, Any] = field(default=NOTHING)
    zone: str | None = None
    locale: str | None = None
    stage: str | None = None
    consent: Consent = Consent.NONE
    consent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """`refused`: no address and no foreign id, or an unreadable address. `clashes`: foreign ids that are another's."""

    created: int
    updated: int
    refused: int
    clashes: int


def import_contacts(
    tx: Transaction, lines: Iterable[ImportedContact], now: datetime, source: str, *, enrols: bool = False
) -> Imported:
    """Create and update contacts by address, else by foreign id; all of them have a turn soon. A few 10,000 at most.

    Attributes are merged. A stage is set only on creation, a zone or locale only where one is given; two lines for one
    person are taken in order. `enrols` False: what new people are already starts no campaign.
    """
    rows, refused, clashes = _rows(tx, lines, now)
    _stage(tx, rows)
    ids, stages = _any(rows, "external_id"), _any(rows, "stage")
    said = _any(rows, "consent", nothing=Consent.NONE.value)
    if ids:
        clashes += tx.execute(sql(_CLASHES)).rowcount
    if said:
        tx.execute(sql(_SAYS + _SAYS_BY_ID if ids else _SAYS))
    merged = "json_patch(c.attributes, s.attributes)"
    if tx.dialect == "postgresql":
        merged = "c.attributes || CAST(s.attributes AS jsonb)"
    keys = ("email_key", "external_id") if ids else ("email_key",)
    updated = [row[0] for key in keys for row in tx.execute(sql(_update_sql(tx, key, merged))).all()]
    created = tx.execute(sql(_create_sql(tx)), {"now": now, "enrols": enrols}).all()
    for found in _FOUND if ids else _FOUND[:1]:
        if stages:
            tx.execute(sql(_STAGES.format(found=found)), {"now": now})
        if said:
            tx.execute(sql(_CONSENTS.format(found=found)), {"now": now, "source": source})
    wake(tx, [*updated, *(row[0] for row in created)], now)
    tx.execute(sql("DELETE FROM staged"))
    return Imported(len(created), len(updated), refused, clashes)


def _any(rows: Sequence[tuple[Any, ...]], name: str, *, nothing: str | None = None) -> bool:
    """Whether any line says something there."""
    place = COLUMNS.index(name)
    return any(row[place] != nothing for row in rows)


def _rows(tx: Transaction, lines: Iterable[ImportedContact], now: datetime) -> tuple[list[tuple[Any, ...]], int, int]:
    """Staged rows in the order of addresses, one a person; how many lines were refused, how many foreign ids clash."""
    people: dict[str, ImportedContact] = {}
    taken: dict[str, str] = {}
    refused = clashes = 0
    for line in lines:
        email, external_id = line.email, line.external_id
        try:
            name = canonical(email) if email else f"\n{external_id}"
        except ValueError:
            name = ""
        if not name or not (email or external_id):
            refused += 1
            continue
        if external_id and taken.setdefault(external_id, name) != name:
            clashes += 1
            line = _without_external(line)  # noqa: PLW2901
        people[name] = _later(people[name], line) if name in people else line
    secret = tx.database.address_secret
    rows: list[tuple[Any, ...]] = []
    for place, name in enumerate(sorted(people)):
        line = people[name]
        email, key, hashed, domain = line.email, None, None, None
        if email:
            email, key, hashed, domain = email.strip(), name, address_hash(secret, name), domain_of(name)
        rows.append(
            (place, email, key, hashed, domain, line.external_id, dump_json(line.attributes), line.zone, line.locale,
             line.stage, _CONSENT[line.consent], _agreed_at(tx, line, now), 0)
        )  # fmt: skip
    return rows, refused, clashes


def _without_external(line: ImportedContact) -> ImportedContact:
    return replace(line, external_id=None)


def _later(first: ImportedContact, then: ImportedContact) -> ImportedContact:
    """Two lines about one person: the later one wins, field by field."""
    saying = then if then.consent is not Consent.NONE else first
    return ImportedContact(
        then.email,
        then.external_id or first.external_id,
        {**first.attributes, **then.attributes},
        then.zone or first.zone,
        then.locale or first.locale,
        then.stage or first.stage,
        saying.consent,
        saying.consent_at,
    )


def _agreed_at(tx: Transaction, line: ImportedContact, now: datetime) -> int | str | None:
    """As the staging table has it: nobody agreed in the future."""
    if line.consent_at is None or line.consent is not Consent.GRANTED:
        return None
    at = min(line.consent_at, now)
    return micros(at) if tx.dialect == "sqlite" else at.isoformat()


def _stage(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    tx.execute(
        sql(f"""
            CREATE TEMPORARY TABLE IF NOT EXISTS staged (
                place INTEGER PRIMARY KEY, email TEXT, email_key TEXT, address_key TEXT, domain TEXT, external_id TEXT,
                attributes TEXT NOT NULL, zone TEXT, locale TEXT, stage TEXT, consent TEXT NOT NULL,
                consent_at {_instant_type(tx)}, said INTEGER NOT NULL
            ) {"ON COMMIT DROP" if tx.dialect == "postgresql" else ""}
        """)
    )
    tx.execute(sql("DELETE FROM staged"))
    if not rows:
        return
    if tx.dialect == "sqlite":
        marks = ", ".join("?" * len(COLUMNS))
        tx.connection.exec_driver_sql(f"INSERT INTO staged VALUES ({marks})", list(rows))
        return
    driver: Any = tx.connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY staged ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        copy.write(_as_text(rows))
    tx.execute(sql("ANALYZE staged"))


def _as_text(rows: Sequence[tuple[Any, ...]]) -> str:
    r"""As `COPY ... FROM STDIN` reads it: tabs between, `\N` for nothing, backslashes before what means something."""
    columns = []
    for place, column in enumerate(zip(*rows, strict=True)):
        if place in _NUMBERS:
            texts = list(map(str, column))
        else:
            texts = [_NULL if value is None else value for value in column]
            if _SPECIAL("".join(filter(None, column))):
                texts = [_NULL if value is None else value.translate(_ESCAPES) for value in column]
        columns.append(texts)
    return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"


_NULL = "\\N"
_NUMBERS = {COLUMNS.index("place"), COLUMNS.index("said")}
_SPECIAL = re.compile(r"[\\\n\r\t]").search
_ESCAPES = {ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}

# Nobody has this address yet
_NEW_ADDRESS = "NOT EXISTS (SELECT 1 FROM contacts AS o WHERE o.email_key = {staged}.email_key)"
# A foreign id that is somebody else's is left out; one whose owner has no address yet brings her this one
_CLASHES = f"""
    UPDATE staged SET external_id = NULL WHERE external_id IS NOT NULL AND email_key IS NOT NULL AND EXISTS (
        SELECT 1 FROM contacts AS c WHERE c.external_id = staged.external_id
          AND (c.email_key <> staged.email_key
               OR (c.email_key IS NULL AND NOT {_NEW_ADDRESS.format(staged="staged")})))
"""
# 1: this line is her yes; -1: it is her no
_SAYS = """
    UPDATE staged SET said = CASE consent WHEN 'granted' THEN 1 ELSE -1 END
    WHERE consent <> 'none' AND NOT EXISTS (
        SELECT 1 FROM contacts AS c WHERE c.email_key = staged.email_key
          AND (c.consent = staged.consent OR (staged.consent = 'granted' AND c.consent <> 'none')))
"""
_SAYS_BY_ID = """
    AND NOT EXISTS (
        SELECT 1 FROM contacts AS c WHERE c.external_id = staged.external_id AND staged.email_key IS NULL
          AND (c.consent = staged.consent OR (staged.consent = 'granted' AND c.consent <> 'none')))
"""
# By one key and then the other: no index serves a join by either
_FOUND = ("c.email_key = s.email_key", "c.external_id = s.external_id AND s.email_key IS NULL")
_STAGES = """
    INSERT INTO stage_changes (contact_id, at, from_stage, to_stage)
    SELECT c.id, :now, NULL, s.stage FROM staged AS s JOIN contacts AS c ON {found}
    WHERE s.stage IS NOT NULL AND c.created_at = :now AND c.version = 0
"""
_CONSENTS = """
    INSERT INTO consents (contact_id, at, granted, source)
    SELECT c.id, CASE WHEN s.said > 0 AND s.consent_at IS NOT NULL THEN s.consent_at ELSE :now END, s.said > 0, :source
    FROM staged AS s JOIN contacts AS c ON {found} WHERE s.said <> 0
"""


def _update_sql(tx: Transaction, key: str, merged: str) -> str:
    """Those who are there already, found by `key`; only rows in which something changes."""
    differs = "IS DISTINCT FROM" if tx.dialect == "postgresql" else "IS NOT"
    alone = ""
    if key == "external_id":
        alone = f"(s.email_key IS NULL OR (c.email_key IS NULL AND {_NEW_ADDRESS.format(staged='s')})) AND "
    said = {
        "attributes": merged,
        **{name: f"coalesce(s.{name}, c.{name})" for name in ("zone", "locale")},
        **{
            name: f"coalesce(c.{name}, s.{name})"
            for name in ("external_id", "email", "email_key", "address_key", "domain")
        },
    }
    changes = ", ".join(f"{name} = {value}" for name, value in said.items())
    changed = " OR ".join(f"{value} {differs} c.{name}" for name, value in said.items())
    return f"""
        UPDATE contacts AS c SET {changes}, version = c.version + 1,
            consent = CASE s.said WHEN 1 THEN 'granted' WHEN -1 THEN 'withdrawn' ELSE c.consent END
        FROM staged AS s
        WHERE {alone}c.{key} = s.{key} AND (s.said <> 0 OR {changed})
        RETURNING id
    """


def _create_sql(tx: Transaction) -> str:
    """Those who are not there, in the order of addresses: neighbours in the index are written together."""
    attributes = "CAST(s.attributes AS jsonb)" if tx.dialect == "postgresql" else "s.attributes"
    empty = ("CAST('[]' AS jsonb)", "CAST('{}' AS jsonb)") if tx.dialect == "postgresql" else ("'[]'", "'{}'")
    return f"""
        INSERT INTO contacts (email, email_key, address_key, domain, external_id, attributes, zone, locale, stage,
            stage_since, created_at, consent, opted_out, memberships, enrols, next_seq, version)
        SELECT s.email, s.email_key, s.address_key, s.domain, s.external_id, {attributes}, s.zone, s.locale, s.stage,
            CASE WHEN s.stage IS NULL THEN NULL ELSE CAST(:now AS {_instant_type(tx)}) END, :now,
            CASE WHEN s.said = 0 THEN 'none' ELSE s.consent END, {empty[0]}, {empty[1]}, :enrols, 1, 0
        FROM staged AS s
        WHERE NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.email_key = s.email_key)
          AND NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.external_id = s.external_id)
        ORDER BY s.place
        ON CONFLICT DO NOTHING RETURNING id
    """


def _instant_type(tx: Transaction) -> str:
    return "timestamptz" if tx.dialect == "postgresql" else "INTEGER"


def begin_import(tx: Transaction, source: str, sha256: str, now: datetime, by: str) -> int:
    """Note that a file is being taken in; the number of the import."""
    row = {"source": source, "sha256": sha256, "started_at": now, "by": by}
    return int(tx.execute(insert(imports).returning(imports.c.id), row).scalar_one())


def end_import(tx: Transaction, number: int, counts: Imported, now: datetime) -> None:
    values = {"finished_at": now, "created": counts.created, "updated": counts.updated, "refused": counts.refused}
    tx.execute(update(imports).where(imports.c.id == number).values(values))


def imported_before(tx: Transaction, sha256: str) -> datetime | None:
    """When a file with these very bytes was last taken in to the end."""
    i = imports.c
    query = select(i.finished_at).where(i.sha256 == sha256, i.finished_at.is_not(None)).order_by(i.id.desc()).limit(1)
    found: datetime | None = tx.execute(query).scalar()
    return found
