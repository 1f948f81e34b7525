"""Mails that came back, handed over by files and by a pipe."""

from __future__ import annotations

from typing import Any

from nurture.testing.returns import dsn, plain


def test_a_folder_of_mails_is_read_and_each_is_told(applied: Any) -> None:
    folder = applied.folder / "back"
    folder.mkdir()
    (folder / "1.eml").write_bytes(dsn("b+forged@shop.example"))
    (folder / "2.eml").write_bytes(plain("hello@shop.example"))

    told = applied.json("feedback", "read", str(folder))["data"]

    assert told["counts"] == {"quarantined": 1, "no effect": 1}
    assert [mail["mail"] for mail in told["mails"]] == ["1.eml", "2.eml"]
    assert applied.json("feedback", "status")["data"]["quarantined"] == 1
    assert "not an event" in applied("events", "replay", "--all", code=1).output


def test_a_pipe_hands_over_one_mail_and_is_told_to_come_again_while_the_database_is_away(applied: Any) -> None:
    assert "no effect" in applied("feedback", "read", "-", stdin=plain("hello@shop.example")).stdout
    (applied.folder / "nurture.db").rename(applied.folder / "elsewhere.db")
    applied("feedback", "read", "-", stdin=plain("hello@shop.example"), code=75)
    applied("feedback", "read", "back.eml", code=2)


def test_without_anything_that_came_back_the_status_says_so(applied: Any) -> None:
    assert "Nothing came back" in applied("feedback", "status").stdout
