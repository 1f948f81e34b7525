"""The shape of every kind of file. Closed: `meta` is the only free space. Also the source of the JSON Schema."""

# ruff: noqa: RUF012  # pydantic copies the defaults of its fields

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import Field, model_validator

from nurture.language.fields import (
    AddressField,
    AgainField,
    ClockField,
    CodeField,
    DaysField,
    DiscountField,
    DurationField,
    ExpressionField,
    HolidaysField,
    HoursField,
    InstantField,
    MomentField,
    NameField,
    OrOne,
    OrText,
    PercentField,
    StageChangeField,
    TextList,
    UrlField,
    ZoneField,
    refuse,
)
from nurture.language.steps import Step, Strict

Version = Literal[1]
Meta = dict[str, Any]


class StartRule(Strict):
    """What brings people in: exactly one of event, stage, segment, date and manual."""

    event: str | None = None
    """On this event."""
    stage: StageChangeField | None = None
    """On this change of the lifecycle stage."""
    segment: str | None = None
    """On entering this segment; members of before are not enrolled."""
    date: ExpressionField | None = None
    """Each year on the month and day of this date."""
    manual: Literal[True] | None = None
    """Only by hand."""
    at: ClockField | None = None
    """The local time for `date`; 09:00 if left out."""
    key: ExpressionField | None = None
    """What one passage is about: the same key never starts twice at once."""
    condition: ExpressionField | None = Field(None, alias="if")
    """Start only if this holds."""
    again: AgainField | None = None
    """Whether a person may start again: never, always (the default), or after so long."""
    meanwhile: Literal["ignore", "refresh", "restart"] = "ignore"
    """What the same key does while the person is inside."""

    @model_validator(mode="after")
    def _one_trigger(self) -> StartRule:
        triggers = [name for name in ("event", "stage", "segment", "date", "manual") if getattr(self, name) is not None]
        if len(triggers) != 1:
            found = " and ".join(triggers) if triggers else "none"
            raise refuse("N108", f"a start is one of event, stage, segment, date and manual; this has {found}")
        if self.at is not None and self.date is None:
            raise refuse("N108", "at belongs to a start by date", "use send_window, or wait ... until in the steps")
        return self


class StopRule(Strict):
    """What makes people leave at once: exactly one of event, stage and segment."""

    event: str | None = None
    """This event."""
    where: ExpressionField | None = None
    """Only an event for which this holds."""
    stage: StageChangeField | None = None
    """This change of the lifecycle stage."""
    segment: str | None = None
    """Being in this segment."""

    @model_validator(mode="after")
    def _one_trigger(self) -> StopRule:
        triggers = [name for name in ("event", "stage", "segment") if getattr(self, name) is not None]
        if len(triggers) != 1:
            found = " and ".join(triggers) if triggers else "none"
            raise refuse("N108", f"a stop is one of event, stage and segment; this has {found}")
        if self.where is not None and self.event is None:
            raise refuse("N108", "where belongs to a stop by event")
        return self


class GoalRule(Strict):
    """What the campaign is for."""

    event: str
    """The event that reaches it."""
    within: DurationField
    """How long after the start it still counts."""
    where: ExpressionField | None = None
    """Only an event for which this holds."""
    value: ExpressionField | None = None
    """What it is worth, such as event.total."""
    then: Literal["exit", "stay"] = "exit"
    """Whether reaching it ends the campaign for this person."""


class TierRule(Strict):
    """A tier of an offer; the first whose condition holds is given."""

    name: NameField
    """Its name in reports."""
    condition: ExpressionField | None = Field(None, alias="if")
    """Who gets it; the last tier may leave it out."""
    discount: DiscountField
    """A percentage or an amount."""
    code: CodeField
    """fixed:TEXT for one code for all, unique:PREFIX for one code a person."""


class OfferRule(Strict):
    """An offer: one discount and code, or tiers."""

    expires: DurationField
    """How long after it was granted."""
    discount: DiscountField | None = None
    """A percentage or an amount."""
    code: CodeField | None = None
    """fixed:TEXT for one code for all, unique:PREFIX for one code a person."""
    tiers: list[TierRule] | None = Field(None, min_length=1)
    """In place of discount and code."""

    @model_validator(mode="after")
    def _either(self) -> OfferRule:
        if self.tiers is not None and (self.discount or self.code):
            raise refuse("N108", "an offer has either tiers or one discount and code, not both")
        if self.tiers is None and not (self.discount and self.code):
            raise refuse("N104", "an offer needs a discount and a code, or tiers")
        return self


class WindowRule(Strict):
    """When mail of this campaign may leave, on the person's clock."""

    between: HoursField | None = None
    """The hours, such as 08:00-20:00."""
    days: DaysField | None = None
    """The days, such as weekdays."""


class CampaignFile(Strict):
    """One campaign."""

    version: Version
    """Always 1."""
    campaign: NameField
    """The name, unique in the project; renaming it makes a new campaign."""
    title: str | None = None
    """What it does, in words."""
    owner: AddressField | None = None
    """Whom to ask."""
    topic: str | None = None
    """What a person can unsubscribe from; required for marketing mail."""
    status: Literal["draft", "live", "paused", "archived"] = "draft"
    """Only live campaigns start and send."""
    priority: int = Field(50, ge=0, le=100)
    """Wins a slot over lower numbers."""
    start: StartRule
    """What brings people in."""
    stop: Annotated[list[StopRule], OrOne()] = []
    """What makes them leave at once."""
    goal: GoalRule | None = None
    """What it is for."""
    send_window: WindowRule | None = None
    """When its mail may leave."""
    hold_out: PercentField | None = None
    """People who pass through without getting mail, so that uplift can be measured."""
    offers: dict[NameField, OfferRule] = {}
    """The offers its mails may carry."""
    steps: list[Step] = Field(min_length=1)
    """What happens, from top to bottom."""
    meta: Meta = {}
    """Anything of your own."""


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

    name: Annotated[str, MinLen(1)]
    """The name people see."""
    email: AddressField
    """The address."""
    reply_to: AddressField | None = None
    """Where answers go, if elsewhere."""


class TopicRule(Strict):
    """Something people can unsubscribe from."""

    title: Annotated[str, MinLen(1)]
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
    seed: Annotated[str, MinLen(1)] = "nurture"
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
    teams: dict[NameField, AddressField] = {}
    """Teams that alerts go to."""
    webhooks: dict[NameField, UrlField] = {}
    """Systems that webhook steps tell."""
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

    @model_validator(mode="after")
    def _something(self) -> ExpectRule:
        if not self.model_fields_set:
            raise refuse(
                "N104", "a test must expect something", "write sent, not_sent, skipped, left_by, stage or goal"
            )
        return self


class StoryFile(Strict):
    """A test beside a campaign: what happens, and what must come of it."""

    version: Version = 1
    """Always 1."""
    test: Annotated[str, MinLen(1)]
    """What is shown, as a sentence."""
    campaign: str
    """The campaign."""
    person: str
    """One of the example people."""
    since: InstantField = Field(alias="from")
    """When the story begins, such as 2026-10-24T20:00 Europe/Berlin."""
    until: MomentField | None = None
    """When it ends; long enough for every step if left out."""
    story: list[StoryItem] = []
    """What happens."""
    expect: ExpectRule
    """What must come of it."""
    meta: Meta = {}
    """Anything of your own."""


FILE_KINDS: dict[str, type[Strict]] = {
    "campaign": CampaignFile,
    "project": ProjectFile,
    "segments": SegmentsFile,
    "person": PersonFile,
    "test": StoryFile,
}
