"""The shape of a campaign file. Closed: `meta` is the only free space."""

# ruff: noqa: RUF012  # pydantic copies the defaults of its fields

from __future__ import annotations

from typing import Annotated, Literal

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
    HoursField,
    NameField,
    OrOne,
    PercentField,
    StageChangeField,
    refuse,
)
from nurture.language.steps import Meta, Step, Strict, Version


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
