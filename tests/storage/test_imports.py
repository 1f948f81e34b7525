from __future__ import annotations

import time
from typing import Any

from sqlalchemy import func, select

from nurture.domain.contact import Consent, Contact
from nurture.storage import contacts, reports
from nurture.storage.imports import (
    Imported,
    ImportedContact,
    begin_import,
    end_import,
    import_contacts,
    imported_before,
)
from nurture.storage.tables import consents
from nurture.storage.tables import contacts as contact_rows

World = Any
Line = ImportedContact


def take(world: World, *lines: Line, **more: Any) -> Imported:
    with world.database.write() as tx:
        return import_contacts(tx, lines, world.now, "people.csv", **more)


def found(world: World, name: str) -> Contact:
    with world.database.read() as tx:
        person = contacts.find(tx, name)
    assert person is not None
    return person


def test_new_people_are_created_with_all_that_is_said_and_enter_nothing_by_themselves(world: World) -> None:
    line = Line("Ana@Example.com", "u1", {"first_name": "Ána"}, "Europe/Berlin", "de", "retention", Consent.GRANTED)
    assert take(world, line) == Imported(created=1, updated=0, refused=0, clashes=0)
    ana = found(world, "ana@example.com")
    assert (ana.email, ana.external_id, ana.attributes) == ("Ana@Example.com", "u1", {"first_name": "Ána"})
    assert (ana.zone, ana.locale, ana.stage, ana.stage_since) == ("Europe/Berlin", "de", "retention", world.now)
    assert (ana.consent, ana.enrols, ana.created_at) == (Consent.GRANTED, False, world.now)
    assert world.due() == [ana.id]
    with world.database.read() as tx:
        assert [row["to_stage"] for row in reports.stages_of(tx, ana.id)] == ["retention"]
        assert tx.execute(select(consents.c.granted, consents.c.source)).all() == [(True, "people.csv")]


def test_importing_the_same_again_changes_nothing(world: World) -> None:
    line = Line("ana@example.com", "u1", {"a": 1, "b": ["x"]}, consent=Consent.GRANTED)
    take(world, line)
    before = found(world, "u1")
    assert take(world, line) == Imported(0, 0, 0, 0)
    assert found(world, "u1") == before


def test_what_is_known_is_merged_and_never_overwritten_by_silence(world: World) -> None:
    take(world, Line("ana@example.com", None, {"a": 1, "b": 2}, "Europe/Berlin", None, "retention"))
    assert take(world, Line("ANA@example.com", "u1", {"b": 3}, stage="lapsed")).updated == 1
    ana = found(world, "ana@example.com")
    assert ana.attributes == {"a": 1, "b": 3}
    assert (ana.zone, ana.external_id, ana.stage, ana.version) == ("Europe/Berlin", "u1", "retention", 1)


def test_no_import_turns_a_no_into_a_yes(world: World) -> None:
    take(world, Line("ana@example.com", consent=Consent.WITHDRAWN))
    take(world, Line("ana@example.com", consent=Consent.GRANTED))
    assert found(world, "ana@example.com").consent is Consent.WITHDRAWN
    take(world, Line("bob@example.com", consent=Consent.GRANTED))
    take(world, Line("bob@example.com", consent=Consent.WITHDRAWN))
    assert found(world, "bob@example.com").consent is Consent.WITHDRAWN


def test_two_lines_about_one_person_are_one_person(world: World) -> None:
    lines = [Line("ana@example.com", None, {"a": 1, "b": 1}), Line("Ana@example.com", "u1", {"b": 2})]
    assert take(world, *lines).created == 1
    assert found(world, "u1").attributes == {"a": 1, "b": 2}


def test_lines_that_name_nobody_are_refused(world: World) -> None:
    assert take(world, Line(None), Line("nonsense"), Line("nonsense", "u1")).refused == 3


def test_a_foreign_id_that_is_somebody_elses_is_left_out(world: World) -> None:
    take(world, Line("ana@example.com", "u1"))
    assert take(world, Line("bob@example.com", "u1"), Line("cid@example.com", "u2"), Line("dan@example.com", "u2")) == (
        Imported(created=3, updated=0, refused=0, clashes=2)
    )
    assert found(world, "u1").email == "ana@example.com"
    assert found(world, "u2").email == "cid@example.com"


def test_people_without_an_address_are_known_by_their_foreign_id_and_get_one_later(world: World) -> None:
    take(world, Line(None, "u1", {"a": 1}))
    take(world, Line(None, "u1", {"b": 2}))
    assert take(world, Line("ana@example.com", "u1", {"c": 3})).updated == 1
    ana = found(world, "ana@example.com")
    assert (ana.external_id, ana.attributes) == ("u1", {"a": 1, "b": 2, "c": 3})
    assert world.tell("Viewed").contacts == (ana.id,)


def test_twenty_thousand_people_come_in_within_seconds(world: World) -> None:
    lines = [
        Line(f"person{n * 7919 % 20000:05d}@example.net", f"u{n}", {"first_name": "Ann", "n": n}) for n in range(20_000)
    ]
    begun = time.perf_counter()
    assert take(world, *lines) == Imported(20_000, 0, 0, 0)
    changed = [Line(line.email, None, {"n": -1}) for line in lines[:10_000]]
    assert take(world, *changed).updated == 10_000
    assert time.perf_counter() - begun < 20  # a second or two on an idle machine
    with world.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(contact_rows)).scalar_one() == 20_000


def test_whatever_is_written_in_a_cell_comes_back_as_it_was(world: World) -> None:
    odd = ["a\tb", "back\\slash", "\\N", "\\.", "two\nlines\r", "{}", '"', "é\\\\t"]
    take(world, *(Line(None, f"u{place} {text}", {"said": text}, locale=text) for place, text in enumerate(odd)))
    back = [found(world, f"u{place} {text}") for place, text in enumerate(odd)]
    assert [(each.attributes, each.locale, each.zone) for each in back] == [
        ({"said": text}, text, None) for text in odd
    ]


def test_a_yes_is_kept_whichever_name_it_was_said_by(world: World) -> None:
    yes, no = Consent.GRANTED, Consent.WITHDRAWN
    take(world, Line("ana@example.com", "u1", consent=yes), Line(None, "u2", consent=yes, stage="retention"))
    take(world, Line(None, "u2", consent=yes), Line("bo@example.com", consent=yes), Line("ana@example.com", consent=no))
    with world.database.read() as tx:
        said = tx.execute(select(consents.c.contact_id, consents.c.granted).order_by(consents.c.id)).all()
    people = [found(world, name).id for name in ("ana@example.com", "u2", "bo@example.com")]
    assert sorted(said[:2]) == sorted([(people[0], True), (people[1], True)])
    assert sorted(said[2:]) == sorted([(people[0], False), (people[2], True)])


def test_a_file_that_was_taken_in_before_is_known(world: World) -> None:
    with world.database.write() as tx:
        number = begin_import(tx, "people.csv", "abc", world.now, "olga")
        assert imported_before(tx, "abc") is None
        end_import(tx, number, Imported(1, 2, 3, 0), world.now)
        assert imported_before(tx, "abc") == world.now
