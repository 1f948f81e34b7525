"""Edits of campaigns that people are inside: nobody is lost, nobody goes back, and nobody is mailed twice unasked."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

import pytest

from nurture.domain.campaign import Campaign
from nurture.domain.programme import Programme
from nurture.language.compile import compile_project
from nurture.language.edits import Change, ChangeKind, changes, moved_nodes

BASE = """\
  - wait: 1 day
  - {id: one, send: cart/letter}
  - wait: 2 days
  - {id: two, send: cart/reminder, if: exists(start.items)}
  - wait_quiet: 1 hour
    after: [Product Added]
  - {id: three, send: order/receipt}
"""


def programme(project: dict[str, str], steps: str, *, before: Programme | None = None, name: str = "tour") -> Programme:
    files = {path: text for path, text in project.items() if not path.startswith("campaigns/tests/")}
    files["campaigns/people/ana.yaml"] = "person: ana\nemail: ana@people.example\nattributes: {first_name: Ana}\n"
    del files["campaigns/abandoned-cart.yaml"]
    files[f"campaigns/{name}.yaml"] = (
        f"version: 1\ncampaign: {name}\ntopic: tips\nstatus: live\n"
        f"start: {{event: Order Completed, key: event.order_id}}\nsteps:\n{steps}"
    )
    compiled = compile_project(files, previous=before)
    assert compiled.errors == ()
    assert compiled.programme is not None
    return compiled.programme


def tour(project: dict[str, str], steps: str) -> Campaign:
    return programme(project, steps).campaigns["tour"]


def moved(project: dict[str, str], steps: str) -> dict[str, str | None]:
    return moved_nodes(tour(project, BASE), tour(project, steps))


def found(project: dict[str, str], steps: str) -> list[Change]:
    return list(changes(programme(project, BASE), programme(project, steps)))


def test_nothing_changed_is_nothing_to_move_or_tell(project: dict[str, str]) -> None:
    assert moved(project, BASE) == {}
    assert found(project, BASE) == []


def test_a_longer_wait_keeps_its_place(project: dict[str, str]) -> None:
    steps = BASE.replace("wait: 2 days", "wait: 5 days")
    assert moved(project, steps) == {}
    (change,) = found(project, steps)
    assert (change.kind, change.step, change.before, change.after) == (ChangeKind.WAIT, "wait>two", "2 days", "5 days")
    assert change.confirm is None


def test_a_renamed_step_takes_its_people_and_its_wait_along(project: dict[str, str]) -> None:
    steps = BASE.replace("{id: two,", "{id: second, was: two,")
    assert moved(project, steps) == {"two": "second", "wait>two": "wait>second"}
    kinds = [(change.kind, change.before, change.after) for change in found(project, steps)]
    assert (ChangeKind.STEP_RENAMED, "two", "second") in kinds
    assert all(change.confirm is None for change in found(project, steps))


def test_who_stood_at_a_step_that_is_gone_goes_on_at_the_next_that_is_left(project: dict[str, str]) -> None:
    without_two = BASE.replace("  - wait: 2 days\n  - {id: two, send: cart/reminder, if: exists(start.items)}\n", "")
    assert moved(project, without_two) == {"wait>two": "wait_quiet>three", "two": "wait_quiet>three"}
    removed = {change.step: change.moved_to for change in found(project, without_two)}
    assert removed == {"wait>two": "wait_quiet>three", "two": "wait_quiet>three"}


def test_a_mail_that_is_gone_between_two_waits_spares_nobody_the_second_wait(project: dict[str, str]) -> None:
    before = BASE.replace("  - wait_quiet: 1 hour\n    after: [Product Added]\n", "  - wait: 4 days\n")
    after = tour(project, before.replace("  - {id: two, send: cart/reminder, if: exists(start.items)}\n", ""))
    heir = moved_nodes(tour(project, before), after)["wait>two"]
    assert heir is not None
    assert after.nodes[heir].next == "wait>three"
    assert after.nodes["wait>three"].next == "three"


def test_a_wait_that_is_gone_would_mail_many_at_once_and_must_be_confirmed(project: dict[str, str]) -> None:
    (change,) = found(project, BASE.replace("  - wait: 2 days\n", ""))
    assert (change.step, change.moved_to, change.confirm) == ("wait>two", "two", "tour/two")


def test_who_stood_at_the_end_that_is_gone_finishes(project: dict[str, str]) -> None:
    steps = BASE[: BASE.index("  - wait_quiet")]
    assert moved(project, steps) == {"wait_quiet>three": None, "three": None}


def test_a_wait_before_a_new_step_stays_the_same_wait(project: dict[str, str]) -> None:
    steps = BASE.replace("  - {id: two,", "  - {id: tip, send: cart/letter, subject: Another}\n  - {id: two,")
    assert moved(project, steps) == {"wait>two": "wait>tip"}


def test_a_step_added_elsewhere_moves_nobody(project: dict[str, str]) -> None:
    steps = BASE + "  - wait: 9 days\n  - {id: four, send: cart/letter, subject: Another}\n"
    assert moved(project, steps) == {}
    assert {change.kind for change in found(project, steps)} == {ChangeKind.STEP_ADDED}


def test_a_moved_step_keeps_its_people(project: dict[str, str]) -> None:
    one, two = "  - {id: one, send: cart/letter}\n", "  - {id: two, send: cart/reminder, if: exists(start.items)}\n"
    steps = BASE.replace(one, "X").replace(two, one).replace("X", two)
    assert "one" not in moved(project, steps)
    assert "two" not in moved(project, steps)
    assert ChangeKind.STEP_MOVED in {change.kind for change in found(project, steps)}


def test_a_mail_under_a_new_name_must_be_confirmed_by_that_name(project: dict[str, str]) -> None:
    (added, *_) = [c for c in found(project, BASE.replace("id: two", "id: second")) if c.kind is ChangeKind.STEP_ADDED]
    assert added.confirm == "tour/second"
    assert "was: two" in added.text


def test_a_campaign_under_a_new_name_must_be_confirmed(project: dict[str, str]) -> None:
    listed = changes(programme(project, BASE), programme(project, BASE, name="trip"))
    assert {(change.kind, change.confirm) for change in listed} == {
        (ChangeKind.CAMPAIGN_ADDED, "trip"),
        (ChangeKind.CAMPAIGN_REMOVED, "tour"),
    }


def test_a_new_subject_is_told_and_not_confirmed(project: dict[str, str]) -> None:
    steps = BASE.replace("send: cart/letter}", "send: cart/letter, subject: New}")
    (change,) = found(project, steps)
    assert (change.kind, change.step, change.confirm) == (ChangeKind.MAIL, "one", None)


def test_another_seed_deals_again_and_must_be_confirmed(project: dict[str, str]) -> None:
    old = programme(project, BASE)
    (change,) = changes(old, replace(old, seed="other"))
    assert change.confirm == "seed"


def test_the_first_apply_only_adds(project: dict[str, str]) -> None:
    listed = changes(None, programme(project, BASE))
    assert {change.kind for change in listed} == {ChangeKind.CAMPAIGN_ADDED}
    assert all(change.confirm is None for change in listed)


def test_moves_of_earlier_revisions_are_followed_to_where_they_lead_now(project: dict[str, str]) -> None:
    first = programme(project, BASE)
    renamed = BASE.replace("{id: two,", "{id: second, was: two,")
    second = programme(project, renamed, before=first)
    assert second.campaigns["tour"].moved == {"two": "second", "wait>two": "wait>second"}
    gone = renamed.replace("  - {id: second, was: two, send: cart/reminder, if: exists(start.items)}\n", "")
    third = programme(project, gone, before=second)
    moves = third.campaigns["tour"].moved
    assert moves["second"] == "wait_quiet>three"
    assert moves["two"] == "wait_quiet>three"
    assert moves["wait>two"] == moves["wait>second"]
    back = programme(project, BASE, before=third)
    assert "two" not in back.campaigns["tour"].moved


def test_an_older_rename_still_finds_the_step_when_revisions_were_skipped(project: dict[str, str]) -> None:
    steps = BASE.replace("{id: two,", "{id: second, was: [two, zwei],")
    assert moved_nodes(tour(project, BASE), tour(project, steps))["zwei"] == "second"


def test_the_day_of_the_first_apply_is_carried_over(project: dict[str, str]) -> None:
    since = datetime(2026, 5, 1, tzinfo=UTC)
    old = programme(project, BASE)
    old = replace(old, campaigns={"tour": replace(old.campaigns["tour"], since=since)})
    assert programme(project, BASE, before=old).campaigns["tour"].since == since


STEPS = re.split(r"^(?=  - )", BASE, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("gone", [*combinations(range(6), 1), *combinations(range(6), 2), *combinations(range(6), 5)])
def test_every_node_that_is_gone_leads_somewhere_that_is_there(project: dict[str, str], gone: tuple[int, ...]) -> None:
    old = tour(project, BASE)
    new = tour(project, "".join(step for number, step in enumerate(STEPS) if number not in gone))
    moves = moved_nodes(old, new)
    assert set(moves) == set(old.nodes) - set(new.nodes)
    order = list(old.nodes)
    for node, target in moves.items():
        assert target is None or target in new.nodes
        if target in old.nodes:
            assert order.index(target) > order.index(node)
