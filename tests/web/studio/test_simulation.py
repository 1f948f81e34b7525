"""The studio's simulation: what an example person or a contact would get, and the line of time it is drawn on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from nurture.engine.simulation.one_person import Told
from nurture.engine.timeline import Line
from nurture.web.studio.simulation import WIDTH, _picture

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAGE = "/studio/simulation"
BEHAVIOUR = """\
version: 1
people: {stages: {awareness: 1}}
does:
  - {event: Signed Up, rate: 3 per 30 days}
"""


def test_an_example_person_gets_what_the_campaign_sends_her(studio):
    page = studio.text(f"{PAGE}?campaign=hello&as=ana")
    assert 'href="/studio/mail/hello/welcome?as=ana"' in page
    assert '<tr class="enters">' in page


def test_events_are_handles_on_the_line_and_change_what_follows(studio):
    page = studio.text(f"{PAGE}?as=ana&event=Signed+Up&at=%2B1d&event=&at=")
    assert page.count('role="slider"') == 1
    assert 'data-hours="24.0"' in page
    assert '<tr class="sends">' in page
    assert "Nothing happens" in studio.text(PAGE)


def test_a_contact_goes_on_from_where_she_is_and_nothing_is_stored(studio):
    studio.house.tell("Signed Up")
    studio.house.live_until("+1 hour")
    before = studio.house.facts()
    page = studio.text(f"{PAGE}?as=ana@people.example")
    assert '<tr class="leaves">' in page
    assert studio.house.facts() == before


def test_what_cannot_be_meant_is_said_where_the_line_would_be(studio):
    assert "is not a moment" in studio.text(f"{PAGE}?as=ana&event=Signed+Up&at=soon")
    assert "before the beginning" in studio.text(f"{PAGE}?as=ana&event=Signed+Up&at=-3d")
    assert "nurture contacts list" in studio.text(f"{PAGE}?as=nobody@people.example")


def test_the_line_is_to_scale_and_everything_is_on_it():
    event = Told(AT + timedelta(days=2), "Ordered")
    line = Line(AT + timedelta(days=4), "sends", "welcome", campaign="hello")
    picture = _picture([line], [event], AT, "UTC")
    moved, sent = picture.marks
    assert (moved.number, moved.hours, sent.mail) == (0, 48, "hello/welcome")
    assert round((sent.x - moved.x) / picture.per_hour) == 48
    assert all(0 < x < WIDTH for x, _ in picture.days)


def test_a_population_needs_a_behaviour_file_and_is_drawn_from_it(studio):
    assert "campaigns/behaviour.yaml is missing" in studio.text("/studio/population?people=5")
    studio.write("campaigns/behaviour.yaml", BEHAVIOUR)
    page = studio.text("/studio/population?people=5&days=3")
    assert "What this programme would do" in page
    assert "<svg" in page
    assert "style=" not in page
