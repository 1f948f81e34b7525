"""The studio's mails: what a page shows, what a save changes, and what lets a mail out."""

from __future__ import annotations

import httpx
import pytest

from nurture.errors import ConfigurationError
from nurture.web.server import Address, WebServer
from nurture.web.site import EVERY_FACE, Face
from nurture.web.studio.sheet import in_light

MAIL = "/studio/mail/hello/welcome"
TEMPLATE = "email_templates/hello.html"


def test_the_studio_begins_with_a_page_and_lists_every_mail(studio):
    assert "nurture" in studio.text("/")
    assert 'href="/studio/mail/hello/welcome"' in studio.text("/studio/mails")


def test_every_link_of_every_page_leads_somewhere(studio):
    seen, waiting = set(), ["/studio"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        text = studio.text(path)
        for part in text.replace("&amp;", "&").split('href="')[1:] + text.split('src="')[1:]:
            link = part.partition('"')[0]
            if link.startswith("/"):
                waiting.append(link.replace("&amp;", "&"))
    assert MAIL in seen


def test_a_mail_shows_its_line_its_four_looks_and_its_parts(studio):
    text = studio.text(MAIL)
    assert text.count("<iframe sandbox") == 4
    assert "Gmail on the web" in text
    assert "List-Unsubscribe" in text


def test_a_save_is_seen_by_the_next_look(studio):
    before = studio.text(MAIL)
    studio.write(TEMPLATE, studio.house.files[TEMPLATE].replace("subject: ", "subject: Brand new ", 1))
    assert "Brand new" not in before
    assert "Brand new" in studio.text(MAIL)


def test_a_mistake_in_a_template_is_shown_with_its_line_in_place_of_the_mail(studio):
    studio.write(TEMPLATE, studio.house.files[TEMPLATE] + "\n<p>{{ contact.first_name | nonsense }}</p>\n")
    text = studio.text(MAIL)
    assert "This mail cannot be made" in text
    assert "nonsense" in text
    assert f"{TEMPLATE}:{len((studio.house.folder / TEMPLATE).read_text().splitlines())}" in text


def test_a_mistake_in_a_campaign_is_told_above_what_was_sound_before(studio):
    studio.text(MAIL)
    name = next(name for name in studio.house.files if name.startswith("campaigns/0"))
    studio.write(name, studio.house.files[name] + "  - {sned: hello}\n")
    text = studio.text(MAIL)
    assert "The files have mistakes" in text
    assert "sned" in text
    assert text.count("<iframe sandbox") == 4


def test_files_that_never_were_sound_are_a_page_of_mistakes(studio):
    studio.write("campaigns/_project.yaml", "version: 1\nprojekt: x\n")
    text = studio.text(MAIL)
    assert "projekt" in text
    assert "Once the files are sound" in text


def test_a_real_contact_can_look_at_a_mail(studio):
    studio.house.consenting("otto@people.example")
    assert "otto@people.example" in studio.text(f"{MAIL}?as=otto@people.example")
    assert "This mail cannot be made" in studio.text(f"{MAIL}?as=nobody@people.example")


def test_a_mail_is_shown_in_a_frame_without_rights(studio):
    answer = studio.client.get("/studio/frame/hello/welcome?look=dark")
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert "script-src" not in answer.headers["content-security-policy"]
    assert 'content="dark"' in answer.text


def test_light_and_dark_do_not_depend_on_the_browser():
    css = "<head></head>@media (prefers-color-scheme: dark) {x}@media screen {y}"
    assert "@media (min-width:0) {x}@media screen {y}" in in_light(css, "dark")
    assert "@media (max-width:0) {x}" in in_light(css, "light")


def test_pages_have_a_strict_policy_and_nothing_inline(studio):
    answer = studio.client.get(MAIL)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert " style=" not in answer.text
    assert " onclick" not in answer.text


# --- sending


def test_a_test_mail_goes_to_the_local_inbox(studio):
    assert "local inbox" in studio.post("/studio/send/hello/welcome", to="me@people.example").text
    (entry,) = studio.house.app.inbox.list()
    assert entry.subject.startswith("[TEST] ")


def test_the_allow_list_holds_for_test_mails(studio_of):
    studio = studio_of(allow_list="me@people.example")
    assert "NURTURE_ALLOW_LIST" in studio.post("/studio/send/hello/welcome", to="you@people.example").text
    assert studio.house.app.inbox.count() == 0
    assert "Sent to" in studio.post("/studio/send/hello/welcome", to="me@people.example").text


def test_nothing_is_sent_by_smtp_without_an_allow_list(studio_of):
    studio = studio_of(delivery="smtp", smtp_url="smtp://127.0.0.1:9")
    assert "NURTURE_ALLOW_LIST" in studio.post("/studio/send/hello/welcome", to="me@people.example").text


# --- who may ask


@pytest.mark.parametrize("host", ["studio.evil.example", "evil.example:8026", "", "127.0.0.1.evil.example"])
def test_another_name_for_this_machine_is_turned_away(studio, host):
    assert studio.client.get("/studio/mails", headers={"Host": host}).status_code == 403


def test_a_change_needs_the_token_of_the_page(studio):
    assert studio.post("/studio/send/hello/welcome", token="", to="me@people.example").status_code == 403
    assert studio.post("/studio/send/hello/welcome", token="other", to="me@people.example").status_code == 403


def test_a_form_of_another_page_is_turned_away(studio):
    headers = {"X-Studio-Token": studio.token, "Origin": "https://evil.example"}
    answer = studio.client.post("/studio/send/hello/welcome", data={"to": "me@people.example"}, headers=headers)
    assert answer.status_code == 403
    assert studio.house.app.inbox.count() == 0


def test_the_studio_is_for_this_machine_only(studio_of):
    studio = studio_of(trusted_proxies="10.0.0.5")
    with pytest.raises(ConfigurationError, match="this machine only"):
        WebServer(studio.house.app, Address("0.0.0.0", 0), {Face.STUDIO})
    assert Face.STUDIO not in EVERY_FACE


def test_a_save_is_told_to_the_page_that_is_open(studio):
    with httpx.stream("GET", f"{studio.served.url}/studio/changes", timeout=20) as stream:
        for _, line in zip(range(60), stream.iter_lines(), strict=False):
            if line.startswith("event"):
                break
            studio.write(TEMPLATE, f"{studio.house.files[TEMPLATE]}<!-- {line} -->")  # watching begins with the answer
        assert line == "event: files"
