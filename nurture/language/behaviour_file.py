"""The shape of behaviour.yaml, and of the files that `simulate --caps` reads. Closed: `meta` is the only free space."""

# ruff: noqa: RUF012  # pydantic copies the defaults of its fields

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from nurture.language.fields import (
    DurationField,
    HoursField,
    OrText,
    PercentField,
    RateField,
    TextList,
    TimesField,
    ZoneField,
)
from nurture.language.project_file import CapRuleModel
from nurture.language.steps import Meta, Strict, Version

Share = Annotated[float, Field(gt=0, le=1e9)]
Factor = Annotated[float, Field(ge=0, le=1000)]
Month = Literal["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Values = Annotated[dict[str, Any], OrText("like")]
ByStage = Annotated[dict[str, PercentField], Field(min_length=1), OrText("*")]


def _is_name(value: object) -> str:
    return "name" if isinstance(value, str) else "list"


Then = Annotated[
    Annotated[list["FollowRule"], Tag("list")] | Annotated[str, Tag("name")],
    Discriminator(_is_name),
]


class PastRule(Strict):
    """Something that people who are there from the start did before."""

    event: str
    """The event."""
    stages: TextList | None = None
    """Only people in these stages; all if left out."""
    chance: PercentField = 1.0
    """How many of them did it; all if left out."""
    times: TimesField = (1, 1)
    """How often: a number, or a range."""
    within: DurationField
    """How long ago at most."""
    values: Values = Field({}, alias="with")
    """Its properties: a mapping, or the name of one of `values`."""


class PeopleRule(Strict):
    """Who the people are when the simulation begins. Shares are weights: they need not add up to 100."""

    stages: Annotated[dict[str, Share], Field(min_length=1)]
    """How many are in each stage."""
    zones: dict[ZoneField, Share] = {}
    """Where they live; all in the project's zone if left out."""
    locales: dict[str, Share] = {}
    """What they speak; the project's locale if left out."""
    consent: dict[Literal["granted", "none", "withdrawn"], Share] = {"granted": 1.0}
    """What they have said to marketing mail; all said yes if left out."""
    attributes: Values = {}
    """What is known of them."""
    history: list[PastRule] = []
    """What they did before."""


class FollowRule(Strict):
    """What may come of an event. It carries the properties of what it follows, and its own over them."""

    event: str
    """The event."""
    chance: ByStage = {"*": 1.0}
    """How likely: for everybody, or by stage; always if left out."""
    after: DurationField | None = None
    """How long after, at least; at once if left out."""
    within: DurationField
    """How long after, at most; soon is likelier than late."""
    values: Values = Field({}, alias="with")
    """Its properties: a mapping, or the name of one of `values`."""
    then: Then = []
    """What may come of it: a list, or the name of a chain."""


class ArrivalRule(Strict):
    """What brings a new person."""

    event: str
    """Her first event."""
    share: Share = 1.0
    """How many come by it: a weight among all of these."""
    values: Values = Field({}, alias="with")
    """Its properties: a mapping, or the name of one of `values`."""
    then: Then = []
    """What may come of it: a list, or the name of a chain."""


class ArrivalsRule(Strict):
    """The people who come while the simulation runs."""

    share: PercentField
    """How many of all people."""
    by: Annotated[list[ArrivalRule], Field(min_length=1)]
    """What brings them."""


class DoesRule(Strict):
    """What people do of their own accord. Some do it often, some hardly ever: the rate is that of the average."""

    event: str
    """The event."""
    rate: Annotated[dict[str, RateField], Field(min_length=1), OrText("*")]
    """How often: for everybody, or by stage; never in stages that are left out."""
    values: Values = Field({}, alias="with")
    """Its properties: a mapping, or the name of one of `values`."""
    then: Then = []
    """What may come of it: a list, or the name of a chain."""


class ResponseRule(Strict):
    """What a mail makes people do. The event carries the start data of the mail's campaign."""

    to: TextList
    """The mails: `campaign/step`, `campaign`, `category: name`, or `*` for every mail."""
    event: str
    """The event."""
    chance: ByStage
    """How likely: for everybody, or by stage."""
    tiring: Annotated[float, Field(ge=1, le=10)] = 1.0
    """Likelier by this factor for each other mail she got in the 7 days before."""
    after: DurationField | None = None
    """How long after the mail, at least."""
    within: DurationField
    """How long after, at most; soon is likelier than late."""
    values: Values = Field({}, alias="with")
    """Its properties: a mapping, or the name of one of `values`."""
    then: Then = []
    """What may come of it: a list, or the name of a chain."""


class SeasonsRule(Strict):
    """When more is done, and when less: factors on what people do of their own accord. 1 where left out."""

    months: dict[Month, Factor] = {}
    """By month."""
    days: dict[Weekday, Factor] = {}
    """By day of the week."""
    hours: dict[HoursField, Factor] = {}
    """By time of day."""


class BehaviourFile(Strict):
    """How made-up people behave, for `nurture simulate`."""

    version: Version
    """Always 1."""
    people: PeopleRule
    """Who they are when it begins."""
    arrivals: ArrivalsRule | None = None
    """Who comes while it runs; nobody if left out."""
    seasons: SeasonsRule = SeasonsRule()
    """When more is done, and when less."""
    does: list[DoesRule] = []
    """What they do of their own accord."""
    responses: list[ResponseRule] = []
    """What a mail makes them do."""
    churn: Annotated[dict[str, RateField], OrText("*")] = {}
    """How often people fall silent for good, without a word: for everybody, or by stage."""
    values: dict[str, dict[str, Any]] = {}
    """Properties that several events share, by name: `with: name`, or `like: name` among others of its own."""
    chains: dict[str, list[FollowRule]] = {}
    """What may come of several events, by name: `then: name`."""
    meta: Meta = {}
    """Anything of your own."""


class CapsFile(Strict):
    """Other caps, to see what they would change: `nurture simulate --caps`."""

    version: Version
    """Always 1."""
    caps: list[CapRuleModel]
    """In place of the caps of the project; none at all if the list is empty."""
    meta: Meta = {}
    """Anything of your own."""
