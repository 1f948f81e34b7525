"""The starter programme is what `nurture init` copies: without a fault, and an example of all the language can do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nurture.domain.campaign import CampaignStatus, DateStart, EventStart, ManualStart, SegmentStart, StageStart
from nurture.domain.programme import Programme
from nurture.domain.steps import MailKind, Step
from nurture.language.compile import compile_project
from nurture.language.source import read_project

ROOT = Path(__file__).resolve().parents[2]
SOURCES = read_project(ROOT)
COMPILED = compile_project(SOURCES)


@pytest.fixture
def programme() -> Programme:
    assert COMPILED.programme is not None, [str(problem) for problem in COMPILED.problems]
    return COMPILED.programme


def test_validation_finds_nothing():
    assert [f"{found.file}:{found.line} {found.code} {found.message}" for found in COMPILED.problems] == []


def test_every_campaign_is_live_and_has_a_title_and_an_owner(programme: Programme):
    for campaign in programme.campaigns.values():
        assert campaign.status is CampaignStatus.LIVE, campaign.name
        assert campaign.title, campaign.name
        assert campaign.owner, campaign.name


def test_every_campaign_has_at_least_two_tests(programme: Programme):
    tested = Counter(story.campaign for story in COMPILED.stories)
    assert {name: tested[name] for name in programme.campaigns if tested[name] < 2} == {}


def test_every_marketing_mail_names_a_topic_and_a_category(programme: Programme):
    for campaign in programme.campaigns.values():
        for send in campaign.sends:
            if send.kind is MailKind.MARKETING:
                assert campaign.topic, f"{campaign.name}/{send.id}"
                assert send.category in programme.categories, f"{campaign.name}/{send.id}"


def test_every_mail_that_carries_an_offer_counts_as_a_discount(programme: Programme):
    for campaign in programme.campaigns.values():
        for send in campaign.sends:
            assert (send.offer is not None) == (send.category == "discount"), f"{campaign.name}/{send.id}"


def test_every_template_is_sent_by_a_campaign(programme: Programme):
    sent = {send.template for campaign in programme.campaigns.values() for send in campaign.sends}
    folder = ROOT / "email_templates"
    written = {
        path.relative_to(folder).with_suffix("").as_posix()
        for path in folder.rglob("*")
        if path.suffix in {".html", ".md"} and not path.relative_to(folder).as_posix().startswith("_")
    }
    assert written == sent


def test_every_kind_of_start_has_an_example(programme: Programme):
    starts = {type(campaign.start) for campaign in programme.campaigns.values()}
    assert starts == {EventStart, StageStart, SegmentStart, DateStart, ManualStart}


def test_every_kind_of_step_has_an_example(programme: Programme):
    used = {type(node).__name__ for campaign in programme.campaigns.values() for node in campaign.nodes.values()}
    known = {kind.__name__ for kind in Step.__args__}
    assert used == known


def test_every_stage_of_the_lifecycle_has_a_campaign_that_knows_it(programme: Programme):
    reached = {c.start.to_stage for c in programme.campaigns.values() if isinstance(c.start, StageStart)}
    assert {"purchase", "retention", "advocacy", "lapsed"} <= reached


def test_an_offer_outlives_the_last_mail_that_reminds_of_it(programme: Programme):
    for campaign in programme.campaigns.values():
        offered = Counter(send.offer for send in campaign.sends if send.offer is not None)
        for name, times in offered.items():
            least = 20 if times > 1 else 2
            assert campaign.offers[name].expires.approximate.days > least, f"{campaign.name}: {name}"


def test_people_live_where_nobody_lives():
    assert all(person.email.endswith(".people.example") or person.email.endswith("@people.example")
               for person in COMPILED.people.values())  # fmt: skip
