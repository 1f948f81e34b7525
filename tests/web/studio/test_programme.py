"""The studio's programme: the map of routes, the drawn flow, and problems and people where they are."""

from __future__ import annotations

import pytest

from nurture.language.compile import compile_project
from nurture.language.problems import Problem, Severity
from nurture.storage.reports import standing
from nurture.testing.house import sources
from nurture.web.studio import flow, routes

WAYS = """\
campaign: ways
start: {event: Signed Up}
goal: {event: Ordered, within: 5 days}
stop: [{event: Cancelled}]
steps:
  - wait: 1 day
  - branch:
      - if: contact.city == 'Oulu'
        do: [{id: north, send: north}, end]
      - if: contact.city == 'Turku'
        do: [{id: west, send: west}]
  - split: price
    arms:
      - {name: dear, share: 75, do: [{id: dear, send: dear}]}
      - {name: cheap, share: 25, do: [end]}
  - wait_for: {event: Opened Door, up_to: 2 days}
    then: [{id: last, send: last}]
    otherwise: [end]
"""


@pytest.fixture(scope="module")
def campaign():
    compiled = compile_project(sources(WAYS))
    assert compiled.programme is not None, compiled.problems
    return compiled.programme.campaigns["ways"]


def problem(file: str, line: int) -> Problem:
    return Problem("N999", Severity.WARNING, file, line, 1, "not so")


def test_every_step_is_a_card_once_and_every_mail_leads_to_its_page(campaign):
    drawing = flow.draw(campaign, {"wait>north": 3}, [])
    steps = [card.step for card in drawing.cards if card.step not in {None, "start"}]
    assert sorted(steps) == sorted(campaign.nodes)
    assert {card.mail for card in drawing.cards if card.mail} == {f"ways/{send.id}" for send in campaign.sends}
    assert [card.kind for card in drawing.cards if card.step is None] == ["end", "goal", "stop"]


def test_ways_say_when_they_are_taken_also_the_one_that_no_arm_takes(campaign):
    told = [label.told for label in flow.draw(campaign, {}, []).labels]
    assert told == [
        "if contact.city == 'Oulu'",
        "if contact.city == 'Turku'",
        "none of these",
        "dear, 75 %",
        "cheap, 25 %",
        "seen in time",
        "not seen",
    ]


@pytest.mark.parametrize("size", [flow.DESK, flow.PHONE])
def test_no_card_lies_on_another_and_all_are_in_the_picture(campaign, size):
    drawing = flow.draw(campaign, {}, [problem(campaign.file, 7)], size)
    for number, one in enumerate(drawing.cards):
        assert one.x >= 0
        assert one.x + one.width <= drawing.width
        assert one.y + one.height <= drawing.height
        for other in drawing.cards[:number]:
            beside = one.x >= other.x + other.width or other.x >= one.x + one.width
            assert beside or one.y >= other.y + other.height or other.y >= one.y + one.height


def test_a_problem_stands_at_the_step_it_is_in_and_one_of_a_template_at_the_mail(campaign):
    line = campaign.nodes["west"].line
    found = flow.at_steps(
        campaign,
        [problem(campaign.file, line), problem(campaign.file, 1), problem("email_templates/dear.html", 4)],
    )
    assert {place: len(problems) for place, problems in found.items()} == {"west": 1, "start": 1, "dear": 1}


LIFE = """\
lifecycle:
  stages: [new, warm, customer]
  first: new
  moves:
    - {to: warm, from: new, on: Subscribed}
    - {to: customer, on: Ordered}
"""
STEPS = "steps: [{id: hi, send: hi}]\n"


@pytest.mark.parametrize(
    ("start", "starts", "ends"),
    [
        ("start: {event: Subscribed}\n", {"warm"}, set()),
        ("start: {event: Subscribed}\ngoal: {event: Ordered, within: 5 days}\n", {"warm"}, {"customer"}),
        ('start: {stage: "* -> customer"}\n', {"customer"}, set()),
        ("start: {event: Looked}\n", set(), set()),
        ("start: {event: Looked, if: in_stage('warm')}\n", {"warm"}, set()),
        ("start: {event: Looked, if: not in_stage('warm')}\n", set(), set()),
    ],
)
def test_a_route_goes_from_where_people_enter_to_where_the_goal_leads(start, starts, ends):
    compiled = compile_project(sources(start + STEPS, lifecycle=LIFE))
    assert compiled.programme is not None, compiled.problems
    [route] = routes.campaigns(compiled.programme, None, {})
    assert (route.starts, route.ends) == (starts, ends)
    drawn = routes.draw(compiled.programme.lifecycle.stages, [("Campaigns", [route])], None)
    assert len(drawn.lines[0].arrows) == len(ends)
    assert drawn.lines[0].route.everywhere is not starts


def test_the_programme_shows_people_and_problems_where_they_are(studio):
    studio.house.tell("Signed Up")
    studio.house.live_until("+1 hour")
    with studio.house.database.read() as tx:
        assert sum(standing(tx, "hello").values()) == 1
    page = studio.text("/studio/programme?checked=1")
    assert "1 inside" in page
    assert "Nothing to improve" in page
    page = studio.text("/studio/campaign/hello?checked=1")
    assert "1 here" in page
    assert 'href="/studio/mail/hello/welcome"' in page
    studio.write("email_templates/hello.html", "---\nsubject: Hello\n---\n<p>No way out</p>\n")
    assert 'hx-trigger="load"' in studio.text("/studio/campaign/hello")
    page = studio.text("/studio/campaign/hello?checked=1")
    assert "email_templates/hello.html:" in page
    assert "no campaign nobody" in studio.text("/studio/campaign/nobody", 404)
