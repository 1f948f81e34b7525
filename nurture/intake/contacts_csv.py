"""Contacts from a CSV file of any tool: one pass, bounded memory, and for every refused row its line and why."""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.frozen import frozen
from nurture.intake.addresses import address_problem
from nurture.intake.columns import Column, guess, normalised
from nurture.intake.consents import NOTHING_SAID, Said, lists_in, no_of, status_of, strongest, words_in
from nurture.intake.origins import NOES, ORIGINS, REPEATABLE, Kind, Target
from nurture.intake.text_file import UnreadableFile, encoding_of, lines
from nurture.intake.whereabouts import known_locale, known_zone

MAX_COLUMNS = 500
LOOKED_AT = 200
NOWHERE = -1  # the place of a column that the file has not
DELIMITERS = ",;\t|"


@frozen
class ContactRow:
    """One person of the file. `consent` is None where the file says nothing; instants are UTC."""

    line: int
    email: str | None
    external_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    zone: str | None = None
    locale: str | None = None
    stage: str | None = None
    consent: Consent | None = None
    consent_at: datetime | None = None
    suppressed: SuppressionReason | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is not taken: the line it begins in, why, and the text that was not understood."""

    line: int
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ContactFile:
    """A file that was looked at: how it is written, where it seems to come from, what its columns mean."""

    path: Path
    encoding: str
    delimiter: str
    origin: str
    columns: tuple[Column, ...]
    status: Consent | SuppressionReason | None = None

    @property
    def tells_consent(self) -> bool:
        """Whether a column says who agreed."""
        return any(column.target is Target.CONSENT for column in self.columns)


def look_at(path: Path, origin: str | None = None) -> ContactFile:
    """Find out what a file is, from its name, its header and its first rows. Raises UnreadableFile.

    `origin` says which tool wrote it ("csv" for none), where its header does not.
    """
    encoding = encoding_of(path)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        source = lines(file, str(path))
        first = next(source, "")
        if not first.strip():
            raise UnreadableFile(f"{path} is empty; its first line must name the columns")
        delimiter = max(DELIMITERS, key=first.count)
        headers = next(csv.reader([first], delimiter=delimiter))
        if len(headers) > MAX_COLUMNS:
            raise UnreadableFile(f"{path} has {len(headers):,} columns; {MAX_COLUMNS} is the most that is read")
        if person := next((cell.strip() for cell in headers if address_problem(cell.strip()) is None), None):
            raise UnreadableFile(
                f"{path} begins with a person ({person[:80]}); put a line with the names of the columns before her"
            )
        looked: list[list[str]] = []
        reader = csv.reader(source, delimiter=delimiter)
        with contextlib.suppress(csv.Error):  # such a row is named when the file is read
            looked.extend(row for row in islice(reader, LOOKED_AT) if row)
    origin, columns = guess([header.strip() for header in headers], looked, origin)
    known, present = ORIGINS.get(origin), frozenset(map(normalised, headers))
    status = known.said_of_all(present, path.name) if known is not None else None
    return ContactFile(path, encoding, delimiter, origin, columns, status)


def read_contacts(source: ContactFile) -> Iterator[ContactRow | Rejected]:
    """Every row of the file, in order, as a person or as a refusal with its line. Raises UnreadableFile."""
    with source.path.open(encoding=source.encoding, errors="replace", newline="") as file:
        reader = csv.reader(lines(file, str(source.path)), delimiter=source.delimiter)
        next(reader, None)
        read = _Reader(source)
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Rejected(line, f"cannot be read ({error}); is a closing quote missing?")
                continue
            cells = list(map(str.strip, row))
            if any(cells):
                yield read(line, cells)


OTHERS = (Target.ATTRIBUTES, Target.ZONE, Target.LOCALE, Target.STAGE, Target.CONSENT, Target.CONSENT_AT, Target.LISTS)


class _Reader:
    """Rows into people, with all that the columns say of every row looked up once for the file."""

    def __init__(self, source: ContactFile) -> None:
        self._source = source
        self._width = len(source.columns)
        places: dict[Target, int] = {
            column.target: place
            for place, column in reversed(list(enumerate(source.columns)))
            if column.target not in REPEATABLE
        }
        self._email, self._external_id = places.get(Target.EMAIL, NOWHERE), places.get(Target.EXTERNAL_ID, NOWHERE)
        self._others = [places.get(target, NOWHERE) for target in OTHERS]
        attributes = [(p, column) for p, column in enumerate(source.columns) if column.target is Target.ATTRIBUTE]
        self._texts = [(place, column.name) for place, column in attributes if column.kind is Kind.TEXT]
        self._typed = [
            (place, column.name, column.kind) for place, column in attributes if column.kind is not Kind.TEXT
        ]
        self._noes = [(place, column.target) for place, column in enumerate(source.columns) if column.target in NOES]
        self._plain = not places.keys() - {Target.EMAIL, Target.EXTERNAL_ID} and not self._noes
        self._unsaid = _unsaid(source)

    def __call__(self, line: int, cells: list[str]) -> ContactRow | Rejected:
        """`cells` are stripped, and not all empty."""
        width, found = self._width, len(cells)
        if found > width and any(cells[width:]):
            return Rejected(line, f"has {found} values for {width} columns", cells[0])
        if found < width:
            cells += [""] * (width - found)
        cells.append("")  # what `NOWHERE` finds
        attributes: dict[str, Any] = {name: cells[place] for place, name in self._texts if cells[place]}
        for place, name, kind in self._typed:
            if cells[place]:
                attributes[name] = typed(cells[place], kind)
        try:
            return self._person(line, cells, attributes)
        except ValueError as error:
            reason, _, text = str(error).partition("\n")
            return Rejected(line, reason, text)

    def _person(self, line: int, cells: Sequence[str], attributes: dict[str, Any]) -> ContactRow | Rejected:
        email, external_id = cells[self._email] or None, cells[self._external_id] or None
        if email is None and external_id is None:
            return Rejected(line, "has neither an e-mail address nor an id")
        if email is not None and (problem := address_problem(email)):
            return Rejected(line, problem, email)
        if self._plain:
            said = self._unsaid
            return ContactRow(line, email, external_id, attributes, consent=said.consent, suppressed=said.suppressed)
        more, zone, locale, stage, status, consent_at, lists = [cells[place] for place in self._others]
        if more:
            attributes = {**_json_object(more), **attributes}
        said = status_of(status) if status else self._unsaid
        if lists:
            names, by_lists = lists_in(lists)
            attributes["lists"] = names
            said = strongest(said, by_lists) if by_lists is not None else said
        for place, target in self._noes:
            if cells[place]:
                said = strongest(said, no_of(target, cells[place]))
        return ContactRow(
            line,
            email,
            external_id,
            attributes,
            known_zone(zone) if zone else None,
            known_locale(locale) if locale else None,
            stage or None,
            said.consent,
            _instant(consent_at) if consent_at else None,
            said.suppressed,
        )


def typed(value: str, kind: Kind) -> str | int | float | bool | list[str]:
    """A cell as its column's kind; text where it does not fit, so that nothing is lost."""
    if kind is Kind.LIST:
        return words_in(value)
    if kind is Kind.YES_NO and value.lower() in {"true", "yes", "false", "no"}:
        return value.lower() in {"true", "yes"}
    if kind is Kind.NUMBER and re.fullmatch(r"-?[0-9]{1,15}", value):
        return int(value)
    if kind is Kind.NUMBER and re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,6}", value):
        return float(value)
    return value


def _unsaid(source: ContactFile) -> Said:
    """What a row says whose own column of consents says nothing: a blank there is no yes."""
    if isinstance(source.status, SuppressionReason):
        return Said(suppressed=source.status)
    if source.status is not Consent.WITHDRAWN and source.tells_consent:
        return Said(Consent.NONE)
    return Said(source.status) if source.status is not None else NOTHING_SAID


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"attributes are not JSON\n{text[:40]}") from None
    if isinstance(value, dict):
        return value
    raise ValueError(f"attributes must be a JSON object\n{text[:40]}")


def _instant(text: str) -> datetime | None:
    """An ISO date or instant, UTC where no offset is written; anything else is left out, never guessed."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
