"""Which column of a contact file means what, guessed from its header and a look at its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from nurture.errors import NurtureError
from nurture.intake.origins import CSV, ORIGINS, REPEATABLE, Kind, Target, origin_of

SAMPLES = 3
LIST_MARK = "[]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its header, what it fills, and a few of its values. `name` is the attribute's."""

    header: str
    target: Target
    name: str = ""
    kind: Kind = Kind.TEXT
    samples: tuple[str, ...] = ()

    @property
    def is_left_out(self) -> bool:
        return self.target is Target.IGNORE

    @property
    def meaning(self) -> str:
        """What becomes of the column, in a few words."""
        if self.target is Target.ATTRIBUTE:
            return f"contact.{self.name}" + (f" ({self.kind.value})" if self.kind is not Kind.TEXT else "")
        return _MEANT.get(self.target, self.target.value)


_MEANT = {
    Target.ATTRIBUTES: "attributes, as JSON",
    Target.CONSENT_AT: "when they agreed",
    Target.LISTS: "contact.lists (list), and consent",
    Target.OPTED_OUT: "who opted out",
    Target.BOUNCED: "whose address is dead",
    Target.SUPPRESSED: "who is suppressed, and why",
}
_EMAIL = ("email", "e mail", "email address", "e mail address", "mail", "subscriber email", "primary email")
_MEANINGS: dict[Target, tuple[str, ...]] = {
    Target.EMAIL: _EMAIL,
    Target.EXTERNAL_ID: (
        "external id", "user id", "userid", "customer id", "uuid", "klaviyo id", "record id", "record id contact",
    ),
    Target.ZONE: ("zone", "timezone", "time zone", "tz"),
    Target.LOCALE: ("locale", "language", "lang", "preferred language"),
    Target.STAGE: ("stage", "lifecycle stage", "lifecyclestage"),
    Target.CONSENT: (
        "consent", "email marketing consent", "accepts email marketing", "accepts marketing", "email consent",
        "marketing consent", "opt in", "subscribed",
    ),
    Target.CONSENT_AT: ("consent at", "consent timestamp", "confirm time", "optin time"),
    Target.OPTED_OUT: ("opted out", "unsubscribed", "email opt out", "optout"),
    Target.ATTRIBUTES: ("attributes",),
    Target.IGNORE: ("last changed", "updated at"),
}  # fmt: skip
_KNOWN = {word: target for target, words in _MEANINGS.items() for word in words}
_RANK = {word: rank for words in _MEANINGS.values() for rank, word in enumerate(words)}
_LISTS = frozenset({"tags", "lists"})

_ALIASES = {
    "firstname": "first_name", "fname": "first_name", "given_name": "first_name", "forename": "first_name",
    "lastname": "last_name", "lname": "last_name", "surname": "last_name", "family_name": "last_name",
    "phone_number": "phone", "mobile": "phone", "date_of_birth": "birthday", "birth_date": "birthday",
    "cc": "country", "postcode": "postal_code", "zip": "postal_code", "zip_code": "postal_code",
    "created_at": "signed_up_at",
}  # fmt: skip

# Digits that are names, not amounts: adding them up would be nonsense, and leading zeros matter.
_DIGITS_ARE_TEXT = re.compile(r"(^|_)(id|phone|code|zip|number|no|tel|mobile|fax|vat|sku)(_|$)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?\Z")
_YES_NO = frozenset({"true", "false", "yes", "no"})
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")


def guess(
    headers: Sequence[str], rows: Sequence[Sequence[str]], origin: str | None = None
) -> tuple[str, tuple[Column, ...]]:
    """Where a file seems to come from ("klaviyo", ... or "csv"), and its columns, from headers and a few rows.

    `origin` says so where it is known. Of several columns that fit a target the one with the surest name gets it (your
    own id before another tool's, the time of confirming before that of asking); the others become attributes.
    """
    plain = [normalised(header) for header in headers]
    origin = origin or origin_of(frozenset(plain))
    samples = [[row[index].strip() for row in rows if index < len(row) and row[index].strip()]
               for index in range(len(headers))]  # fmt: skip
    targets = [_target(word, origin, values) for word, values in zip(plain, samples, strict=True)]
    best: dict[Target, int] = {}
    for index, target in enumerate(targets):
        if target not in best or _RANK.get(plain[index], 0) < _RANK.get(plain[best[target]], 0):
            best[target] = index
    columns = []
    for index, (header, target) in enumerate(zip(headers, targets, strict=True)):
        if target not in REPEATABLE and best[target] != index:
            target = Target.ATTRIBUTE  # noqa: PLW2901
        columns.append(_column(header, target, samples[index]))
    return origin, tuple(_with_email(columns, rows, set(targets)))


def _target(plain: str, origin: str, values: Sequence[str]) -> Target:
    if not plain:
        return Target.IGNORE
    if plain == "attributes" and not all(value.startswith("{") for value in values):
        return Target.ATTRIBUTE
    theirs = ORIGINS[origin].meanings if origin != CSV else {}
    return theirs.get(plain) or _KNOWN.get(plain, Target.ATTRIBUTE)


def _with_email(columns: list[Column], rows: Sequence[Sequence[str]], taken: set[Target]) -> list[Column]:
    """If no header says e-mail, the first column whose values all look like addresses is."""
    if Target.EMAIL in taken or Target.EXTERNAL_ID in taken:
        return columns
    for index, column in enumerate(columns):
        values = [row[index].strip() for row in rows if index < len(row)]
        if column.target is Target.ATTRIBUTE and values and all(_ADDRESS.match(value) for value in values):
            columns[index] = Column(column.header, Target.EMAIL, samples=column.samples)
            break
    return columns


def _column(header: str, target: Target, values: Sequence[str], name: str = "") -> Column:
    samples = tuple(value[:40] for value in dict.fromkeys(values))[:SAMPLES]
    if target is not Target.ATTRIBUTE:
        return Column(header, target, samples=samples)
    is_list = name.endswith(LIST_MARK) or normalised(name or header) in _LISTS
    name = attribute_name(name or header)
    return Column(header, target, name, Kind.LIST if is_list else _kind(name, values), samples)


def _kind(name: str, values: Sequence[str]) -> Kind:
    if values and all(value.lower() in _YES_NO for value in values):
        return Kind.YES_NO
    if values and not _DIGITS_ARE_TEXT.search(name) and all(_NUMBER.match(value) for value in values):
        return Kind.NUMBER
    return Kind.TEXT


def remap(columns: Sequence[Column], wishes: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns with somebody's wishes: header -> target, attribute name (a list with `[]` behind), or `-`: left out.

    Raises NurtureError for a header the file does not have, and for two columns with one target.
    """
    by_header = {column.header: column for column in columns}
    for header in wishes:
        if header not in by_header:
            near = get_close_matches(header, by_header, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; it has {', '.join(by_header)}"
            raise NurtureError(f'there is no column "{header}" in this file{hint}')
    changed = tuple(_wished(column, wishes.get(column.header)) for column in columns)
    seen: dict[str, str] = {}
    for column in changed:
        what = column.name if column.target is Target.ATTRIBUTE else column.target.value
        if column.target not in REPEATABLE - {Target.ATTRIBUTE} and what in seen:
            raise NurtureError(
                f'the columns "{seen[what]}" and "{column.header}" both fill {what}; '
                f'leave one out with --map "{column.header}=-"'
            )
        seen[what] = column.header
    return changed


def _wished(column: Column, wish: str | None) -> Column:
    if wish is None:
        return column
    if wish in {"-", "ignore"}:
        return Column(column.header, Target.IGNORE, samples=column.samples)
    if wish in set(Target) - {Target.ATTRIBUTE}:
        return Column(column.header, Target(wish), samples=column.samples)
    return _column(column.header, Target.ATTRIBUTE, column.samples, wish.removeprefix("contact."))


def normalised(header: str) -> str:
    """A header as words in lower case, so that `E-Mail_Address` and `email address` are one."""
    return " ".join(re.sub(r"[^0-9a-z]+", " ", header.casefold()).split())


def attribute_name(header: str) -> str:
    """A header as the name of an attribute: `First Name` is `first_name`."""
    name = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", header.strip())).strip("_").casefold()
    name = _ALIASES.get(name, name)
    return f"n{name}" if name[:1].isdigit() else name or "unnamed"
