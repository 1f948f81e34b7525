"""The shape of steps: one model a kind, told apart by the key that names the kind."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic_core import core_schema

from nurture.language.fields import (
    ClockField,
    DaysField,
    DurationField,
    ExpressionField,
    LateField,
    NameField,
    OnCapField,
    OrText,
    TextList,
    refuse,
)
from nurture.language.problems import did_you_mean

Version = Literal[1]
Meta = dict[str, Any]


class Strict(BaseModel):
    """A closed model: unknown keys are refused and nothing is converted silently."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _remember(cls, value: object, info: ValidationInfo) -> object:
        """Note which model a mapping was read as, so that a message about it can name the keys it may have."""
        if isinstance(info.context, dict) and isinstance(value, dict):
            info.context[id(value)] = cls
        return value


class SendStep(Strict):
    """Mail one template. Judged when due and again just before it leaves; a false `if` skips it."""

    id: NameField
    """The identity of the step across edits; rename it with `was`."""
    send: str
    """The template, without its extension."""
    condition: ExpressionField | None = Field(None, alias="if")
    """Skip the mail unless this holds."""
    category: str | None = None
    """What caps count the mail as; one of the project's categories."""
    sender: str | None = Field(None, alias="from")
    """One of the project's senders; the first one if left out."""
    subject: str | None = None
    """In place of the template's subject."""
    offer: str | None = None
    """One of the campaign's offers, granted when the mail is planned."""
    late: LateField | None = None
    """How long after its due time the mail may still go."""
    on_cap: OnCapField | None = None
    """What to do when a frequency cap is full."""
    urgent: bool = False
    """May leave outside the send window; never over a cap."""
    kind: Literal["marketing", "transactional"] = "marketing"
    """Transactional mail is exempt from consent, caps and quiet hours and may carry no offer."""
    was: TextList | None = None
    """Earlier ids of this step."""


class WaitStep(Strict):
    """Wait, counted from the moment the previous step ended; then on to a time of day and a day of the week."""

    wait: DurationField | None = None
    """How long. Hours are elapsed time, days are calendar days in the person's zone."""
    until: ClockField | None = None
    """The next time the person's clock shows this."""
    on: DaysField | None = None
    """On one of these days."""


class WaitUntilStep(Strict):
    """Wait until an instant or a date that an expression gives."""

    wait_until: str
    """Such as `contact.renews_at - 14 days`."""
    until: ClockField | None = None
    """The time of day, where the expression gives a date."""


class Awaited(Strict):
    """The event to wait for, and for how long."""

    event: str
    """The name of the event."""
    up_to: DurationField
    """How long to wait before going on to `otherwise`."""
    where: ExpressionField | None = None
    """Only an event for which this holds."""


class WaitForStep(Strict):
    """Wait for an event; `then` if it was seen, `otherwise` if not."""

    wait_for: Awaited
    """What to wait for."""
    then: list[Step] = []
    """Steps after the event was seen."""
    otherwise: list[Step] = []
    """Steps after it was not."""


class WaitQuietStep(Strict):
    """Wait until none of these events was seen for so long."""

    wait_quiet: DurationField
    """How long it must stay quiet."""
    after: TextList
    """The events that begin the wait again."""


class BranchArm(Strict):
    """One way out of a branch."""

    condition: ExpressionField | None = Field(None, alias="if")
    """Take this way if it holds."""
    fallback: Literal[True] | None = Field(None, alias="else")
    """Take this way if no other was taken."""
    do: list[Step]
    """The steps of this way; may be empty."""

    @model_validator(mode="after")
    def _one_rule(self) -> BranchArm:
        if (self.condition is None) == (self.fallback is None):
            raise refuse("N108", "a way of a branch needs either if or else: true", "the last one may say else: true")
        return self


class BranchStep(Strict):
    """Take the first way whose condition holds."""

    branch: list[BranchArm] = Field(min_length=1)
    """The ways, in order."""


class SplitArm(Strict):
    """One arm of a split."""

    name: NameField
    """The name that reports show."""
    share: float = Field(gt=0, le=100)
    """Of a hundred people, how many."""
    do: list[Step]
    """The steps of this arm; empty for a hold-out."""


class SplitStep(Strict):
    """Divide people at random, once and for ever."""

    split: NameField
    """The name of the split: the same person always gets the same arm of it."""
    arms: list[SplitArm] = Field(min_length=2)
    """The arms; their shares add up to 100."""


class SetStep(Strict):
    """Set attributes of the contact."""

    values: dict[str, Any] = Field(alias="set", min_length=1)
    """Attribute to value; a text that begins with contact., event., start. or offer. is an expression."""


class MoveStep(Strict):
    """Move the contact to a lifecycle stage."""

    move: str
    """The stage."""


class Recording(Strict):
    """An event of our own with properties."""

    event: str
    """Its name."""
    values: dict[str, Any] = Field({}, alias="with")
    """Its properties."""


class RecordStep(Strict):
    """Record an event of our own, which other campaigns may start or stop on."""

    record: Annotated[Recording, OrText("event")]
    """The name of the event, or `{event, with}`."""


class WebhookStep(Strict):
    """Tell another system."""

    webhook: str
    """One of the project's webhooks."""


class Alarm(Strict):
    """A team and what to tell it."""

    team: str
    """One of the project's teams."""
    text: str | None = None
    """What to say."""


class AlertStep(Strict):
    """Tell a team about this person."""

    alert: Annotated[Alarm, OrText("team")]
    """One of the project's teams, or `{team, text}`."""


class Jump(Strict):
    """Where to go back to, and how often."""

    step: str
    """The id of a send in this campaign."""
    times: int = Field(ge=1, le=100)
    """At most so many times for one person; then on to the next step."""


class GotoStep(Strict):
    """Go back to an earlier send."""

    goto: Annotated[Jump, OrText("step", times=1)]
    """The id of a send (once), or `{step, times}`."""


class EndStep(Strict):
    """The campaign ends here for this person."""

    end: Literal[True]
    """Always true."""


KINDS: dict[str, type[Strict]] = {
    "send": SendStep,
    "wait_until": WaitUntilStep,
    "wait_for": WaitForStep,
    "wait_quiet": WaitQuietStep,
    "branch": BranchStep,
    "split": SplitStep,
    "set": SetStep,
    "move": MoveStep,
    "record": RecordStep,
    "webhook": WebhookStep,
    "alert": AlertStep,
    "goto": GotoStep,
    "end": EndStep,
    "wait": WaitStep,
}
_OTHER_WORDS = {
    "email": "send", "mail": "send", "template": "send", "delay": "wait", "sleep": "wait", "pause": "wait",
    "if": "branch", "condition": "branch", "switch": "branch", "ab_test": "split", "exit": "end", "stop": "end",
    "stage": "move", "event": "record", "emit": "record", "notify": "alert", "jump": "goto", "update": "set",
}  # fmt: skip


def kind_of(value: object) -> str | None:
    """The kind of step a mapping is, None if it is none."""
    if not isinstance(value, dict):
        return None
    for kind in KINDS:
        if kind in value:
            return kind
    return "wait" if "until" in value or "on" in value else None


class _OneKind:
    """Lets a step through that is of exactly one kind; `- end` may be written as a word."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"const": "end"}, handler(core)]}

    def check(self, value: object) -> object:
        if value == "end":
            return {"end": True}
        if not isinstance(value, dict):
            hint = f"write `- {value}: ...`" if isinstance(value, str) and value in KINDS else None
            raise refuse("N105", "a step is a mapping, like `- wait: 1 day`", hint)
        kinds = [kind for kind in KINDS if kind in value]
        if len(kinds) > 1:
            message = "a step does one thing; this one has " + " and ".join(kinds)
            raise refuse("N108", message, "begin a new step with `- ` before each")
        if kind_of(value) is None:
            raise refuse("N108", f"no kind of step: {', '.join(value) or 'nothing'}", _kind_hint(value))
        return value


def _kind_hint(value: dict[str, object]) -> str:
    for key in value:
        if nearest := did_you_mean(key, KINDS):
            return f"did you mean {nearest}?"
    for key in value:
        if key in _OTHER_WORDS:
            return f"the word here is {_OTHER_WORDS[key]}"
    return "a step is one of " + ", ".join(KINDS)


def _tag(kind: str) -> Tag:
    return Tag(f"<{kind}>")


Step = Annotated[
    Annotated[SendStep, _tag("send")]
    | Annotated[WaitStep, _tag("wait")]
    | Annotated[WaitUntilStep, _tag("wait_until")]
    | Annotated[WaitForStep, _tag("wait_for")]
    | Annotated[WaitQuietStep, _tag("wait_quiet")]
    | Annotated[BranchStep, _tag("branch")]
    | Annotated[SplitStep, _tag("split")]
    | Annotated[SetStep, _tag("set")]
    | Annotated[MoveStep, _tag("move")]
    | Annotated[RecordStep, _tag("record")]
    | Annotated[WebhookStep, _tag("webhook")]
    | Annotated[AlertStep, _tag("alert")]
    | Annotated[GotoStep, _tag("goto")]
    | Annotated[EndStep, _tag("end")],
    Discriminator(lambda value: f"<{kind_of(value)}>"),
    _OneKind(),
]

for _model in (WaitForStep, BranchArm, SplitArm, BranchStep, SplitStep):
    _model.model_rebuild()
