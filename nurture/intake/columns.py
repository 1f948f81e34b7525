"""Which column of a contact file means what, guessed from its header and a look at its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from nurture.errors import NurtureError

SAMPLES = 3


class Target(StrEnum):
    """What a column fills. `attribute` needs a name."""

    EMAIL = "email"
    EXTERNAL_ID = "external_id"
    ZONE = "zone"
    LOCALE = "locale"
    STAGE = "stage"
    CONSENT = "consent"
    CONSENT_AT = "consent_at"
    CREATED_AT = "created_at"
    ATTRIBUTE = "attribute"
    ATTRIBUTES = "attributes"
    IGNORE = "ignore"


class Kind(StrEnum):
    """How the values of an attribute are read."""

    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes or no"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its header, what it fills, and a few of its values. `name` is the attribute's."""

    header: str
    target: Target
    name: str = ""
    kind: Kind = Kind.TEXT
    samples: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """What becomes of the column, in a few words."""
        if self.target is Target.ATTRIBUTE:
            return f"contact.{self.name}" + (f" ({self.kind.value})" if self.kind is not Kind.TEXT else "")
        if self.target is Target.IGNORE:
            return "left out"
        return {Target.ATTRIBUTES: "attributes, as JSON"}.get(self.target, self.target.value)


@dataclass(frozen=True, slots=True)
class Origin:
    """A tool that writes such files, known by headers only it uses."""

    name: str
    signature: frozenset[str]


ORIGINS = (
    Origin("mailchimp", frozenset({"member rating", "leid", "euid"})),
    Origin("klaviyo", frozenset({"klaviyo id"})),
    Origin("klaviyo", frozenset({"email marketing consent"})),
    Origin("hubspot", frozenset({"record id", "lifecycle stage"})),
    Origin("hubspot", frozenset({"record id", "marketing contact status"})),
    Origin("listmonk", frozenset({"uuid", "attributes", "status"})),
    Origin("listmonk", frozenset({"email", "name", "attributes"})),
)

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
    Target.CONSENT_AT: ("consent at", "email marketing consent timestamp", "optin time", "confirm time"),
    Target.CREATED_AT: ("created at", "create date", "date added", "signup date", "first active"),
    Target.ATTRIBUTES: ("attributes",),
    Target.IGNORE: (
        "member rating", "optin ip", "confirm ip", "gmtoff", "dstoff", "leid", "euid", "last changed", "updated at",
        "marketing contact status", "contact owner", "associated company ids", "unsub time", "clean time",
    ),
}  # fmt: skip
_KNOWN = {word: target for target, words in _MEANINGS.items() for word in words}
_STATUS_MEANS_CONSENT = {"listmonk", "mailchimp"}

_ALIASES = {
    "firstname": "first_name", "fname": "first_name", "given_name": "first_name", "forename": "first_name",
    "lastname": "last_name", "lname": "last_name", "surname": "last_name", "family_name": "last_name",
    "phone_number": "phone", "mobile": "phone", "date_of_birth": "birthday", "birth_date": "birthday",
    "cc": "country", "postcode": "postal_code", "zip": "postal_code", "zip_code": "postal_code",
}  # fmt: skip

# Digits that are names, not amounts: adding them up would be nonsense, and leading zeros matter.
_DIGITS_ARE_TEXT = re.compile(r"(^|_)(id|phone|code|zip|number|no|tel|mobile|fax|vat|sku)(_|$)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?\Z")
_YES_NO = frozenset({"true", "false", "yes", "no"})
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")


def guess(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, tuple[Column, ...]]:
    """Where a file seems to come from ("klaviyo", ... or "csv"), and its columns, from headers and a few rows.

    A target is given to the first column that fits; a later one becomes an attribute.
    """
    plain = [normalised(header) for header in headers]
    present = set(plain)
    origin = next((known.name for known in ORIGINS if known.signature <= present), "csv")
    taken: set[Target] = set()
    columns = []
    for index, header in enumerate(headers):
        values = [row[index].strip() for row in rows if index < len(row) and row[index].strip()]
        target = _target(plain[index], origin, values, taken)
        if target not in {Target.ATTRIBUTE, Target.IGNORE}:
            taken.add(target)
        columns.append(_column(header, target, values))
    return origin, tuple(_with_email(columns, rows, taken))


def _target(plain: str, origin: str, values: Sequence[str], taken: set[Target]) -> Target:
    if not plain:
        return Target.IGNORE
    if plain == "status" and origin in _STATUS_MEANS_CONSENT:
        target = Target.CONSENT
    elif plain == "attributes" and not all(value.startswith("{") for value in values):
        target = Target.ATTRIBUTE
    else:
        target = _KNOWN.get(plain, Target.ATTRIBUTE)
    return Target.ATTRIBUTE if target in taken and target is not Target.IGNORE else target


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
    name = name or attribute_name(header)
    return Column(header, target, name, _kind(name, values), samples)


def _kind(name: str, values: Sequence[str]) -> Kind:
    if values and all(value.lower() in _YES_NO for value in values):
        return Kind.YES_NO
    if values and not _DIGITS_ARE_TEXT.search(name) and all(_NUMBER.match(value) for value in values):
        return Kind.NUMBER
    return Kind.TEXT


def remap(columns: Sequence[Column], wishes: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns with somebody's wishes: header -> target, attribute name, or `-` to leave it out.

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
        if column.target is not Target.IGNORE and what in seen:
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
    name = wish.removeprefix("contact.")
    if name in set(Target) - {Target.ATTRIBUTE}:
        return Column(column.header, Target(name), samples=column.samples)
    return _column(column.header, Target.ATTRIBUTE, column.samples, attribute_name(name))


def normalised(header: str) -> str:
    """A header as words in lower case, so that `E-Mail_Address` and `email address` are one."""
    return " ".join(re.sub(r"[^0-9a-z]+", " ", header.casefold()).split())


def attribute_name(header: str) -> str:
    """A header as the name of an attribute: `First Name` is `first_name`."""
    name = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", header.strip())).strip("_").casefold()
    name = _ALIASES.get(name, name)
    return f"n{name}" if name[:1].isdigit() else name or "unnamed"
