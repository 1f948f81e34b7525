"""The shape of example people and of tests. Closed: `meta` is the only free space."""

# ruff: noqa: RUF012  # pydantic copies the defaults of its fields

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nurture.language.fields import (
    AddressField,
    InstantField,
    MomentField,
    NameField,
    ZoneField,
    refuse,
)
from nurture.language.steps import Meta, Strict, Version


class HistoryItem(Strict):
    """Something that happened to an example person."""

    event: str
    """The event."""
    at: MomentField
    """When, such as -40d."""
    values: dict[str, Any] = Field({}, alias="with")
    """Its properties."""


class PersonFile(Strict):
    """An example person: for previews, tests and simulations."""

    version: Version = 1
    """Always 1."""
    person: NameField
    """The name tests call her by."""
    email: AddressField
    """Her address, at a domain of nobody's, such as ana@people.example."""
    zone: ZoneField | None = None
    """Her time zone."""
    locale: str | None = None
    """Her language."""
    stage: str | None = None
    """Her lifecycle stage; the first one if left out."""
    consent: Literal["granted", "none", "withdrawn"] = "granted"
    """Whether she wants marketing mail."""
    attributes: dict[str, Any] = {}
    """What is known of her."""
    history: list[HistoryItem] = []
    """What happened before."""
    start: dict[str, Any] = {}
    """Start data for previews."""
    starts: dict[str, dict[str, Any]] = {}
    """Start data by campaign."""
    meta: Meta = {}
    """Anything of your own."""


class StoryItem(Strict):
    """Something that happens in a test."""

    at: MomentField
    """When, from the beginning of the story, such as +14h."""
    event: str
    """The event."""
    values: dict[str, Any] = Field({}, alias="with")
    """Its properties."""


class MailTexts(Strict):
    """What must stand in a mail. Runs of space and line ends count as one space."""

    subject: str | list[str] = []
    """In the subject."""
    html: str | list[str] = []
    """In the text of the HTML part, as people see it."""
    text: str | list[str] = []
    """In the plain text part."""


class ExpectRule(Strict):
    """What must have become of the person."""

    sent: list[str] | None = None
    """Exactly these steps, in this order."""
    not_sent: list[str] = []
    """None of these steps."""
    skipped: dict[str, str] = {}
    """Step to the reason it was skipped."""
    left_by: str | None = None
    """Why the person left; `inside` if she has not."""
    stage: str | None = None
    """Her stage at the end."""
    goal: bool | None = None
    """Whether the goal was reached."""
    contains: dict[str, str | list[str] | MailTexts] = {}
    """Sent step to what must stand in its mail: text for any part of it, or by `subject`, `html` and `text`."""

    @model_validator(mode="after")
    def _something(self) -> ExpectRule:
        if not self.model_fields_set:
            raise refuse(
                "N104",
                "a test must expect something",
                "write sent, not_sent, skipped, left_by, stage, goal or contains",
            )
        return self


class StoryFile(Strict):
    """A test beside a campaign: what happens, and what must come of it."""

    version: Version = 1
    """Always 1."""
    test: Annotated[str, Field(min_length=1)]
    """What is shown, as a sentence."""
    campaign: str
    """The campaign."""
    person: str
    """One of the example people."""
    since: InstantField = Field(alias="from")
    """When the story begins, such as 2026-10-24T20:00 Europe/Berlin."""
    until: MomentField | None = None
    """When it ends; long enough for every step if left out."""
    draws: dict[str, str] = {}
    """Split to the arm that is drawn; without it she draws the arm that is hers for ever."""
    story: list[StoryItem] = []
    """What happens."""
    expect: ExpectRule
    """What must come of it."""
    meta: Meta = {}
    """Anything of your own."""
