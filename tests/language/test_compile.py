"""What the words of the language come to mean, value by value."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from nurture.domain.campaign import (
    Again,
    Campaign,
    CampaignStatus,
    DateStart,
    EventStart,
    EventStop,
    ManualStart,
    Meanwhile,
    SegmentStart,
    StageStart,
    StageStop,
)
from nurture.domain.contact import Consent
from nurture.domain.programme import Cap, Programme
from nurture.domain.programme import Webhook as HookOut
from nurture.domain.steps import (
    Alert,
    Branch,
    End,
    Goto,
    MailKind,
    Move,
    OnCap,
    Record,
    Send,
    SendWindow,
    SetAttributes,
    Split,
    Wait,
    WaitFor,
    WaitQuiet,
    WaitUntil,
    Webhook,
)
from nurture.domain.timing import Hours
from nurture.language.compile import Compiled, compile_project
from nurture.language.people import instant_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def compiled(project: dict[str, str]) -> Compiled:
    result = compile_project(project)
    assert result.errors == ()
    return result


def programme_of(project: dict[str, str]) -> Programme:
    programme = compiled(project).programme
    assert programme is not None
    return programme


def cart(project: dict[str, str]) -> Campaign:
    return programme_of(project).campaigns["abandoned-cart"]


def with_thanks(project: dict[str, str], start: str, steps: str = "  - wait: 1 day\n") -> Campaign:
    """The second campaign with another start and other steps."""
    project["campaigns/order-thanks.yaml"] = (
        f"version: 1\ncampaign: order-thanks\nstatus: live\nstart: {start}\nsteps:\n{steps}"
    )
    return programme_of(project).campaigns["order-thanks"]


# --- the project -----------------------------------------------------------------------------------------------------


def test_the_lifecycle_is_read_with_its_aliases_and_moves(project: dict[str, str]) -> None:
    lifecycle = programme_of(project).lifecycle
    assert lifecycle.stages == ("awareness", "purchase", "advocacy", "lapsed")
    assert lifecycle.first == "awareness"
    assert lifecycle.aliases == {"reach": "awareness", "customer": "purchase"}
    on_event, dwell, condition = lifecycle.moves
    assert on_event.on == {"Order Completed"}
    assert on_event.from_stages == {"awareness", "lapsed"}
    assert dwell.after is not None
    assert dwell.after.days == 14
    assert condition.condition is not None
    assert condition.condition.source == "days_since(last('Order Completed')) > 180"


def test_the_policy_holds_what_the_file_says(project: dict[str, str]) -> None:
    programme = programme_of(project)
    assert programme.zone == "Europe/Helsinki"
    assert programme.quiet_hours == Hours(time(21), time(8))
    assert programme.caps == (
        Cap(1, timedelta(hours=20)),
        Cap(3, timedelta(days=7)),
        Cap(1, timedelta(days=14), "discount"),
    )
    assert programme.categories == {"discount", "value"}
    assert programme.hold_out == pytest.approx(0.02)
    assert list(programme.senders) == ["shop", "mia"]
    assert programme.senders["shop"].reply_to == "care@northwind.example"
    assert programme.topics["tips"].title == "Tips and tutorials"
    assert programme.consent_granted_by == {"Newsletter Subscribed"}
    assert programme.consent_withdrawn_by == {"Newsletter Unsubscribed"}
    assert programme.teams == {"care": "care@northwind.example"}
    assert programme.webhooks == {"crm": HookOut("https://crm.northwind.example/hook")}
    assert programme.brand == {"colour": "green"}
    assert programme.seed == "garden"
    assert programme.segments["regulars"].source == "orders(last='365 days') >= 3"
    assert programme.segments["big-spenders"].source == "spent(last='365 days') >= 600"


def test_a_country_of_holidays_closes_its_business_days(project: dict[str, str]) -> None:
    calendar = programme_of(project).calendar
    assert date(2026, 12, 25) in calendar.holidays
    assert not calendar.is_business_day(date(2045, 12, 6))  # independence day


def test_holidays_may_be_a_list_of_dates(project: dict[str, str]) -> None:
    file = "campaigns/_project.yaml"
    project[file] = project[file].replace("holidays: FI", "holidays: [2026-06-19, 2026-12-24]")
    assert programme_of(project).calendar.holidays == {date(2026, 6, 19), date(2026, 12, 24)}


def test_the_words_yaml_once_took_for_truths_are_text(project: dict[str, str]) -> None:
    file = "campaigns/_project.yaml"
    project[file] = project[file].replace("stages: [awareness,", "stages: [no, on, awareness,").replace("reach", "yes")
    assert programme_of(project).lifecycle.stages[:2] == ("no", "on")
    assert "yes" in programme_of(project).lifecycle.aliases


# --- a campaign ------------------------------------------------------------------------------------------------------


def test_the_head_of_a_campaign_is_read(project: dict[str, str]) -> None:
    campaign = cart(project)
    assert campaign.title == "Remind people of the cart they left"
    assert campaign.owner == "shop@northwind.example"
    assert campaign.topic == "offers"
    assert campaign.status is CampaignStatus.LIVE
    assert campaign.priority == 80
    assert campaign.start == EventStart("Checkout Started")
    assert campaign.key is not None
    assert campaign.key.source == "event.checkout_id"
    assert campaign.condition is not None
    assert campaign.again.after is not None
    assert campaign.again.after.days == 7
    assert campaign.meanwhile is Meanwhile.REFRESH
    assert campaign.hold_out == pytest.approx(0.1)
    assert campaign.send_window == SendWindow(Hours(time(8), time(20)), frozenset(range(5)))
    assert campaign.file == "campaigns/abandoned-cart.yaml"
    first, second = campaign.stops
    assert isinstance(first, EventStop)
    assert first.where is not None
    assert second == EventStop("Cart Emptied")
    assert campaign.goal is not None
    assert campaign.goal.within.days == 5
    assert campaign.goal.exits


def test_what_is_left_out_has_careful_defaults(project: dict[str, str]) -> None:
    project["campaigns/order-thanks.yaml"] = (
        "version: 1\ncampaign: order-thanks\ntopic: tips\nstart: {event: Order Completed}\n"
        "steps:\n  - {id: a, send: cart/letter}\n"
        "  - {id: receipt, send: order/receipt, kind: transactional, if: exists(start.order_id)}\n"
    )
    campaign = programme_of(project).campaigns["order-thanks"]
    assert campaign.status is CampaignStatus.DRAFT
    assert campaign.priority == 50
    assert campaign.again == Again()
    assert campaign.meanwhile is Meanwhile.IGNORE
    assert campaign.title == "Order thanks"
    marketing, transactional = campaign.sends
    assert marketing.kind is MailKind.MARKETING
    assert marketing.late.days == 3
    assert marketing.on_cap is OnCap.POSTPONE
    assert transactional.late.days == 1


@pytest.mark.parametrize(
    ("written", "start"),
    [
        ('{stage: "awareness -> purchase"}', StageStart(frozenset({"awareness"}), "purchase")),
        ('{stage: "reach, lapsed -> customer"}', StageStart(frozenset({"awareness", "lapsed"}), "purchase")),
        ('{stage: "* -> lapsed"}', StageStart(None, "lapsed")),
        ("{segment: regulars}", SegmentStart("regulars")),
        ("{manual: true}", ManualStart()),
    ],
)
def test_starts_are_read(project: dict[str, str], written: str, start: object) -> None:
    assert with_thanks(project, written).start == start


def test_a_start_by_date_begins_at_nine_unless_it_says_otherwise(project: dict[str, str]) -> None:
    plain = with_thanks(project, "{date: contact.birthday}").start
    timed = with_thanks(project, '{date: contact.birthday, at: "07:30"}').start
    assert isinstance(plain, DateStart)
    assert isinstance(timed, DateStart)
    assert plain.date.source == "contact.birthday"
    assert (plain.at, timed.at) == (time(9), time(7, 30))


@pytest.mark.parametrize(("written", "again"), [("never", Again(never=True)), ("always", Again()), (None, Again())])
def test_re_entry_is_always_unless_it_is_limited(project: dict[str, str], written: str | None, again: Again) -> None:
    rule = f", again: {written}" if written else ""
    assert with_thanks(project, f"{{event: Order Completed{rule}}}").again == again


def test_a_single_stop_needs_no_list_and_knows_aliases(project: dict[str, str]) -> None:
    with_thanks(project, '{event: Order Completed}\nstop: {stage: "* -> customer"}')
    assert programme_of(project).campaigns["order-thanks"].stops == (StageStop(None, "purchase"),)


def test_offers_are_one_tier_or_several(project: dict[str, str]) -> None:
    offers = cart(project).offers
    (saver,) = offers["saver"].tiers
    assert (saver.discount, saver.code, saver.condition) == ("10%", "unique:CART", None)
    assert offers["saver"].expires.elapsed == timedelta(hours=48)
    gold, regular = offers["thanks"].tiers
    assert gold.condition is not None
    assert (regular.discount, regular.code) == ("5 EUR", "fixed:THANKS10")


# --- steps -----------------------------------------------------------------------------------------------------------


def test_every_kind_of_step_becomes_its_node(project: dict[str, str]) -> None:
    nodes = cart(project).nodes
    quiet = nodes["wait_quiet>reminder"]
    assert isinstance(quiet, WaitQuiet)
    assert quiet.after == {"Product Added", "Checkout Started"}
    reminder = nodes["reminder"]
    assert isinstance(reminder, Send)
    assert reminder.late.elapsed == timedelta(hours=6)
    wait = nodes["wait>sweetener"]
    assert isinstance(wait, Wait)
    assert wait.duration is not None
    assert (wait.duration.days, wait.until, wait.days) == (1, time(10), frozenset({0, 1, 2}))
    sweetener = nodes["sweetener"]
    assert isinstance(sweetener, Send)
    assert (sweetener.on_cap, sweetener.offer, sweetener.category) == (OnCap.SKIP, "saver", "discount")
    letter = nodes["letter"]
    assert isinstance(letter, Send)
    assert (letter.sender, letter.was) == ("mia", frozenset({"old-letter"}))
    awaited = nodes["wait_for>end"]
    assert isinstance(awaited, WaitFor)
    assert (awaited.then, awaited.otherwise, awaited.next) == ("set>end", "letter", "wait>end")
    business = nodes["wait>end"]
    assert isinstance(business, Wait)
    assert business.duration is not None
    assert business.duration.business_days == 2
    branch = nodes["branch>end"]
    assert isinstance(branch, Branch)
    assert [arm.target for arm in branch.arms] == ["move>end", "webhook>end"]
    assert branch.arms[1].condition is None
    split = nodes["split>end"]
    assert isinstance(split, Split)
    assert [(arm.name, arm.share, arm.target) for arm in split.arms] == [
        ("alert", 60, "alert>end"),
        ("hold-out", 40, None),
    ]
    move, record, webhook = nodes["move>end"], nodes["record>end"], nodes["webhook>end"]
    assert isinstance(move, Move)
    assert move.stage == "advocacy"
    assert isinstance(record, Record)
    assert [(key, value.source) for key, value in record.values] == [("value", "start.value")]
    assert isinstance(webhook, Webhook)
    alert = nodes["alert>end"]
    assert isinstance(alert, Alert)
    assert (alert.team, alert.text) == ("care", "Call this person")
    until = nodes["wait_until>end"]
    assert isinstance(until, WaitUntil)
    assert until.offset is not None
    assert (until.instant.source, until.offset.days, until.before) == ("contact.renews_at", 14, True)
    goto = nodes["goto>end"]
    assert isinstance(goto, Goto)
    assert (goto.target, goto.times, goto.next) == ("letter", 2, None)


def test_sequences_join_again_where_the_outer_one_goes_on(project: dict[str, str]) -> None:
    nodes = cart(project).nodes
    assert nodes["set>end"].next == "wait>end"
    assert nodes["letter"].next == "wait>end"
    assert nodes["record>end"].next == "split>end"
    assert nodes["alert>end"].next == "wait_until>end"
    assert isinstance(nodes["end>end"], End)
    assert nodes["end>end"].next is None


def test_nodes_stand_in_file_order_with_their_lines(project: dict[str, str]) -> None:
    campaign = cart(project)
    lines = [node.line for node in campaign.nodes.values()]
    assert lines == sorted(lines)
    text = project["campaigns/abandoned-cart.yaml"].split("\n")
    assert text[campaign.nodes["reminder"].line - 1] == "  - id: reminder"
    assert [send.id for send in campaign.sends] == ["reminder", "sweetener", "letter"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ('until: "09:30"', (None, time(9, 30), None, False)),
        ("on: [sat, Sunday]", (None, None, frozenset({5, 6}), False)),
        ("on: weekdays", (None, None, frozenset(range(5)), False)),
        ("{wait: 1 month, on: business days}", ("1 month", None, None, True)),
        ("wait: P2D", ("P2D", None, None, False)),
    ],
)
def test_waits_are_read_in_every_spelling(project: dict[str, str], step: str, expected: tuple[object, ...]) -> None:
    node = with_thanks(project, "{manual: true}", f"  - {step}\n").nodes["wait>end"]
    assert isinstance(node, Wait)
    text = node.duration.text if node.duration else None
    assert (text, node.until, node.days, node.business_days) == expected


@pytest.mark.parametrize(
    ("written", "source", "offset", "before"),
    [
        ("contact.renews_at", "contact.renews_at", None, False),
        ("contact.renews_at - 3 business days", "contact.renews_at", "3 business days", True),
        ("start.ends_at + 90 minutes", "start.ends_at", "90 minutes", False),
        ("contact.renews_at - P2D", "contact.renews_at", "P2D", True),
    ],
)
def test_an_instant_to_wait_for_may_have_a_distance(
    project: dict[str, str], written: str, source: str, offset: str | None, before: bool
) -> None:
    node = with_thanks(project, "{event: Order Completed}", f"  - wait_until: {written}\n").nodes["wait_until>end"]
    assert isinstance(node, WaitUntil)
    assert node.instant.source == source
    assert (node.offset.text if node.offset else None, node.before) == (offset, before)


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("gold", "'gold'"),
        ("true", "True"),
        ("3", "3"),
        ("contact.points + 10", "contact.points + 10"),
        ("event list", "'event list'"),
        ("now", "now"),
        ("now or never", "'now or never'"),
        ("count('Order Completed')", "count('Order Completed')"),
        ('"it\'s"', '"it\'s"'),
    ],
)
def test_a_value_is_text_unless_it_begins_like_an_expression(
    project: dict[str, str], written: str, source: str
) -> None:
    node = with_thanks(project, "{event: Order Completed}", f"  - set: {{contact.tier: {written}}}\n").nodes["set>end"]
    assert isinstance(node, SetAttributes)
    assert [(key, value.source) for key, value in node.values] == [("tier", source)]


def test_short_forms_mean_what_the_long_ones_do(project: dict[str, str]) -> None:
    steps = "  - alert: care\n  - record: Cart Rescued\n  - end\n"
    nodes = with_thanks(project, "{event: Order Completed}", steps).nodes
    alert, record, end = nodes["alert>end"], nodes["record>end"], nodes["end>end"]
    assert isinstance(alert, Alert)
    assert (alert.team, alert.text) == ("care", None)
    assert isinstance(record, Record)
    assert (record.event, record.values) == ("Cart Rescued", ())
    assert isinstance(end, End)


def test_derived_ids_name_the_next_mail_and_are_numbered_when_they_repeat(project: dict[str, str]) -> None:
    steps = (
        "  - wait: 1 day\n  - wait: 2 days\n  - {id: receipt, send: order/receipt, kind: transactional, "
        "if: exists(start.order_id)}\n  - wait: 3 days\n"
    )
    campaign = with_thanks(project, "{event: Order Completed}", steps)
    assert list(campaign.nodes) == ["wait>receipt#2", "wait>receipt", "receipt", "wait>end"]
    assert campaign.first == "wait>receipt#2"


def test_the_same_sources_always_make_the_same_programme(project: dict[str, str]) -> None:
    backwards = dict(reversed(list(project.items())))
    assert compile_project(project).programme == compile_project(backwards).programme


# --- people and stories ----------------------------------------------------------------------------------------------


def test_an_example_person_is_a_contact_with_a_past(project: dict[str, str]) -> None:
    ana = compiled(project).people["ana"]
    contact = ana.contact(NOW, first_stage="awareness")
    assert contact.email == "ana@people.example"
    assert contact.stage == "purchase"
    assert contact.consent is Consent.GRANTED
    assert contact.attributes["first_name"] == "Ana"
    events = ana.events(NOW)
    assert [event.name for event in events] == ["Product Viewed", "Order Completed"]
    assert events[0].at == datetime(2026, 4, 30, 22, tzinfo=UTC)  # midnight in Berlin
    assert events[1].at == NOW - timedelta(days=40)
    assert contact.created_at < events[0].at
    assert ana.start_data("abandoned-cart")["value"] == 80
    assert ana.start_data("something-else") == {}


def test_a_story_is_told_in_instants(project: dict[str, str]) -> None:
    (story,) = compiled(project).stories
    assert story.name == "buying stops the reminders, even on the night the clocks change"
    assert (story.campaign, story.person, story.zone) == ("abandoned-cart", "ana", "Europe/Berlin")
    assert story.from_instant == datetime(2026, 10, 24, 18, tzinfo=UTC)
    assert [event.at - story.from_instant for event in story.events] == [timedelta(), timedelta(hours=14)]
    assert story.expect.sent == ("reminder",)
    assert story.expect.not_sent == ("sweetener",)
    assert story.expect.skipped == {"letter": "cap"}
    assert story.expect.left_by == "stop"
    assert story.expect.stage is None
    text = project["campaigns/tests/buying-stops.yaml"].split("\n")
    assert text[story.line - 1] == "expect:"


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-10-24T20:00 Europe/Berlin", datetime(2026, 10, 24, 18, tzinfo=UTC)),
        ("2026-10-24T20:00", datetime(2026, 10, 24, 18, tzinfo=UTC)),  # ana lives in Berlin
        ("2026-10-24 20:00:30 Europe/Berlin", datetime(2026, 10, 24, 18, 0, 30, tzinfo=UTC)),
        ("2026-10-24T20:00Z", datetime(2026, 10, 24, 20, tzinfo=UTC)),
        ("2026-10-24T20:00+05:30", datetime(2026, 10, 24, 14, 30, tzinfo=UTC)),
        ("2026-10-25T02:30 Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # twice that night: the first
        ("2026-03-29T02:30 Europe/Berlin", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # never that night: 03:30
    ],
)
def test_a_story_begins_at_the_instant_it_says(project: dict[str, str], written: str, instant: datetime) -> None:
    file = "campaigns/tests/buying-stops.yaml"
    project[file] = project[file].replace("2026-10-24T20:00 Europe/Berlin", written)
    assert compiled(project).stories[0].from_instant == instant


def test_distances_add_up() -> None:
    from nurture.language.values import parse_moment

    assert instant_of(parse_moment("+1d 2h"), NOW, "UTC") == NOW + timedelta(hours=26)
    assert instant_of(parse_moment("-2w"), NOW, "UTC") == NOW - timedelta(days=14)
    assert instant_of(parse_moment("+90m"), NOW, "UTC") == NOW + timedelta(minutes=90)
