"""The studio's inbox: what local delivery caught."""

from __future__ import annotations

from nurture.testing.house import sources


def test_caught_mails_are_listed_found_and_shown(studio):
    assert "Nothing was caught yet" in studio.text("/studio/inbox")
    studio.post("/studio/send/hello/welcome", to="me@people.example")
    assert "me@people.example" in studio.text("/studio/inbox?find=me@people")
    assert "No mail has these words" in studio.text("/studio/inbox?find=somebody-else")
    link = studio.text("/studio/inbox").partition('href="/studio/inbox/')[2].partition('"')[0]
    text = studio.text(f"/studio/inbox/{link}")
    assert "List-Unsubscribe" in text
    assert "sandbox" in studio.client.get(f"/studio/caught/{link}").headers["content-security-policy"]
    assert "no such mail" in studio.text("/studio/inbox/other", 404)


SERIES = """\
campaign: series
start: {event: Signed Up}
steps:
  - {id: first, send: hello}
  - wait: 2 days
  - {id: second, send: hello}
"""


def test_a_caught_mail_says_what_its_one_click_would_stop_and_stops_nothing(studio):
    house = studio.house
    house.apply(sources(SERIES))
    house.consenting()
    house.tell("Signed Up")
    house.drain()
    [caught] = house.app.inbox.list()
    for _ in range(2):  # the first look has changed nothing
        text = studio.text(f"/studio/inbox/{caught.key}")
        assert "It stops the topic <strong>Tips" in text
        assert "1 mail that is to come would not" in text
        assert "series/second</a>" in text
        assert "Wed 4 Mar" in text
    house.tell("nurture.unsubscribed", topic="tips")
    house.drain()
    text = studio.text(f"/studio/inbox/{caught.key}")
    assert "already; another click changes nothing" in text
    assert "0 others are to come" in text


def test_a_test_mail_has_a_click_that_is_nobodys(studio):
    studio.post("/studio/send/hello/welcome", to="me@people.example")
    [caught] = studio.house.app.inbox.list()
    assert "Nothing here: it was sent as a test" in studio.text(f"/studio/inbox/{caught.key}")
