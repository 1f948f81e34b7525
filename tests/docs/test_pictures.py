"""The pictures of the documentation: small, used, and taken by a script that still runs."""

from __future__ import annotations

import pytest

from nurture.testing import week
from nurture.testing.doc_examples import PAGES, page
from nurture.testing.screenshots import MOST, PICTURES, SHOTS, take

PNG = b"\x89PNG\r\n"


def test_every_picture_is_small_is_taken_by_the_script_and_stands_on_a_page() -> None:
    text = "".join(page(name) for name in PAGES)

    assert {path.stem for path in PICTURES.glob("*.png")} == {shot.name for shot in SHOTS}
    for path in PICTURES.iterdir():
        assert path.stat().st_size <= MOST, path
        assert f"pictures/{path.name})" in text, path


def test_the_week_of_caps_is_drawn_as_the_simulator_tells_it_today() -> None:
    assert week.PICTURE.read_text(encoding="utf-8") == week.picture(), "run .venv/bin/python -m nurture.testing.week"


@pytest.mark.lab
def test_the_pictures_can_be_taken_again() -> None:
    taken = dict(take())

    assert set(taken) == {shot.name for shot in SHOTS}
    for name, picture in taken.items():
        assert picture.startswith(PNG), name
        assert 10_000 < len(picture) <= MOST, name
