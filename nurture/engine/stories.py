"""Runs the tests beside the campaigns: a story told to a world of one person, and what must have come of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from nurture.domain.campaign import CampaignStatus
from nurture.domain.delivery import Delivery
from nurture.domain.enrolment import EnrolmentState
from nurture.domain.event import NOTHING, Event
from nurture.domain.ledger import Fact, FactKind
from nurture.domain.programme import Programme
from nurture.domain.steps import Split
from nurture.domain.timing import zone_of
from nurture.engine.coverage import Coverage, Spot, coverage, reached_by
from nurture.engine.resident import Resident
from nurture.engine.simulate import SECOND, World, sent_at_once
from nurture.engine.simulation.lives import Render
from nurture.engine.story_mails import Mails, StoryMails, missing
from nurture.engine.timeline import as_text, clock_changes, moment, timeline
from nurture.errors import NurtureError
from nurture.language.compile import Compiled
from nurture.language.people import Person
from nurture.language.rewriting import KEPT
from nurture.language.stories import INSIDE, Story, StoryEvent

NEVER = "never entered"
UNENTERED = timedelta(days=30)  # how long a story goes on for somebody who may still come in
LONGEST = timedelta(days=800)  # and for somebody who is inside
_MISSED = {FactKind.SKIPPED, FactKind.EXPIRED, FactKind.CANCELLED, FactKind.REJECTED, FactKind.UNKNOWN}


@dataclass(frozen=True, slots=True)
class StoryResult:
    """How a story ended. `differences` are sentences; `timeline` is what happened, in the story's zone.

    `marked` is the line of the timeline where it first went another way; None if nothing that happened shows it.
    `got` is what the expectations of the story would have to say, and `reached` the ways it came through.
    """

    story: Story
    differences: tuple[str, ...]
    timeline: tuple[str, ...]
    marked: int | None = None
    got: Mapping[str, Any] = field(default_factory=dict)
    reached: frozenset[Spot] = frozenset()

    @property
    def passed(self) -> bool:
        return not self.differences


def run_stories(compiled: Compiled, sources: Mapping[str, str] = NOTHING) -> list[StoryResult]:
    """Every test of the project, in order of files."""
    mails = StoryMails(compiled, sources)
    return [run_story(compiled, story, mails) for story in compiled.stories]


def run_story(compiled: Compiled, story: Story, mails: StoryMails | None = None) -> StoryResult:
    """Tell one story. Raises NurtureError when the project did not compile.

    `mails` builds those of a story that says what must stand in them; all others are told without.
    """
    if compiled.programme is None:
        raise NurtureError("The project has errors; run nurture validate, then test again.")
    programme = dealt(on_stage(compiled.programme, story.campaign), story)
    wanted = {_place(step, story) for step in story.expect.contains}
    render, built = mails.render(programme, wanted) if mails is not None and wanted else (None, {})
    person = tell(
        programme, compiled.people[story.person], story.from_instant, story.events, story.campaign, story.until, render
    )
    differences = (*_differences(person, story), *_unsaid(story, built))
    told, marked = _told(programme, person, story, _first_difference(person, story) if differences else None)
    return StoryResult(story, differences, tuple(told), marked, _got(person, story), reached_by(person))


def covered(compiled: Compiled, results: Iterable[StoryResult], campaigns: Iterable[str] | None = None) -> Coverage:
    """What these stories together came through, of the given campaigns, or of all."""
    assert compiled.programme is not None
    reached = frozenset[Spot]().union(*(result.reached for result in results))
    return coverage(compiled.programme, reached, compiled.programme.campaigns if campaigns is None else campaigns)


def on_stage(programme: Programme, campaign: str) -> Programme:
    """The programme as a story plays it: nobody is held out, and the campaign it is about is live."""
    campaigns = {
        name: replace(each, hold_out=0.0, status=CampaignStatus.LIVE if name == campaign else each.status)
        for name, each in programme.campaigns.items()
    }
    return replace(programme, campaigns=campaigns, hold_out=0.0)


def dealt(programme: Programme, story: Story) -> Programme:
    """The programme with the splits that the story decides. Raises NurtureError if there is no such split or arm."""
    campaign = programme.campaigns[story.campaign]
    nodes = dict(campaign.nodes)
    for name, arm in story.draws.items():
        split = next((node for node in nodes.values() if isinstance(node, Split) and node.name == name), None)
        chosen = [one for one in split.arms if one.name == arm] if split is not None else []
        if split is None or not chosen:
            raise NurtureError(
                f"{story.file}: draws names {name}: {arm}; {story.campaign} has no such split with such an arm. "
                f"See them with: nurture campaigns show {story.campaign}"
            )
        nodes[split.id] = replace(split, arms=tuple(chosen))
    return replace(programme, campaigns={**programme.campaigns, campaign.name: replace(campaign, nodes=nodes)})


def tell(
    programme: Programme,
    person: Person,
    start: datetime,
    events: tuple[StoryEvent, ...],
    campaign: str,
    until: datetime | None = None,
    render: Render | None = None,
) -> Resident:
    """Live through `events`, and on until `until`, or until she has left the campaign.

    What she already is when the story begins starts nothing: she has been known for long.
    """
    post = sent_at_once if render is None else lambda delivery, now: render(resident, delivery, now)
    world = World(programme, start - SECOND, post)
    number = contact_id(person.name)
    first = programme.lifecycle.first
    contact = replace(person.contact(start, contact_id=number, first_stage=first), enrols=False)
    resident: Resident = world.add(contact, person.events(start, programme.zone))
    for event in events:
        world.post(number, event.event, event.at, event.properties)
    if until is not None:
        world.run_until(until)
        return resident
    last = max((event.at for event in events), default=start)
    world.run_until(last)
    while (at := world.next_at) is not None and at <= last + (
        LONGEST if _was_inside(resident, campaign) else UNENTERED
    ):
        if _was_inside(resident, campaign) and not _is_inside(resident, campaign):
            break
        world.run_until(at)
    return resident


def contact_id(name: str) -> int:
    """The number of an example person: her own for ever, so that splits deal her the same arm."""
    return int.from_bytes(blake2b(name.encode(), digest_size=3).digest(), "big") + 1


def _was_inside(person: Resident, campaign: str) -> bool:
    return any(enrolment.campaign == campaign for enrolment in person.all_enrolments)


def _is_inside(person: Resident, campaign: str) -> bool:
    return any(
        enrolment.campaign == campaign and enrolment.state is EnrolmentState.ACTIVE
        for enrolment in person.all_enrolments
    )


# --- judging ---------------------------------------------------------------------------------------------------------


def _differences(person: Resident, story: Story) -> list[str]:
    expect, found = story.expect, []
    zone = zone_of(story.zone)
    if expect.sent is not None:
        sent = [_named(each.campaign, each.step, story) for each in _mails(person, story)]
        wanted = [_short(step, story) for step in expect.sent]
        if sent != wanted:
            found.append(f"sent: expected {_listed(wanted)}; got {_listed(sent)}")
            found += [_why_not(person, step, story) for step in wanted if step not in sent]
    mailed = {_named(each.campaign, each.step, story): person.at[each.seq] for each in person.sent}
    for step in expect.not_sent:
        if (at := mailed.get(_short(step, story))) is not None:
            found.append(f"not_sent: {step} was sent on {moment(at, zone)}")
    for step, reason in expect.skipped.items():
        found += _skipping(person, _short(step, story), reason, mailed, story)
    if expect.left_by is not None and (left := _left_by(person, story)) != expect.left_by:
        found.append(f"left_by: expected {expect.left_by}; got {left}")
    if expect.stage is not None and person.contact.stage != expect.stage:
        found.append(f"stage: expected {expect.stage}; got {person.contact.stage}")
    if expect.goal is not None and expect.goal is not _goal(person, story):
        found.append(f"goal: expected it {'' if expect.goal else 'not '}to be reached")
    return found


def _unsaid(story: Story, built: Mails) -> Iterator[str]:
    """What should stand in her mail, and does not."""
    for step, wanted in story.expect.contains.items():
        yield from missing(step, wanted, built.get(_place(step, story), []))


def _place(step: str, story: Story) -> tuple[str, str]:
    """Campaign and step of `step` or `campaign/step`."""
    campaign, _, own = step.rpartition("/")
    return campaign or story.campaign, own


def _skipping(person: Resident, step: str, reason: str, mailed: Mapping[str, datetime], story: Story) -> list[str]:
    missed = _missed(person, step, story)
    if any(_reason(fact) == reason for fact in missed):
        return []
    if missed:
        return [f"skipped: {step} was missed for another reason: {_reason(missed[-1])}, not {reason}"]
    at = mailed.get(step)
    what = f"it was sent on {moment(at, zone_of(story.zone))}" if at else "she never came to it"
    return [f"skipped: expected {step} to be skipped ({reason}); {what}"]


def _missed(person: Resident, step: str, story: Story) -> list[Fact]:
    return [
        fact
        for fact in person.ledger
        if fact.kind in _MISSED and fact.step and _named(fact.campaign or "", fact.step, story) == step
    ]


def _why_not(person: Resident, step: str, story: Story) -> str:
    missed = _missed(person, step, story)
    return f"  {step}: {_reason(missed[-1])}" if missed else f"  {step}: she never came to it"


def _reason(fact: Fact) -> str:
    return fact.reason.value if fact.reason is not None else fact.kind.value


def _left_by(person: Resident, story: Story) -> str:
    own = [enrolment for enrolment in person.all_enrolments if enrolment.campaign == story.campaign]
    if not own:
        return NEVER
    left_by = own[-1].left_by
    return left_by.value if left_by is not None else INSIDE


def _goal(person: Resident, story: Story) -> bool:
    return any(each.campaign == story.campaign and each.goal_at is not None for each in person.all_enrolments)


def _named(campaign: str, step: str, story: Story) -> str:
    return step if campaign == story.campaign else f"{campaign}/{step}"


def _short(step: str, story: Story) -> str:
    return step.removeprefix(f"{story.campaign}/")


def _listed(steps: list[str]) -> str:
    return ", ".join(steps) or "nothing"


def _mails(person: Resident, story: Story) -> list[Delivery]:
    """Her mail, in order, of the campaigns the story speaks of."""
    about = {story.campaign} | {step.partition("/")[0] for step in story.expect.sent or () if "/" in step}
    return [each for each in person.sent if each.campaign in about]


def _got(person: Resident, story: Story) -> dict[str, Any]:
    """The expectations of the story as they would be true: what it asks for, no more."""
    expect = story.expect
    mails = [_named(each.campaign, each.step, story) for each in _mails(person, story)]
    missed = {step: _missed(person, _short(step, story), story) for step in expect.skipped}
    everything = {_named(each.campaign, each.step, story) for each in person.sent}
    got: dict[str, Any] = {}
    if expect.sent is not None:
        got["sent"] = mails
    if expect.not_sent:
        got["not_sent"] = [step for step in expect.not_sent if _short(step, story) not in everything]
    if expect.skipped:
        got["skipped"] = {step: _kept(facts, expect.skipped[step]) for step, facts in missed.items() if facts}
    if expect.left_by is not None and (left := _left_by(person, story)) != NEVER:
        got["left_by"] = left
    if expect.stage is not None:
        got["stage"] = person.contact.stage
    if expect.goal is not None:
        got["goal"] = _goal(person, story)
    told = {name: value for name, value in got.items() if value not in ([], {}) or name == "sent"}
    if expect.contains:
        told["contains"] = KEPT
    return told or {"sent": mails}


def _kept(facts: list[Fact], reason: str) -> str:
    """The reason expected, if it is among those there were; else the last."""
    return reason if any(_reason(fact) == reason for fact in facts) else _reason(facts[-1])


def _first_difference(person: Resident, story: Story) -> Fact | None:
    """The earliest fact that goes another way than the story expects."""
    expect = story.expect
    found: list[Fact | None] = []
    if expect.sent is not None:
        mails = _mails(person, story)
        sent = [_named(each.campaign, each.step, story) for each in mails]
        wanted = [_short(step, story) for step in expect.sent]
        same = next((n for n, (one, other) in enumerate(zip(sent, wanted, strict=False)) if one != other), None)
        if same is None and len(sent) != len(wanted):
            same = min(len(sent), len(wanted))
        if same is not None:
            unexpected = [_sending(person, each.campaign, each.step) for each in mails[same : same + 1]]
            missing = [fact for step in wanted[same : same + 1] for fact in _missed(person, step, story)[-1:]]
            found += [*unexpected, *missing] or [_last(person, story, FactKind.LEFT)]
    for step in (*expect.not_sent, *expect.skipped):
        campaign, _, own = step.rpartition("/")
        found.append(_sending(person, campaign or story.campaign, own))
    for step, reason in expect.skipped.items():
        missed = _missed(person, _short(step, story), story)
        found += [] if any(_reason(fact) == reason for fact in missed) else missed[-1:]
    if expect.left_by is not None and _left_by(person, story) != expect.left_by:
        found.append(_last(person, story, FactKind.LEFT))
    if expect.goal is not None and expect.goal is not _goal(person, story):
        found.append(_last(person, story, FactKind.GOAL_REACHED) or _last(person, story, FactKind.LEFT))
    if expect.stage is not None and person.contact.stage != expect.stage:
        found.append(_last(person, None, FactKind.STAGE_MOVED))
    known = {id(fact): number for number, fact in enumerate(person.ledger)}
    return min((fact for fact in found if fact is not None), key=lambda fact: known[id(fact)], default=None)


def _sending(person: Resident, campaign: str, step: str) -> Fact | None:
    return next(
        (f for f in person.ledger if f.kind is FactKind.SENT and f.campaign == campaign and f.step == step), None
    )


def _last(person: Resident, story: Story | None, kind: FactKind) -> Fact | None:
    about = [
        fact
        for fact in person.ledger
        if fact.kind is kind and (story is None or (fact.campaign == story.campaign and fact.at >= story.from_instant))
    ]
    return about[-1] if about else None


def _told(programme: Programme, person: Resident, story: Story, first: Fact | None) -> tuple[list[str], int | None]:
    """The timeline, and the line of it that is the first difference."""
    zone = zone_of(story.zone)
    ends = max((fact.at for fact in person.ledger), default=story.from_instant)
    changes = [f"clocks change on {day:%a %d %b}" for day in clock_changes(story.from_instant, ends, zone)]
    events = [Event(number, each.event, each.at, each.properties) for number, each in enumerate(story.events)]
    lines = timeline(
        programme, [fact for fact in person.ledger if fact.at >= story.from_instant], zone, events, story.campaign
    )
    marks = timeline(programme, [first], zone, (), story.campaign) if first is not None else []
    marked = lines.index(marks[0]) + 1 if marks and marks[0] in lines else None
    return [" · ".join([story.campaign, story.person, story.zone, *changes]), *as_text(lines, zone)], marked
