"""The tests beside the campaigns: told to one person, judged in words, shown on her clock."""

from __future__ import annotations

import pytest

from nurture.engine.stories import StoryResult, covered, run_stories, run_story
from nurture.errors import NurtureError
from nurture.language.compile import Compiled, compile_project
from nurture.language.rewriting import expecting
from nurture.testing.worlds import LIFECYCLE, PROJECT, TEMPLATE

CART = """\
version: 1
campaign: abandoned-cart
topic: offers
status: draft
hold_out: 100%
start: {event: Checkout Started, key: event.checkout_id, if: event.value >= 15}
stop: {event: Order Completed, where: event.checkout_id == start.checkout_id}
goal: {event: Order Completed, within: 5 days}
steps:
  - wait: 1 hour
  - {id: reminder, send: cart/reminder}
  - wait: 1 day
    until: "10:00"
  - {id: sweetener, send: cart/sweetener, if: start.value >= 60}
"""
THANKS = """\
version: 1
campaign: thanks
topic: tips
status: live
start: {event: Order Completed}
steps: [{id: thanks, send: order/thanks, kind: transactional}]
"""
ANA = """\
person: ana
email: ana@people.example
zone: Europe/Berlin
history: [{event: Order Completed, at: -40d, with: {total: 9}}]
"""
STORY = """\
test: buying stops the reminders, even on the night the clocks change
campaign: abandoned-cart
person: ana
from: 2026-10-24T20:00 Europe/Berlin
story:
  - {at: +0m, event: Checkout Started, with: {checkout_id: c1, value: VALUE}}
  - {at: +14h, event: EVENT, with: {checkout_id: c1, total: 80}}
expect:
"""


def project_of(
    expect: str, value: int = 80, event: str = "Order Completed", project: str = "quiet_hours: 21:00-08:00\n"
) -> dict[str, str]:
    story = STORY.replace("VALUE", str(value)).replace("EVENT", event)
    return {
        "campaigns/_project.yaml": PROJECT + LIFECYCLE + project,
        "campaigns/cart.yaml": CART,
        "campaigns/thanks.yaml": THANKS,
        "campaigns/people/ana.yaml": ANA,
        "campaigns/tests/buying.yaml": story + "".join(f"  {line}\n" for line in expect.splitlines()),
        **{f"email_templates/{name}.html": TEMPLATE for name in ("cart/reminder", "cart/sweetener", "order/thanks")},
    }


def compiled(expect: str, value: int = 80, event: str = "Order Completed", **options: str) -> Compiled:
    found = compile_project(project_of(expect, value, event, **options))
    assert not found.errors, found.errors
    return found


def told(expect: str, value: int = 80, event: str = "Order Completed") -> StoryResult:
    (result,) = run_stories(compiled(expect, value, event))
    return result


@pytest.mark.parametrize(
    ("expect", "value", "event"),
    [
        ("sent: [reminder]\nleft_by: stop\ngoal: true\nnot_sent: [sweetener]\nstage: purchase", 80, "Order Completed"),
        ("sent: [reminder, sweetener]\nleft_by: finished\ngoal: false", 80, "Something Else"),
        ("sent: [reminder]\nskipped: {sweetener: condition_false}", 20, "Something Else"),
        ("sent: []\nstage: awareness", 14, "Something Else"),
        ("sent: [reminder, thanks/thanks]", 80, "Order Completed"),
    ],
)
def test_what_happens_as_expected_passes(expect: str, value: int, event: str) -> None:
    result = told(expect, value, event)
    assert (result.passed, result.differences) == (True, ())


@pytest.mark.parametrize(
    ("expect", "value", "event", "difference"),
    [
        ("sent: [sweetener]", 80, "Order Completed", "sent: expected sweetener; got reminder"),
        ("sent: [sweetener]", 80, "Order Completed", "  sweetener: she never came to it"),
        ("sent: []", 80, "Order Completed", "sent: expected nothing; got reminder"),
        ("sent: [reminder, sweetener]", 20, "Something Else", "  sweetener: condition_false"),
        ("not_sent: [reminder]", 80, "Order Completed", "not_sent: reminder was sent on Sun 25 Oct 08:00"),
        ("left_by: goal", 80, "Order Completed", "left_by: expected goal; got stop"),
        ("left_by: goal", 14, "Something Else", "left_by: expected goal; got never entered"),
        ("stage: advocacy", 80, "Order Completed", "stage: expected advocacy; got purchase"),
        ("goal: false", 80, "Order Completed", "goal: expected it not to be reached"),
        ("goal: true", 80, "Something Else", "goal: expected it to be reached"),
        ("skipped: {sweetener: cap}", 20, "Other", "sweetener was missed for another reason: condition_false, not cap"),
        ("skipped: {reminder: cap}", 80, "Order Completed", "(cap); it was sent on Sun 25 Oct 08:00"),
        ("skipped: {sweetener: cap}", 80, "Order Completed", "sweetener to be skipped (cap); she never came to it"),
    ],
)  # fmt: skip
def test_what_happens_otherwise_is_said_in_words(expect: str, value: int, event: str, difference: str) -> None:
    result = told(expect, value, event)
    assert not result.passed
    assert any(each.endswith(difference) for each in result.differences)


def test_the_timeline_is_on_her_clock_and_knows_when_the_clocks_change() -> None:
    result = told("sent: [reminder]")
    assert [" ".join(line.split()) for line in result.timeline] == [
        "abandoned-cart · ana · Europe/Berlin · clocks change on Sun 25 Oct",
        "Sat 24 Oct 20:00 event Checkout Started checkout_id c1, value 80",
        "Sat 24 Oct 20:00 enters abandoned-cart key c1",
        "Sat 24 Oct 21:00 holds reminder quiet hours; next Sun 25 Oct 08:00",
        "Sun 25 Oct 08:00 sends reminder cart/reminder",
        "Sun 25 Oct 09:00 event Order Completed checkout_id c1, total 80",
        "Sun 25 Oct 09:00 goal abandoned-cart event seen: Order Completed",
        "Sun 25 Oct 09:00 leaves abandoned-cart stop event: Order Completed",
        "Sun 25 Oct 09:00 moves awareness -> purchase on event: Order Completed",
        "Sun 25 Oct 09:00 enters thanks",
        "Sun 25 Oct 09:00 sends thanks/thanks order/thanks",
        "Sun 25 Oct 09:00 leaves thanks flow ended",
    ]


def test_caps_are_told_with_the_mails_that_fill_them() -> None:
    project = "quiet_hours: 21:00-08:00\ncaps: [{max: 1, per: 7 days}]\n"
    (result,) = run_stories(compiled("skipped: {sweetener: cap}", event="Something Else", project=project))
    assert result.passed, result.differences
    line = next(line for line in result.timeline if "skips" in line)
    assert 'cap "1 per 7 days": abandoned-cart/reminder Sun 25 Oct 08:00' in line


def test_a_draft_is_told_as_if_it_were_live_and_nobody_is_held_out() -> None:
    found = compiled("sent: [reminder]")
    assert found.programme is not None
    assert found.programme.campaigns["abandoned-cart"].status == "draft"
    assert run_story(found, found.stories[0]).passed


def test_a_project_with_errors_cannot_tell_stories() -> None:
    found = compiled("sent: [reminder]")
    broken = Compiled(None, found.people, found.stories, ())
    with pytest.raises(NurtureError, match="nurture validate"):
        run_story(broken, found.stories[0])


SPLITS = """\
version: 1
campaign: thanks
topic: tips
status: live
start: {event: Order Completed}
steps:
  - branch:
      - if: start.total >= 50
        do: [{id: big, send: order/thanks}]
      - else: true
        do:
          - split: tone
            arms:
              - {name: warm, share: 50, do: [{id: warm, send: order/thanks}]}
              - {name: cool, share: 50, do: [{id: cool, send: order/thanks, if: start.total >= 9}]}
  - wait_for: {event: Review Posted, up_to: 2 days}
    then: [{record: Reviewed}]
"""


def ways(*stories: str) -> list[str]:
    """What is never reached when these stories, of draws and values, are told."""
    sources = {
        "campaigns/_project.yaml": PROJECT + LIFECYCLE,
        "campaigns/thanks.yaml": SPLITS,
        "campaigns/people/ana.yaml": ANA,
        "email_templates/order/thanks.html": TEMPLATE,
        **{
            f"campaigns/tests/{number}.yaml": "test: a\ncampaign: thanks\nperson: ana\n"
            f"from: 2026-10-24T20:00 Europe/Berlin\n{told}\nexpect: {{not_sent: [big]}}\n"
            for number, told in enumerate(stories)
        },
    }
    found = compile_project(sources)
    assert not found.errors, found.errors
    reach = covered(found, run_stories(found))
    assert reach.percent == pytest.approx(100 * (reach.total - len(reach.gaps)) / reach.total)
    return [str(gap).removeprefix("never reached: ").partition(" in ")[0] for gap in reach.gaps]


def order(total: int, arm: str = "") -> str:
    drawn = f"draws: {{tone: {arm}}}\n" if arm else ""
    return f"{drawn}story: [{{at: +0m, event: Order Completed, with: {{total: {total}}}}}]"


def test_what_no_story_comes_through_is_named_with_its_branch() -> None:
    cool = {"step cool", "branch `held back by its if` of cool"}
    assert any("branch `else` of branch>" in gap for gap in ways(order(80)))
    both = ways(order(80), order(20, "warm"))
    assert not any("`else`" in gap or "step big" in gap for gap in both)
    assert {*cool, "branch `then` of wait_for>end"} <= set(both)
    rest = ways(order(80), order(20, "warm"), order(20, "cool"), order(5, "cool"))
    assert not cool & set(rest)


def test_coverage_names_the_file_and_the_line() -> None:
    found = compiled("sent: []", value=14)
    reach = covered(found, run_stories(found), ["abandoned-cart"])
    (gap,) = (str(gap) for gap in reach.gaps if gap.spot.step == "reminder")
    assert gap == "never reached: step reminder in abandoned-cart, campaigns/cart.yaml:11"


def test_an_arm_that_is_not_there_is_refused() -> None:
    with pytest.raises(NurtureError, match="tone: blue; thanks has no such split"):
        ways(order(20, "blue"))


@pytest.mark.parametrize(
    ("expect", "line"),
    [
        ("sent: []", "Sun 25 Oct 08:00  sends      reminder"),
        ("sent: [reminder, sweetener]", "Sun 25 Oct 09:00  leaves     abandoned-cart"),
        ("not_sent: [reminder]\nleft_by: goal", "Sun 25 Oct 08:00  sends      reminder"),
        ("left_by: goal", "Sun 25 Oct 09:00  leaves     abandoned-cart"),
        ("goal: false", "Sun 25 Oct 09:00  goal       abandoned-cart"),
        ("stage: advocacy", "Sun 25 Oct 09:00  moves      awareness -> purchase"),
    ],
)
def test_the_first_line_that_is_otherwise_is_marked(expect: str, line: str) -> None:
    result = told(expect)
    assert result.marked is not None
    assert result.timeline[result.marked].startswith(line)


def test_what_happened_replaces_what_was_expected_and_comments_stay() -> None:
    expect = (
        "sent: [sweetener]  # the last one\nnot_sent:\n  - reminder\nskipped: {sweetener: cap}\nleft_by: goal\n"
        "stage: advocacy\ngoal: false"
    )
    result = told(expect)
    text = STORY + "".join(f"  {line}\n" for line in expect.splitlines())
    written = expecting(text, result.got)
    assert written.startswith(STORY)
    assert "  sent: [reminder]" in written
    assert "# the last one" in written
    asked = "\n".join(line[2:] for line in written.removeprefix(STORY).splitlines())
    assert told(asked).passed
    assert "not_sent" not in written
    assert "skipped" not in written


def test_a_story_that_is_true_is_written_as_it_was() -> None:
    expect = 'sent:\n  - "reminder"  # one\nleft_by: stop'
    text = STORY + "".join(f"  {line}\n" for line in expect.splitlines())
    assert told(expect).passed
    assert expecting(text, told(expect).got) == text


LETTER = (
    '---\nsubject: "{{ start.value }} in your cart"\npreheader: It waits for you, until tomorrow\n---\n'
    "<style>p { color: red }</style><p>Hello <b>Ana</b>,\nyour seeds &amp; pots wait.</p>\n"
)
CONTAINS = {
    "any part": ("contains: {reminder: seeds & pots wait}", ()),
    "several": ("contains: {reminder: [80 in your cart, Hello Ana]}", ()),
    "each part": ("contains: {reminder: {subject: 80 in, html: 'Ana, your seeds', text: [Hello Ana, pots]}}", ()),
    "not in that part": (
        "contains: {reminder: {subject: seeds}}",
        ('contains: reminder has no "seeds" in its subject; it begins "80 in your cart"',),
    ),
    "nowhere": (
        "contains: {reminder: your seeds & plots wait}",
        (('contains: reminder has no "your seeds & plots wait" in its subject, HTML or text; '
         'the nearest is "Hello Ana, your seeds & pots wait."'),),
    ),
    "no tags": (
        "contains: {reminder: {html: <b>}}",
        ('contains: reminder has no "<b>" in its HTML; it begins "Hello Ana, your seeds & pots wait."',),
    ),
    "never sent": (
        "contains: {sweetener: Hello}",
        ("contains: sweetener was not sent, so there is nothing to look into",),
    ),
    "of another campaign": ("contains: {thanks/thanks: {subject: Hello}}", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTAINS)
def test_mails_say_what_the_story_expects(name: str) -> None:
    expect, differences = CONTAINS[name]
    sources = {**project_of(expect), "email_templates/cart/reminder.html": LETTER}
    found = compile_project(sources)
    assert not found.errors, found.errors
    (result,) = run_stories(found, sources)
    assert result.differences == differences


def test_writing_a_story_anew_leaves_alone_what_a_mail_should_say() -> None:
    sources = project_of("sent: []\ncontains: {reminder: Bye}")
    (result,) = run_stories(compile_project(sources), sources)
    written = expecting(sources["campaigns/tests/buying.yaml"], result.got)
    assert "contains: {reminder: Bye}" in written
    assert "sent: [reminder, thanks/thanks]" in written or "sent: [reminder]" in written
