"""The tests beside the starter's campaigns come true, with all campaigns running and every cap in force."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from nurture.domain.ledger import FactKind
from nurture.engine.resident import Resident
from nurture.engine.simulate import World
from nurture.engine.stories import covered, dealt, run_stories
from nurture.language.compile import compile_project
from nurture.language.source import read_project
from nurture.language.stories import Story

SOURCES = read_project(Path(__file__).resolve().parents[2])
COMPILED = compile_project(SOURCES)
LONG_ENOUGH = timedelta(days=120)


def lived_through(story: Story) -> Resident:
    """The person of a story after everything in it has happened."""
    assert COMPILED.programme is not None
    programme = dealt(COMPILED.programme, story)
    person = COMPILED.people[story.person]
    world = World(programme, story.from_instant)
    contact = person.contact(story.from_instant, first_stage=programme.lifecycle.first)
    lived = world.add(contact, person.events(story.from_instant, programme.zone))
    for event in story.events:
        world.post(contact.id, event.event, event.at, event.properties)
    world.run_until(story.until or story.from_instant + LONG_ENOUGH)
    return lived


@pytest.mark.parametrize("story", COMPILED.stories, ids=lambda story: Path(story.file).stem)
def test_a_story_comes_true(story: Story):
    lived = lived_through(story)
    expect = story.expect
    sent = [each.step for each in lived.sent if each.campaign == story.campaign]
    skipped = {
        fact.step: fact.reason.value
        for fact in lived.ledger
        if fact.campaign == story.campaign and fact.kind is FactKind.SKIPPED and fact.reason and fact.step
    }
    passages = [each for each in lived.all_enrolments if each.campaign == story.campaign]

    if expect.sent is not None:
        assert sent == list(expect.sent)
    assert not set(sent) & set(expect.not_sent)
    assert dict(expect.skipped).items() <= skipped.items()
    if expect.left_by is not None:
        assert expect.left_by in {each.left_by.value for each in passages if each.left_by is not None}
    if expect.stage is not None:
        assert lived.contact.stage == expect.stage
    if expect.goal is not None:
        assert any(each.goal_at is not None for each in passages) == expect.goal


def test_the_stories_come_through_every_step_and_every_branch():
    found = covered(COMPILED, run_stories(COMPILED, SOURCES))
    assert [str(gap) for gap in found.gaps] == []
    assert found.total > 100
