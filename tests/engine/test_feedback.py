"""What comes back has its effect once, by its cause, and stands in the ledger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.ledger import FactKind
from nurture.domain.tokens import Purpose
from nurture.engine.explain import explain
from nurture.engine.feedback import Effect, Taken, take_mail
from nurture.storage.contacts import find
from nurture.storage.quarantine import held
from nurture.testing.house import ANA, House
from nurture.testing.returns import arf, dsn, plain
from nurture.testing.smtp import ScriptedServer, say

Build = Callable[..., House]
FULL = "552 5.2.2 Mailbox full"


@pytest.fixture
def house(build: Build) -> House:
    made = build()
    made.consenting()
    made.tell("Signed Up")
    made.drain()
    return made


def _address(house: House, seq: int | None = None, purpose: Purpose = Purpose.RETURN_PATH) -> str:
    number = house.mails()[0].delivery.seq if seq is None else seq
    token = house.app.keyring.mailbox_token(purpose, house.id_of(), number)
    return f"{'b' if purpose is Purpose.RETURN_PATH else 'unsubscribe'}+{token}@shop.example"


def _take(house: House, raw: bytes, recipient: str | None = None) -> Taken:
    app = house.app
    taken = take_mail(
        house.database, app.keyring, app.applied().programme, raw, house.now, recipient, storm=app.storm_rule
    )
    house.drain()
    return taken


def _suppressed(house: House) -> SuppressionReason | None:
    with house.database.read() as tx:
        contact = find(tx, ANA)
    assert contact is not None
    return contact.suppressed


def test_a_dead_address_is_written_to_no_more_and_a_second_report_changes_nothing(house: House) -> None:
    assert _take(house, dsn(_address(house))).effect is Effect.BOUNCED
    assert _suppressed(house) is SuppressionReason.BOUNCED
    before = house.told()
    assert before[-2:] == ["bounced by_event", "suppressed by_event"]
    assert _take(house, dsn(_address(house))).effect is Effect.KNOWN
    assert _take(house, dsn(_address(house), message_id="another")).effect is Effect.KNOWN
    assert house.told() == before


def test_the_ledger_names_the_mail_that_came_back(house: House) -> None:
    _take(house, dsn(_address(house)))
    (fact,) = house.facts(ANA, FactKind.BOUNCED)
    assert (fact.campaign, fact.step, fact.delivery) == ("c", "hello", house.mail().delivery.seq)
    assert fact.detail["enhanced"] == "5.1.1"
    story = explain(house.database, house.app.applied(), ANA, house.now)
    assert any(line.what == "hello came back" for line in story.lines)


@pytest.mark.parametrize(
    "diagnosis",
    [
        "550 5.7.26 This mail is unauthenticated: DMARC policy",
        "554 5.7.1 Service unavailable; client host blocked using zen.spamhaus.org",
        "550 5.1.1 rejected as spam",
        "421 4.7.28 unusual rate of mail",
    ],
)
def test_a_fault_of_ours_suppresses_nobody(house: House, diagnosis: str) -> None:
    taken = _take(house, dsn(_address(house), status=diagnosis.split()[1], diagnosis=diagnosis))
    assert taken.effect is Effect.REFUSED
    assert _suppressed(house) is None
    assert house.told()[-1] == "bounced by_event"


def _full(house: House, seq: int) -> Effect:
    return _take(house, dsn(_address(house, seq), status="5.2.2", diagnosis=FULL, message_id=f"full-{seq}")).effect


def test_three_full_mailboxes_over_two_weeks_suppress(house: House) -> None:
    effects = []
    for number in range(3):
        house.pass_time("+8 days")
        effects.append(_full(house, 100 + number))
    assert effects == [Effect.SOFT_BOUNCED, Effect.SOFT_BOUNCED, Effect.BOUNCED]
    assert _suppressed(house) is SuppressionReason.BOUNCED


def test_soft_bounces_of_one_mail_count_once_and_those_of_one_day_do_not_suppress(house: House) -> None:
    house.pass_time("+8 days")
    assert [_full(house, 100), _full(house, 100)] == [Effect.SOFT_BOUNCED, Effect.KNOWN]
    assert {_full(house, 200), _full(house, 201), _full(house, 202)} == {Effect.SOFT_BOUNCED}
    assert _suppressed(house) is None


def test_a_mail_that_arrived_in_between_wipes_what_came_before_it(build: Build) -> None:
    house = build()
    house.consenting()
    for number in range(2):
        _full(house, 100 + number)
        house.pass_time("+8 days")
    house.tell("Signed Up")
    house.drain()
    house.pass_time("+8 days")
    assert _full(house, 102) is Effect.SOFT_BOUNCED
    assert _suppressed(house) is None


def test_a_bounce_about_an_address_she_has_left_does_not_touch_the_new_one(house: House) -> None:
    taken = _take(house, dsn(_address(house), original="former@people.example"))
    assert (taken.effect, _suppressed(house)) == (Effect.NONE, None)
    assert _take(house, dsn(_address(house), original="ANA@people.example")).effect is Effect.BOUNCED


def test_a_complaint_ends_marketing_at_the_next_turn(house: House) -> None:
    token = house.app.keyring.mailbox_token(Purpose.MESSAGE_ID, house.id_of(), house.mail().delivery.seq)
    raw = arf("abuse", f"Message-ID: <{token}@shop.example>")
    assert _take(house, raw).effect is Effect.COMPLAINED
    assert _suppressed(house) is SuppressionReason.COMPLAINED
    assert _take(house, raw).effect is Effect.KNOWN
    assert house.told().count("complained by_event") == 1


def test_a_report_on_authentication_suppresses_nobody(house: House) -> None:
    token = house.app.keyring.mailbox_token(Purpose.MESSAGE_ID, house.id_of(), house.mail().delivery.seq)
    assert _take(house, arf("auth-failure", f"Message-ID: <{token}@shop.example>")).effect is Effect.NONE
    assert _suppressed(house) is None


def test_an_unsubscribe_by_mail_holds_for_the_topic_of_the_mail_it_answers(house: House) -> None:
    taken = _take(house, plain(_address(house, purpose=Purpose.UNSUBSCRIBE)))
    assert taken.effect is Effect.UNSUBSCRIBED
    with house.database.read() as tx:
        contact = find(tx, ANA)
    assert contact is not None
    assert "tips" in contact.opted_out or contact.consent is Consent.WITHDRAWN


def test_a_forged_address_changes_nothing_and_is_kept_with_its_reason(house: House) -> None:
    before = house.told()
    for raw in (plain("unsubscribe+" + "a" * 52 + "@shop.example"), dsn("b+forged@shop.example")):
        assert _take(house, raw).effect is Effect.QUARANTINED
    with house.database.read() as tx:
        reasons = [each.reason for each in held(tx)]
    assert reasons == ["its token is not ours, or was altered"] * 2
    assert house.told() == before


def test_a_token_of_another_purpose_unsubscribes_nobody(house: House) -> None:
    bounce = _address(house)
    taken = _take(house, plain("unsubscribe+" + bounce[2:]))
    assert taken.effect is Effect.QUARANTINED


def test_what_came_back_of_somebody_who_was_erased_has_no_effect(house: House) -> None:
    token = house.app.keyring.mailbox_token(Purpose.RETURN_PATH, 999_999, 1)
    assert _take(house, dsn(f"b+{token}@shop.example")).effect is Effect.NONE


def test_a_bounce_that_names_no_mail_waits_for_somebody_to_look(house: House) -> None:
    assert _take(house, dsn("bounces@shop.example")).effect is Effect.QUARANTINED


FOUR_MAILS = """\
start: {event: Signed Up}
steps:
  - {id: a, send: hello}
  - wait: 8 days
  - {id: b, send: hello}
  - wait: 8 days
  - {id: c, send: hello}
  - wait: 8 days
  - {id: d, send: hello}
"""


def test_mails_the_relay_refuses_for_a_full_mailbox_suppress_at_the_third_over_two_weeks(build: Build) -> None:
    with ScriptedServer({"RCPT": say(FULL)}) as server:
        house = build(FOUR_MAILS, server=server)
        house.consenting()
        house.tell("Signed Up")
        house.live_until("+9 days")
        assert [one.delivery.state.value for one in house.mails()] == ["rejected", "rejected"]
        assert _suppressed(house) is None
        house.live_until("+8 days")
        assert _suppressed(house) is SuppressionReason.BOUNCED
        house.live_until("+20 days")
        assert "sent accepted" not in house.told()
        assert len([one for one in house.mails() if one.delivery.state.value == "rejected"]) == 3
