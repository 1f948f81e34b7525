"""The studio's inbox: what local delivery caught."""

from __future__ import annotations


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
