"""What goes in and out of the API. Unknown fields are refused, and whatever no database could give back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from nurture.domain.contact import Contact
from nurture.intake.addresses import address_problem
from nurture.intake.json_text import is_storable, unstorable
from nurture.intake.whereabouts import known_locale, known_zone


def _text(value: str) -> str:
    if not is_storable(value):
        raise ValueError("holds a NUL or half a character")
    if not (text := value.strip()):  # the pattern's idea of a space is narrower than ours
        raise ValueError("is empty")
    return text


def _address(value: str) -> str:
    value = _text(value)
    if problem := address_problem(value):
        raise ValueError(problem)
    return value


def _zone(value: str) -> str:
    if (zone := known_zone(value)) is None:
        raise ValueError("is no time zone, as Europe/Helsinki")
    return zone


def _locale(value: str) -> str:
    if (locale := known_locale(value)) is None:
        raise ValueError("is no locale, as fi or pt-BR")
    return locale


def _data(value: dict[str, Any]) -> dict[str, Any]:
    if problem := unstorable(value):
        raise ValueError(problem)
    return value


Email = Annotated[str, Field(min_length=3, max_length=320, examples=["ana@example.com"]), AfterValidator(_address)]
ExternalId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"\S"), AfterValidator(_text)]
Attributes = Annotated[dict[str, Any], Field(max_length=500), AfterValidator(_data)]
Said = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S"), AfterValidator(_text)]


class In(BaseModel):
    """A body: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Named(In):
    """Somebody, by an address or your id."""

    email: Email | None = None
    external_id: ExternalId | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.email is None and self.external_id is None:
            raise ValueError("an email or an external_id is needed")
        return self


class PersonIn(Named):
    """What is said about somebody. Attributes are merged into hers; null takes one away."""

    attributes: Attributes = Field(default_factory=dict)
    zone: Annotated[str, Field(max_length=100), AfterValidator(_zone)] | None = None
    locale: Annotated[str, Field(max_length=20), AfterValidator(_locale)] | None = None


class ConsentIn(In):
    """What she said about mail, and the proof: where, and by what words."""

    granted: bool
    topic: Annotated[str, Field(max_length=100), AfterValidator(_text)] | None = Field(
        None, description="Only this topic; all marketing mail if left out."
    )
    source: Said = Field(description="Where she said it, as `checkout`.")
    wording: Said | None = Field(None, description="What she was shown.")


class FewerMailsIn(In):
    """At most one marketing mail in so many days, by her own wish; null is as the campaigns have it."""

    days: Literal[7, 14, 30] | None


class SuppressIn(In):
    """Addresses that are never mailed again, known or not."""

    emails: Annotated[list[Email], Field(min_length=1, max_length=1000)]


class LiftIn(In):
    """An address that may be mailed again, on your responsibility."""

    email: Email


class PersonOut(BaseModel):
    """A person as we know her. `suppressed` says why she is never mailed."""

    id: int
    email: str | None
    external_id: str | None
    stage: str | None
    stage_since: datetime | None
    consent: str
    opted_out: list[str]
    suppressed: str | None
    paused_until: datetime | None
    own_cap_days: int | None
    zone: str | None
    locale: str | None
    attributes: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, contact: Contact) -> PersonOut:
        return cls(
            id=contact.id,
            email=contact.email,
            external_id=contact.external_id,
            stage=contact.stage,
            stage_since=contact.stage_since,
            consent=contact.consent.value,
            opted_out=sorted(contact.opted_out),
            suppressed=contact.suppressed.value if contact.suppressed is not None else None,
            paused_until=contact.paused_until,
            own_cap_days=contact.own_cap_days,
            zone=contact.zone,
            locale=contact.locale,
            attributes=dict(contact.attributes),
            created_at=contact.created_at,
        )


class PeopleOut(BaseModel):
    """One page. `next` is the cursor of the next one, null at the end."""

    people: list[PersonOut]
    next: str | None


class Taken(BaseModel):
    """It is durable; her next turn judges it."""

    taken: bool = True


class Suppressed(BaseModel):
    """How many were not on the list before."""

    new: int


class Lifted(BaseModel):
    """Whether it was on the list."""

    lifted: bool
