"""Edits of what holds for all campaigns are told old to new."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nurture.domain.programme import Topic
from nurture.language.policy_edits import policy_edits
from nurture.testing.worlds import LIFECYCLE, programme

CAMPAIGN = "start: {event: Signed Up}\nsteps:\n  - {id: a, send: a}\n"
BEFORE = "caps:\n  - {max: 1, per: 20 hours}\n  - {max: 3, per: 7 days}\nquiet_hours: 21:00-08:00\nhold_out: 2%\n"
EDITS = {
    "a cap": (("max: 1, per: 20", "max: 2, per: 20"), "cap: 1 per 20 hours -> 2 per 20 hours"),
    "a cap more": (("  - {max: 3", "  - {max: 9, per: 30 days}\n  - {max: 3"), "cap 9 per 30 days is new"),
    "a cap less": (("  - {max: 3, per: 7 days}\n", ""), "cap 3 per 7 days is gone"),
    "quiet hours": (("21:00", "22:00"), "quiet hours: 21:00-08:00 -> 22:00-08:00"),
    "no quiet hours": (("quiet_hours: 21:00-08:00\n", ""), "quiet hours is gone; it was 21:00-08:00"),
    "the hold-out": (("2%", "5%"), "hold out: 2 % -> 5 %"),
    "a zone": (("caps:", "zone: Europe/Helsinki\ncaps:"), "zone: UTC -> Europe/Helsinki"),
}
SEGMENTS = {
    "another condition": ("contact.plot > 20", "segment gardeners: contact.plot > 10 -> contact.plot > 20"),
    "gone": (None, "segment gardeners is gone; it was contact.plot > 10"),
}
MOVES = {
    "another time": (
        ("14 days", "30 days"),
        "move: purchase -> retention after 14 days -> purchase -> retention after 30 days",
    ),
    "a stage less": (("advocacy, lapsed", "advocacy, lapsed, gone"), "stage gone is new"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_a_setting(name: str) -> None:
    (one, other), told = EDITS[name]
    found = policy_edits(programme(CAMPAIGN, project=BEFORE), programme(CAMPAIGN, project=BEFORE.replace(one, other)))
    assert [edit.text for edit in found] == [told]


@pytest.mark.parametrize("name", SEGMENTS)
def test_a_segment(name: str) -> None:
    condition, told = SEGMENTS[name]
    new = programme(CAMPAIGN, segments={"gardeners": condition} if condition else None)
    assert [e.text for e in policy_edits(programme(CAMPAIGN, segments={"gardeners": "contact.plot > 10"}), new)] == [
        told
    ]


@pytest.mark.parametrize("name", MOVES)
def test_the_lifecycle(name: str) -> None:
    (one, other), told = MOVES[name]
    found = policy_edits(programme(CAMPAIGN), programme(CAMPAIGN, lifecycle=LIFECYCLE.replace(one, other)))
    assert [edit.text for edit in found] == [told]


def test_topics_senders_and_teams() -> None:
    new = programme(CAMPAIGN)
    shop = replace(new.senders["shop"], reply_to="care@northwind.example")
    topics = {"tips": Topic("Tips and tricks"), "news": Topic("News")}
    new = replace(new, senders={"shop": shop}, topics=topics, teams={})
    assert [edit.text for edit in policy_edits(programme(CAMPAIGN), new)] == [
        "topic news is new: News",
        "topic offers is gone; it was Offers",
        "topic tips: Tips -> Tips and tricks",
        (
            "sender shop: Northwind Garden, hello@northwind.example -> "
            "Northwind Garden, hello@northwind.example, care@northwind.example"
        ),
        "team care is gone; it was care@northwind.example",
    ]
