from __future__ import annotations

import asyncio
import mailbox
import os
from datetime import timedelta

import pytest

from nurture.domain.delivery import DeliveryState
from nurture.domain.ledger import Reason
from nurture.domain.retry import Fault, Phase, classify
from nurture.sending.allow_list import AllowList
from nurture.sending.mail import OutgoingMail
from nurture.sending.maildir import Inbox, InboxTransport
from nurture.testing.outgoing import BODY, NOW, Gatekeeper, a_mail, noon


def put(folder, *mails, gate=None, clock=noon):
    transport = InboxTransport(folder, clock)

    async def go():
        return [await transport.send(mail, gate or Gatekeeper()) for mail in mails]

    return asyncio.run(go())


def with_subject(number, subject, text="hello"):
    data = f"From: Shop <s@shop.example>\r\nSubject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    data += f"Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
    return a_mail(number, data.encode())


def test_a_mail_comes_back_as_it_was_on_the_wire(tmp_path):
    (attempt,) = put(tmp_path / "inbox", a_mail())
    assert (attempt.phase, attempt.code) == (Phase.DONE, 250)
    inbox = Inbox(tmp_path / "inbox")
    (entry,) = inbox.list()
    assert inbox.read(entry.key).endswith(BODY)
    head = inbox.message(entry.key)
    assert head["Return-Path"] == "<b+token@bounce.shop.example>"
    assert head["Delivered-To"] == head["X-Envelope-To"].strip("<>") == "ana0@mail.example"
    assert head["X-Envelope-Id"] == "9.0"
    assert (entry.at, entry.recipient, entry.subject, entry.seen) == (NOW, "ana0@mail.example", "The tomatoes", False)


def test_other_programs_see_a_maildir(tmp_path):
    put(tmp_path / "inbox", a_mail(1), a_mail(2))
    box = mailbox.Maildir(tmp_path / "inbox", create=False)
    assert sorted(one["Delivered-To"] for one in box) == ["ana1@mail.example", "ana2@mail.example"]
    box.close()


def test_a_mail_that_a_program_has_shown_is_still_there(tmp_path):
    put(tmp_path, a_mail())
    (file,) = (tmp_path / "new").iterdir()
    file.rename(tmp_path / "cur" / f"{file.name}:2,S")
    (entry,) = Inbox(tmp_path).list()
    assert entry.seen
    assert Inbox(tmp_path).read(entry.key).endswith(BODY)


def test_many_mails_at_the_same_instant_are_all_kept(tmp_path):
    put(tmp_path, *[a_mail(n) for n in range(30)])
    put(tmp_path, *[a_mail(n) for n in range(30, 60)])
    assert Inbox(tmp_path).count() == 60
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_shut_gate_leaves_no_trace(tmp_path):
    (attempt,) = put(tmp_path / "inbox", a_mail(), gate=Gatekeeper(answer=False))
    assert attempt.fault is Fault.GATE_SHUT
    assert Inbox(tmp_path / "inbox").list() == []


def test_a_crash_between_writing_and_linking_shows_no_half_mail(tmp_path, monkeypatch):
    put(tmp_path, a_mail(0))

    class Crash(BaseException):
        pass

    def die(self, target):
        raise Crash

    monkeypatch.setattr("pathlib.Path.hardlink_to", die)
    with pytest.raises(Crash):
        put(tmp_path, a_mail(1))
    assert [entry.recipient for entry in Inbox(tmp_path).list()] == ["ana0@mail.example"]


def test_the_content_is_synced_before_the_mail_can_be_seen(tmp_path, monkeypatch):
    events = []
    fsync, link = os.fsync, type(tmp_path).hardlink_to
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("sync"), fsync(fd))[1])
    monkeypatch.setattr("pathlib.Path.hardlink_to", lambda self, to: (events.append("link"), link(self, to))[1])
    put(tmp_path, a_mail())
    assert events == ["sync", "link", "sync"]


def test_a_disk_that_refuses_costs_nobody_a_try(tmp_path):
    blocked = tmp_path / "inbox"
    blocked.write_text("a file where the folder should be")
    (attempt,) = put(blocked, a_mail())
    verdict = classify(attempt)
    assert (attempt.fault, verdict.state, verdict.uses_try) == (Fault.LOCAL, DeliveryState.DEFERRED, False)
    assert str(blocked) in attempt.text


def test_a_mail_with_a_bare_line_feed_is_refused_here_too(tmp_path):
    (attempt,) = put(tmp_path, OutgoingMail("b@shop.example", "ana@mail.example", b"A: b\n\nx\n"))
    assert attempt.fault is Fault.BAD_MESSAGE


def test_the_newest_come_first_page_by_page(tmp_path):
    for hour in range(5):
        put(tmp_path, a_mail(hour), clock=lambda hour=hour: NOW + timedelta(hours=hour))
    inbox = Inbox(tmp_path)
    first = inbox.list(limit=2)
    second = inbox.list(limit=2, after=first[-1].key)
    assert [entry.recipient[3] for entry in [*first, *second]] == ["4", "3", "2", "1"]


def test_search_finds_words_in_headers_and_texts(tmp_path):
    put(tmp_path, with_subject(1, "Tomaten"), with_subject(2, "x", "Grüße aus dem Garten"), with_subject(3, "y"))
    inbox = Inbox(tmp_path)
    assert [entry.recipient for entry in inbox.search("TOMATEN")] == ["ana1@mail.example"]
    assert [entry.recipient for entry in inbox.search("grüsse")] == ["ana2@mail.example"]
    assert [entry.recipient for entry in inbox.search("ana3@")] == ["ana3@mail.example"]
    assert inbox.search("potatoes") == []


@pytest.mark.parametrize("key", ["../../etc/passwd", "", "x", "1.M1P1Q1.host,S=1", "1.M1P1Q1.host/../x"])
def test_a_key_never_leads_out_of_the_inbox(tmp_path, key):
    put(tmp_path, a_mail())
    with pytest.raises(KeyError):
        Inbox(tmp_path).read(key)


def test_what_is_not_ours_is_passed_over_and_kept(tmp_path):
    put(tmp_path, a_mail())
    (tmp_path / "new" / "notes.txt").write_text("mine")
    assert Inbox(tmp_path).clear() == 1
    assert (tmp_path / "new" / "notes.txt").exists()
    assert Inbox(tmp_path).list() == []


def test_a_broken_mail_is_listed_all_the_same(tmp_path):
    put(tmp_path, a_mail(0, b"\xff\xfe: \xff\r\nSubject: =?utf-8?b?broken\r\n\r\n"))
    assert len(Inbox(tmp_path).list()) == 1


def test_an_empty_inbox_is_an_empty_list(tmp_path):
    assert Inbox(tmp_path / "nowhere").list() == []


def send_allowed(folder, patterns, *recipients):
    transport = AllowList(InboxTransport(folder, noon), patterns)
    gate = Gatekeeper()

    async def go():
        attempts = [await transport.send(OutgoingMail("b@shop.example", one, BODY), gate) for one in recipients]
        await transport.close()
        return attempts

    return asyncio.run(go()), gate


@pytest.mark.parametrize(
    ("recipient", "allowed"),
    [
        ("ana@shop.example", True),
        ("Ville@SHOP.example", True),
        ("boss@other.example", True),
        ("ana@other.example", False),
        ("ana@shop.example.evil.example", False),
        ("ana@notshop.example", False),
    ],
)
def test_only_who_is_named_gets_mail_from_staging(tmp_path, recipient, allowed):
    (attempt,), gate = send_allowed(tmp_path, ["*@shop.example", " boss@other.example "], recipient)
    assert (attempt.phase is Phase.DONE) == allowed
    assert gate.asked == int(allowed)
    if not allowed:
        assert (classify(attempt).state, classify(attempt).reason) == (DeliveryState.SKIPPED, Reason.NOT_ALLOWED_HERE)


def test_an_empty_allow_list_allows_nobody(tmp_path):
    (attempt,), _ = send_allowed(tmp_path, ["", " "], "ana@shop.example")
    assert attempt.fault is Fault.NOT_ALLOWED
