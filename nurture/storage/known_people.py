"""The people of one batch while it is resolved: found by each of their names, named anew, merged; not written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nurture.storage.names import Name
from nurture.storage.tables import NameKind


@dataclass(slots=True, eq=False)
class Person:
    """A contact as far as resolving needs her; `id` is 0 until she is in the database."""

    id: int
    email: str | None
    email_key: str | None
    external_id: str | None
    attributes: dict[str, Any]
    zone: str | None
    locale: str | None
    changed: bool = False
    became: Person | None = None  # merged into

    @property
    def is_anonymous(self) -> bool:
        return self.email_key is None and self.external_id is None


class Known:
    """The people found so far, by each of their names; names and mergers that are still to be written.

    `new` counts those nobody knew.
    """

    def __init__(self) -> None:
        self.new = 0
        self.by_id: dict[int, Person] = {}
        self.by_email: dict[str, Person] = {}
        self.by_external: dict[str, Person] = {}
        self.by_name: dict[Name, Person] = {}  # other names
        self.new_names: dict[Name, Person] = {}
        self.mergers: list[tuple[Person, Person]] = []

    def add(self, person: Person) -> None:
        if person.id:
            self.by_id[person.id] = person
        if person.email_key:
            self.by_email[person.email_key] = person
        if person.external_id:
            self.by_external[person.external_id] = person

    def name(self, kind: NameKind, value: str, person: Person) -> None:
        """An other name, unless it is somebody's already."""
        if (kind, value) not in self.by_name:
            self.by_name[kind, value] = self.new_names[kind, value] = person

    def external(self, value: str | None) -> Person | None:
        return self.by_external.get(value) or self.by_name.get((NameKind.EXTERNAL, value)) if value else None

    def email(self, key: str | None) -> Person | None:
        return self.by_email.get(key) or self.by_name.get((NameKind.EMAIL, key)) if key else None

    def browser(self, value: str | None) -> Person | None:
        return self.by_name.get((NameKind.ANONYMOUS, value)) if value else None

    def people(self) -> list[Person]:
        """Each once, those who are in the database first, in the order of ids (which is the order of locks)."""
        maps: tuple[Mapping[Any, Person], ...] = (self.by_id, self.by_email, self.by_external, self.by_name)
        every = {id(person): person for names in maps for person in names.values()}
        return sorted(every.values(), key=lambda person: (person.id == 0, person.id, person.email_key or ""))

    def merge(self, one: Person, other: Person) -> Person:
        """Two are one; who remains. What she has wins over what the other had."""
        kept, gone = (other, one) if other.id or not one.id else (one, other)
        kept.attributes = {**gone.attributes, **kept.attributes}
        kept.zone, kept.locale = kept.zone or gone.zone, kept.locale or gone.locale
        if gone.email_key and kept.email_key is None:
            kept.email, kept.email_key = gone.email, gone.email_key
        elif gone.email_key:
            self.name(NameKind.EMAIL, gone.email_key, kept)
        if gone.external_id and kept.external_id is None:
            kept.external_id = gone.external_id
        elif gone.external_id:
            self.name(NameKind.EXTERNAL, gone.external_id, kept)
        for names in (self.by_id, self.by_email, self.by_external, self.by_name, self.new_names):
            for name in [name for name, person in names.items() if person is gone]:
                names[name] = kept  # type: ignore[index]
        self.by_id.pop(gone.id, None)
        gone.became = kept
        kept.changed = True
        if gone.id:
            self.mergers.append((gone, kept))
        return kept
