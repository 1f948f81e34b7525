"""Two contacts turn out to be one: nobody is mailed twice, no stop is lost, nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from nurture.domain.contact import Consent, Contact, SuppressionReason
from nurture.domain.enrolment import EnrolmentState
from nurture.domain.ledger import FactKind
from nurture.engine.audit import audit
from nurture.engine.ingest import IncomingEvent
from nurture.errors import StorageError
from nurture.storage.contacts import erase, find
from nurture.storage.merging import GIVEN, NUMBERED
from nurture.storage.names import now_called
from nurture.storage.reports import enrolments_of
from nurture.storage.suppressions import suppress, suppression_of
from nurture.storage.tables import contacts, events, metadata
from nurture.testing.house import ANA, House
from nurture.testing.smtp import ScriptedServer

OLD = "ana.before@people.example"
SERIES = """\
start: {event: Signed Up, again: never}
steps:
  - {id: one, send: one}
  - {wait: 2 days}
  - {id: two, send: two}
"""
CART = """\
campaign: cart
start: {event: Cart Changed, key: event.cart}
steps:
  - {wait: 1 hour}
  - {id: remind, send: remind}
"""


def browser(name: str | None, browser_id: str = "b1", **more: Any) -> IncomingEvent:
    return IncomingEvent(name=name, anonymous_id=browser_id, **more)


def known_as(house: House, name: str) -> Contact:
    with house.database.read() as tx:
        found = find(tx, name)
    assert found is not None, name
    return found


def people(house: House) -> int:
    with house.database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(contacts)).scalar_one())


def identify(house: House, user: str | None = "u1", browser_id: str | None = "b1", email: str | None = ANA) -> None:
    house.take(IncomingEvent(anonymous_id=browser_id, external_id=user, email=email, traits={}))


def rest_nowhere(house: House, gone: int) -> None:
    """No row of any table speaks of her."""
    with house.database.read() as tx:
        for table in metadata.sorted_tables:
            if "contact_id" in table.c:
                rows = tx.execute(select(func.count()).where(table.c.contact_id == gone)).scalar_one()
                assert rows == 0, table.name


def sound(house: House) -> None:
    found = audit(house.database, house.app.applied().programme, house.now + timedelta(seconds=1))
    assert found.holds, found.findings


@pytest.fixture
def shop(build: Callable[..., House]) -> House:
    return build(SERIES, CART, project="caps: [{max: 1, per: 1 day}]\n")


# --- who is who


def test_a_browser_has_one_contact_that_becomes_the_person_it_turns_out_to_be(shop: House) -> None:
    shop.take(browser("Product Viewed"), browser("Product Viewed"))
    visitor = known_as(shop, "b1")
    identify(shop)

    assert people(shop) == 1
    assert known_as(shop, ANA).id == known_as(shop, "u1").id == visitor.id


def test_a_browser_of_somebody_known_is_merged_into_her_with_all_it_did(shop: House) -> None:
    shop.take(IncomingEvent(external_id="u1", email=ANA, traits={"city": "Turku"}))
    shop.take(browser("Product Viewed", traits={"city": "Oulu", "shoe": 39}), browser("Product Viewed"))
    visitor = known_as(shop, "b1").id
    identify(shop)

    ana = known_as(shop, ANA)
    assert people(shop) == 1
    assert dict(ana.attributes) == {"city": "Turku", "shoe": 39}
    rest_nowhere(shop, visitor)
    with shop.database.read() as tx:
        assert tx.execute(select(func.count()).where(events.c.contact_id == ana.id)).scalar_one() == 2
    shop.take(browser("Product Viewed"))
    assert people(shop) == 1
    assert [fact.detail["was"] for fact in shop.facts(ANA, FactKind.MERGED)] == [visitor]


def test_it_is_the_same_within_one_batch_and_in_any_order(shop: House) -> None:
    shop.take(IncomingEvent(external_id="u2", email=OLD, traits={}))
    shop.take(
        browser("Product Viewed", "x"),
        IncomingEvent(name="Signed In", external_id="u2"),
        browser(None, "x", external_id="u2", traits={}),
        browser("Product Viewed", "x"),
        IncomingEvent(name="Signed In", external_id="u3"),
        browser("Product Viewed", "y", external_id="u3"),
        browser("Product Viewed", "y"),
    )

    assert people(shop) == 2
    assert known_as(shop, "x").id == known_as(shop, OLD).id
    assert known_as(shop, "y").id == known_as(shop, "u3").id


def test_another_person_at_the_same_browser_stays_another_person(shop: House) -> None:
    identify(shop, "u1", "b1", ANA)
    identify(shop, "u2", "b1", OLD)

    assert people(shop) == 2
    assert known_as(shop, "b1").id == known_as(shop, "u1").id
    assert known_as(shop, ANA).id != known_as(shop, OLD).id


def test_an_alias_gives_a_person_another_name(shop: House) -> None:
    identify(shop, "u1", None, ANA)
    shop.take(IncomingEvent(external_id="crm-1", previous_id="u1"))
    shop.take(IncomingEvent(name="Product Viewed", external_id="crm-1"))

    assert people(shop) == 1
    assert known_as(shop, "crm-1").id == known_as(shop, "u1").id == known_as(shop, ANA).id


def test_an_alias_of_two_known_people_makes_them_one_under_all_their_names(shop: House) -> None:
    identify(shop, "old", None, OLD)
    identify(shop, "new", "b2", ANA)
    gone = known_as(shop, "old").id
    shop.take(IncomingEvent(external_id="new", previous_id="old"))

    ana = known_as(shop, ANA)
    assert people(shop) == 1
    assert ana.email == ANA
    assert {known_as(shop, name).id for name in ("old", "new", OLD, ANA, "b2", str(gone))} == {ana.id}
    shop.take(IncomingEvent(name="Product Viewed", email=OLD))
    assert people(shop) == 1


def test_an_address_without_an_id_and_an_id_without_an_address_are_joined_by_who_knows_both(shop: House) -> None:
    shop.tell("Newsletter Subscribed")
    shop.take(IncomingEvent(name="Order Completed", external_id="u1"))
    identify(shop, "u1", None, ANA)

    assert people(shop) == 1
    assert known_as(shop, "u1").email == ANA


def test_a_guest_makes_no_two_known_people_one(shop: House) -> None:
    identify(shop, "u1", None, ANA)
    identify(shop, "u2", None, OLD)
    shop.take(
        IncomingEvent(external_id="u2", previous_id="u1", guest=True),
        IncomingEvent(external_id="u2", email=ANA, traits={}, guest=True),
    )

    assert people(shop) == 2
    assert known_as(shop, "u1").email == ANA
    assert known_as(shop, "u2").email == OLD


# --- what goes on


def test_what_a_visitor_began_goes_on_when_she_is_known(shop: House) -> None:
    shop.consenting()
    shop.take(browser("Cart Changed", properties={"cart": 7}))
    shop.live_until("+10 minutes")
    identify(shop)
    shop.live_until("+2 hours")

    (mail,) = shop.mails()
    assert mail.delivery.step == "remind"
    sound(shop)


def test_nobody_gets_twice_what_she_began_as_two(shop: House) -> None:
    shop.consenting(ANA, OLD)
    for email in (ANA, OLD):
        shop.tell("Signed Up", email)
    shop.live_until("+1 hour")
    identify(shop, "new", None, ANA)
    identify(shop, "old", None, OLD)
    shop.take(IncomingEvent(external_id="new", previous_id="old"))
    shop.live_until("+10 days")

    assert sorted(mail.delivery.step for mail in shop.mails() if mail.delivery.state == "sent") == ["one", "one", "two"]
    assert shop.left_by(ANA).count("ejected") == 1
    sound(shop)


def test_who_had_the_series_long_ago_is_not_sent_it_again_as_a_visitor(shop: House) -> None:
    shop.consenting()
    shop.tell("Signed Up")
    shop.live_until("+10 days")
    shop.take(browser("Signed Up"))
    shop.advance()
    identify(shop)
    shop.live_until("+10 days")

    assert [mail.delivery.step for mail in shop.mails()] == ["one", "two"]


def test_the_same_cart_is_reminded_of_once(shop: House) -> None:
    shop.consenting()
    shop.tell("Cart Changed", cart=7)
    shop.take(browser("Cart Changed", properties={"cart": 7}), browser("Cart Changed", properties={"cart": 8}))
    shop.advance()
    identify(shop)
    shop.live_until("+3 days")

    carts = [mail.delivery.step for mail in shop.mails() if mail.delivery.state == "sent"]
    assert carts == ["remind", "remind"], "cart 7 once, cart 8 once"
    sound(shop)


def test_what_was_planned_for_the_other_is_cancelled_and_told(shop: House) -> None:
    shop.consenting(ANA, OLD)
    identify(shop, "new", None, ANA)
    identify(shop, "old", None, OLD)
    shop.tell("Signed Up", OLD)
    shop.advance()
    assert [mail.delivery.state for mail in shop.mails(OLD)] == ["planned"]
    shop.take(IncomingEvent(external_id="new", previous_id="old"))

    assert [mail.delivery.state for mail in shop.mails()] == ["cancelled"]
    assert "cancelled merged" in shop.told()
    shop.live_until("+5 days")
    assert [mail.delivery.state for mail in shop.mails()] == ["cancelled", "sent"]
    sound(shop)


def test_while_a_mail_is_on_the_wire_nobody_is_merged(shop: House) -> None:
    from nurture.storage.tables import deliveries

    shop.consenting(ANA, OLD)
    identify(shop, "new", None, ANA)
    identify(shop, "old", None, OLD)
    shop.tell("Signed Up", OLD)
    shop.advance()
    with shop.database.write() as tx:
        tx.execute(deliveries.update().values(state="gated", owner="x", gated_at=shop.now, lease_until=shop.now))

    with pytest.raises(StorageError, match="on the wire"):
        shop.take(IncomingEvent(external_id="new", previous_id="old"))
    assert people(shop) == 2


def test_everything_that_is_kept_of_a_person_goes_to_the_one_she_is() -> None:
    kept = {table.name for table in metadata.sorted_tables if "contact_id" in table.c} - {"due", "names"}

    assert kept == {table.name for table in (*GIVEN, *NUMBERED)}, "what is not moved goes with her contact"


# --- stops


@pytest.mark.parametrize("who", [ANA, OLD])
def test_a_no_of_either_is_the_answer_of_both(shop: House, who: str) -> None:
    shop.consenting(ANA, OLD)
    identify(shop, "new", None, ANA)
    identify(shop, "old", None, OLD)
    shop.tell("Newsletter Unsubscribed", who)
    shop.drain()
    shop.take(IncomingEvent(external_id="new", previous_id="old"))

    assert known_as(shop, ANA).consent is Consent.WITHDRAWN


def test_a_suppressed_person_stays_suppressed_under_any_address_and_a_bounced_mailbox_does_not_spread(
    shop: House,
) -> None:
    for number, reason in enumerate((SuppressionReason.COMPLAINED, SuppressionReason.BOUNCED)):
        old, new = f"old{number}@people.example", f"new{number}@people.example"
        identify(shop, f"old{number}", None, old)
        identify(shop, f"new{number}", None, new)
        with shop.database.write() as tx:
            suppress(tx, [old], reason, shop.now, "test")
        shop.take(IncomingEvent(external_id=f"new{number}", previous_id=f"old{number}"))
        with shop.database.read() as tx:
            found = suppression_of(tx, new)
            kept = suppression_of(tx, old)
        assert kept is not None
        assert kept.reason is reason
        assert (found is not None) == (reason is SuppressionReason.COMPLAINED)


def test_who_is_erased_is_never_mailed_at_any_address_she_had(shop: House) -> None:
    identify(shop, "old", None, OLD)
    identify(shop, "new", None, ANA)
    shop.take(IncomingEvent(external_id="new", previous_id="old"))
    with shop.database.write() as tx:
        assert erase(tx, known_as(shop, ANA).id, shop.now)

    with shop.database.read() as tx:
        for email in (ANA, OLD):
            found = suppression_of(tx, email)
            assert found is not None
            assert found.reason is SuppressionReason.ERASED


def test_links_in_mails_of_old_still_lead_to_her(shop: House) -> None:
    """Through two mergers, one after the other."""
    shop.consenting(ANA, OLD, "third@people.example")
    for name, email in (("a", OLD), ("b", ANA), ("c", "third@people.example")):
        identify(shop, name, None, email)
        shop.tell("Signed Up", email)
    shop.drain()
    first = known_as(shop, "a").id
    (mail,) = shop.mails(OLD)
    shop.take(IncomingEvent(external_id="b", previous_id="a"))
    shop.take(IncomingEvent(external_id="c", previous_id="b"))

    last = known_as(shop, "c")
    with shop.database.read() as tx:
        who, seq = now_called(tx, first, mail.delivery.seq)
        assert now_called(tx, last.id, 5) == (last.id, 5)
        assert {each.state for each in enrolments_of(tx, last.id)} <= set(EnrolmentState)
    assert who == last.id
    (found,) = [each for each in shop.mails("c") if each.delivery.seq == seq]
    assert (found.delivery.step, found.delivery.planned_at) == (mail.delivery.step, mail.delivery.planned_at)


def test_two_daemons_told_of_the_same_new_browser_make_one_contact(shop: House) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def tell(number: int) -> None:
        shop.take(browser("Product Viewed", f"b{number % 3}", message_id=str(number)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tell, range(24)))

    assert people(shop) == 3


def test_mergers_and_turns_at_once_lose_nothing(build: Callable[..., House], server: ScriptedServer) -> None:
    shop = build(SERIES, CART, server=server, project="caps: [{max: 1, per: 1 day}]\n")
    count = 12
    shop.consenting(*(f"p{n}@people.example" for n in range(count)))
    shop.take(*(browser("Cart Changed", f"b{n}", properties={"cart": n}) for n in range(count)))
    shop.advance()
    shop.pass_time("+1 hour")

    async def work() -> None:
        async with shop.engine() as engine:
            loop = asyncio.get_running_loop()
            told = [
                loop.run_in_executor(None, identify, shop, f"u{n}", f"b{n}", f"p{n}@people.example")
                for n in range(count)
            ]
            while not all(each.done() for each in told):
                await engine.pump.drain()
            await asyncio.gather(*told)
            await engine.pump.drain()

    asyncio.run(work())
    shop.live_until("+3 days")

    assert people(shop) == count
    recipients = [copy.recipient for copy in server.copies]
    assert sorted(set(recipients)) == sorted(recipients), "nobody is mailed twice"
    sound(shop)
