"""The shape of _project.yaml and _segments.yaml. Closed: `meta` is the only free space."""

# ruff: noqa: RUF012  # pydantic copies the defaults of its fields

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from nurture.domain.ledger import FactKind
from nurture.language.fields import (
    AddressField,
    DurationField,
    ExpressionField,
    HolidaysField,
    HoursField,
    NameField,
    OrOne,
    OrText,
    PercentField,
    Text,
    TextList,
    UrlField,
    ZoneField,
    refuse,
)
from nurture.language.forms import FormRule
from nurture.language.incoming_file import EnvironmentField
from nurture.language.problems import did_you_mean
from nurture.language.steps import Meta, Strict, Version
from nurture.language.surveys import SurveyRule


class MoveRule(Strict):
    """A rule of the lifecycle: on an event, after a time in the stage, or when a condition comes to hold."""

    to: str
    """The stage people move to."""
    sources: TextList | None = Field(None, alias="from")
    """The stages they may come from; any if left out."""
    on: TextList | None = None
    """The events that move them."""
    after: DurationField | None = None
    """The time they must have been in the stage."""
    condition: ExpressionField | None = Field(None, alias="if")
    """What must hold."""

    @model_validator(mode="after")
    def _one_trigger(self) -> MoveRule:
        if self.on is not None and self.after is not None:
            raise refuse("N108", "a move happens on an event or after a time, not both", "write two moves")
        if self.on is None and self.after is None and self.condition is None:
            raise refuse("N108", "a move needs on, after or if")
        return self


class LifecycleRule(Strict):
    """The stages people pass through, and what moves them."""

    stages: list[NameField] = Field(min_length=1)
    """Their names, in the order of the journey."""
    aliases: dict[str, str] = {}
    """Other words for them."""
    first: str | None = None
    """The stage of new people; the first one if left out."""
    moves: list[MoveRule] = []
    """What moves people; the first rule that fits wins."""


class SenderRule(Strict):
    """Who mail comes from."""

    name: Annotated[str, Field(min_length=1)]
    """The name people see."""
    email: AddressField
    """The address."""
    reply_to: AddressField | None = None
    """Where answers go, if elsewhere."""


class TopicRule(Strict):
    """Something people can unsubscribe from."""

    title: Annotated[str, Field(min_length=1)]
    """Its name on the preferences page."""
    description: str | None = None
    """What it brings, in a sentence."""


class CapRuleModel(Strict):
    """At most so many marketing mails for one person in any rolling window."""

    max: int = Field(ge=1, le=1000)
    """How many."""
    per: DurationField
    """In how long a window."""
    category: str | None = None
    """Only mails of this category."""


class ConsentRule(Strict):
    """The events that are a yes or a no to marketing mail."""

    granted_by: TextList | None = None
    """Events that grant it."""
    withdrawn_by: TextList | None = None
    """Events that withdraw it."""


def parse_fact(text: str) -> str:
    """A kind of fact, or `*` for all. Raises ValueError."""
    if text not in {"*", *FactKind}:
        nearest = did_you_mean(text, list(FactKind))
        raise ValueError(f'"{text}" is no fact; {f"did you mean {nearest}?" if nearest else "write sent, or *"}')
    return text


FactField = Annotated[str, Text("N106", "a kind of fact", parse_fact, "sent", "goal_reached", "*")]


class WebhookRule(Strict):
    """A system that is told by steps, and of facts as they happen."""

    url: UrlField
    """Where it listens."""
    facts: Annotated[list[FactField], OrOne()] = []
    """The facts it hears of, such as sent, bounced, goal_reached, left, consent_withdrawn; `*` is all of them."""
    secret: EnvironmentField | None = None
    """The variable of the environment that holds the secret its calls are signed with."""


class TrackingRule(Strict):
    """Which clicks and opens are seen: of people who said yes to it."""

    clicks: bool = False
    """Links of marketing mails lead over the HTTP side."""
    opens: bool = False
    """Marketing mails load a picture from the HTTP side."""
    consent: NameField
    """The attribute that must be true: the person said yes to being tracked."""


class ProjectFile(Strict):
    """What holds for all campaigns."""

    version: Version
    """Always 1."""
    lifecycle: LifecycleRule
    """Stages and moves."""
    zone: ZoneField = "UTC"
    """The time zone of people who have none."""
    locale: str = Field("en", pattern=r"^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")
    """The language of people who have none."""
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    """The currency of amounts, by its three letters."""
    seed: Annotated[str, Field(min_length=1)] = "nurture"
    """What splits and hold-outs are drawn with; a new seed deals anew."""
    senders: dict[NameField, SenderRule] = Field(min_length=1)
    """Who mail comes from; the first one is the default."""
    postal_address: str | None = None
    """The postal address that marketing mail must show."""
    topics: dict[NameField, TopicRule] = {}
    """What people can unsubscribe from."""
    categories: list[NameField] = []
    """What caps can count apart; categories named by caps are known already."""
    quiet_hours: HoursField | None = None
    """The local hours in which no marketing mail leaves."""
    holidays: HolidaysField | None = None
    """A country (FI, US-NY) or a list of dates: not business days."""
    caps: list[CapRuleModel] = []
    """All of them hold, for every person, in every rolling window."""
    hold_out: PercentField | None = None
    """People who never get marketing mail, so that uplift can be measured."""
    consent: ConsentRule | None = None
    """The events that are a yes or a no to marketing mail."""
    forms: dict[NameField, FormRule] = {}
    """Where people sign up: pages at /s/NAME, confirmed by a mail."""
    surveys: dict[NameField, SurveyRule] = {}
    """Questions that are answered by a link in a mail."""
    tracking: TrackingRule | None = None
    """Clicks and opens; off if left out."""
    teams: dict[NameField, AddressField] = {}
    """Teams that alerts go to."""
    webhooks: dict[NameField, Annotated[WebhookRule, OrText("url")]] = {}
    """Systems that are told: by webhook steps, or of facts; an address, or `{url, facts, secret}`."""
    brand: dict[str, Any] = {}
    """For templates; email_templates/brand.yaml adds to it."""
    meta: Meta = {}
    """Anything of your own."""


class SegmentRule(Strict):
    """A named condition with words about it."""

    condition: ExpressionField = Field(alias="if")
    """Who is in it."""
    title: str | None = None
    """What it means, in words."""


class SegmentsFile(Strict):
    """Named conditions."""

    version: Version
    """Always 1."""
    segments: dict[NameField, Annotated[SegmentRule, OrText("if")]]
    """Name to condition, or to `{if, title}`."""
    meta: Meta = {}
    """Anything of your own."""
