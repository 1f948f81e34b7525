"""Contact files of other tools, as they really come."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from nurture.domain.contact import Consent
from nurture.intake.columns import remap
from nurture.intake.contacts_csv import ContactRow, Rejected, look_at, read_contacts
from nurture.intake.origins import Kind, Target
from nurture.intake.text_file import UnreadableFile


def people(path: Path) -> list[ContactRow]:
    return [row for row in read_contacts(look_at(path)) if isinstance(row, ContactRow)]


def refused(path: Path) -> list[Rejected]:
    return [row for row in read_contacts(look_at(path)) if isinstance(row, Rejected)]


def written(tmp_path: Path, text: str | bytes, name: str = "people.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_column_of_addresses_is_the_address_whatever_it_is_called(tmp_path: Path) -> None:
    path = written(tmp_path, "Who;Kontakt\nAna;ana@example.com\nBen;ben@example.com\n")
    assert [person.email for person in people(path)] == ["ana@example.com", "ben@example.com"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    path = written(tmp_path, f"email{delimiter}first_name\nana@example.com{delimiter}Ana\n")
    assert people(path)[0].attributes == {"first_name": "Ana"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "email,first_name\nana@example.com,Zoë Müller\n".encode(encoding))
    assert people(path)[0].attributes == {"first_name": "Zoë Müller"}


def test_numbers_become_numbers_but_codes_and_phones_stay_text(tmp_path: Path) -> None:
    text = "email,lifetime_value,orders,zip_code,phone,vip\na@example.com,20.5,3,00100,358401,yes\n"
    (ana,) = people(written(tmp_path, text))
    assert ana.attributes == {
        "lifetime_value": 20.5, "orders": 3, "postal_code": "00100", "phone": "358401", "vip": True,
    }  # fmt: skip


def test_every_refused_row_names_the_line_it_begins_in(tmp_path: Path) -> None:
    text = (
        'email,note\nana@example.com,"two\nlines"\nnot-an-address,x\n,nobody\nben@example.com,y,too,many\n'
        "ok@example.com,z\n"
    )
    path = written(tmp_path, text)
    assert [(row.line, row.reason.split(":")[0]) for row in refused(path)] == [
        (4, "is not a mail address"),
        (5, "has neither an e-mail address nor an id"),
        (6, "has 4 values for 2 columns"),
    ]
    assert [person.email for person in people(path)] == ["ana@example.com", "ok@example.com"]


def test_a_blank_in_a_column_of_consents_is_no_yes(tmp_path: Path) -> None:
    ana, ben = people(written(tmp_path, "email,consent\nana@example.com,\nben@example.com,yes\n"))
    assert (ana.consent, ben.consent) == (Consent.NONE, Consent.GRANTED)


def test_a_consent_nobody_understands_is_refused_not_guessed(tmp_path: Path) -> None:
    path = written(tmp_path, "email,consent\nana@example.com,perhaps\n")
    (row,) = refused(path)
    assert row.reason == "consent is not understood; write subscribed, unsubscribed or none"
    assert row.text == "perhaps"


def test_an_unclosed_quote_costs_its_row_and_not_the_memory(tmp_path: Path) -> None:
    filler = "".join(f"p{n}@example.com,x\n" for n in range(40_000))
    path = written(tmp_path, 'email,note\nana@example.com,"open\n' + filler)
    tracemalloc.start()
    rows = read_contacts(look_at(path))
    first = next(rows)
    taken = sum(isinstance(row, ContactRow) for row in rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(first, Rejected)
    assert "closing quote" in first.reason
    assert taken > 30_000
    assert peak < 8_000_000


def test_a_file_without_a_header_does_not_lose_its_first_person(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"begins with a person \(ana@example\.com\)"):
        look_at(written(tmp_path, "ana@example.com,Ana\nben@example.com,Ben\n"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"email\n" + b"\0" * 10, "NUL bytes"),
        (b"a" * (2 << 20), "characters; is a line end missing?"),
        ((",".join(f"c{n}" for n in range(100_000))).encode() + b"\n", "100,000 columns; 500"),
    ],
)
def test_what_is_no_table_is_refused_at_once(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(UnreadableFile, match=told.replace("?", r"\?")):
        people(written(tmp_path, content))


def test_a_sparse_giant_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "giant.csv"
    with path.open("wb") as file:
        file.truncate(4 << 30)
    with pytest.raises(UnreadableFile, match=r"4\.0 GiB"):
        look_at(path)


def test_columns_can_be_given_another_meaning(tmp_path: Path) -> None:
    source = look_at(written(tmp_path, "email,Score,Junk,Cust\na@example.com,5,x,77\n"))
    columns = remap(source.columns, {"Score": "contact.points", "Junk": "-", "Cust": "external_id"})
    assert [(column.target, column.name) for column in columns] == [
        (Target.EMAIL, ""), (Target.ATTRIBUTE, "points"), (Target.IGNORE, ""), (Target.EXTERNAL_ID, ""),
    ]  # fmt: skip
    assert columns[1].kind is Kind.NUMBER


def test_a_wish_for_a_column_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    source = look_at(written(tmp_path, "email,Score\na@example.com,5\n"))
    with pytest.raises(Exception, match='did you mean "Score"'):
        remap(source.columns, {"Scores": "points"})


def test_two_columns_cannot_fill_the_same_thing(tmp_path: Path) -> None:
    source = look_at(written(tmp_path, "email,Vorname,first_name\na@example.com,A,B\n"))
    with pytest.raises(Exception, match="both fill first_name"):
        remap(source.columns, {"Vorname": "first_name"})
