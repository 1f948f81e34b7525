"""Pictures of a project: measured by their first bytes, and compared with how mails show them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from nurture.rendering.checks import check_template
from nurture.rendering.pictures import Picture, measured, pictures_in

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 1200, 600)
GIF = b"GIF89a" + struct.pack("<HH", 1200, 600)
JPEG = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + bytes(14) + b"\xff\xc2" + struct.pack(">HBHH", 17, 8, 600, 1200)
LOSSY = b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 1200, 600)
LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L" + bytes(5) + struct.pack("<I", 1199 | 599 << 14)
EXTENDED = b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + (1199).to_bytes(3, "little") + (599).to_bytes(3, "little")


@pytest.mark.parametrize("head", [PNG, GIF, JPEG, LOSSY, LOSSLESS, EXTENDED])
def test_a_picture_is_measured_by_how_it_begins(head: bytes) -> None:
    assert measured(head) == (1200, 600)
    assert measured(head[:8]) == (0, 0)


def test_what_is_no_picture_has_no_size() -> None:
    assert [measured(head) for head in (b"", b"<svg>", b"\xff\xd8\xff\xd9", b"\xff\xd8\0\0")] == [(0, 0)] * 4


def test_the_pictures_of_a_project_are_those_of_one_folder(tmp_path: Path) -> None:
    assert pictures_in(tmp_path) is None
    folder = tmp_path / "email_templates/_assets/beds"
    folder.mkdir(parents=True)
    (folder / "oak.png").write_bytes(PNG)
    (folder / ".hidden.png").write_bytes(PNG)
    assert pictures_in(tmp_path) == {"beds/oak.png": Picture(1200, 600, len(PNG))}


@pytest.mark.parametrize(
    ("attributes", "picture", "codes"),
    [
        ('width="600" height="300"', Picture(1200, 600, 90_000), []),
        ('width="600"', Picture(1200, 600, 90_000), []),
        ('width="600"', Picture(0, 0, 90_000), []),
        ('width="600"', None, ["N573"]),
        ('width="600" height="400"', Picture(1200, 600, 90_000), ["N574"]),
        ('width="700"', Picture(1200, 600, 90_000), ["N574"]),
        ('width="200"', Picture(1200, 600, 90_000), ["N575"]),
        ('width="600"', Picture(1200, 600, 400_000), ["N575"]),
        ('width="600"', Picture(1200, 600, 1_100_000), ["N575", "N575"]),
    ],
)
def test_a_picture_fits_how_it_is_shown(shop, attributes: str, picture: Picture | None, codes: list[str]) -> None:
    image = f"""<img src="{{{{ asset('oak.png') }}}}" alt="Oak" {attributes}>"""
    body = f'<!DOCTYPE html>\n<html lang="en"><body>\n{image}</body></html>'
    renderer = shop.renderer({"x.html": f"---\nsubject: S\npreheader: P\n---\n{body}"})
    known = {"oak.png": picture} if picture is not None else {}
    found = check_template(renderer, "x", marketing=False, pictures=known)
    assert [problem.code for problem in found] == codes
    assert all(problem.line == 7 for problem in found[:1])
    assert check_template(renderer, "x", marketing=False) == []
