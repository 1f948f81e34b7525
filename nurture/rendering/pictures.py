"""The pictures of a project: how large the files are that its mails show.

What lies in `email_templates/_assets` is what the author puts at the `assets_url` of brand.yaml. The files are measured
from their first bytes; nothing is decoded, and nothing is fetched.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import html as lxml_html

from nurture.rendering.page import Finding, Page
from nurture.rendering.template import Template

FOLDER = "email_templates/_assets"
MOST_FILES = 2_000
HEAVY, HEAVY_MAIL = 300_000, 1_000_000  # bytes: of one picture, and of all in a mail
SHARP = 2.0  # pixels of the file for each of the mail: what phones and most new screens have
WASTE = 4.0
CROOKED = 0.03

_NUMBER = re.compile(r"(\d+)(?:px)?\s*")
_SIZES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}  # frames of a JPEG


@dataclass(frozen=True, slots=True)
class Picture:
    """A file: its pixels, 0 where they cannot be read, and its size in bytes."""

    width: int
    height: int
    weight: int


Pictures = Mapping[str, Picture]  # by path below the folder


def pictures_in(root: Path) -> dict[str, Picture] | None:
    """The pictures of the project at `root`; None if it keeps none there."""
    folder = root / FOLDER
    if not folder.is_dir():
        return None
    found: dict[str, Picture] = {}
    for path in sorted(folder.rglob("*"))[:MOST_FILES]:
        if path.is_file() and not path.name.startswith("."):
            with path.open("rb") as file:
                head = file.read(256 * 1024)
            found[path.relative_to(folder).as_posix()] = Picture(*measured(head), path.stat().st_size)
    return found


def measured(head: bytes) -> tuple[int, int]:
    """(width, height) in pixels of a PNG, GIF, JPEG or WebP by how it begins; (0, 0) of anything else."""
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", head[16:24])
        if head[:6] in {b"GIF87a", b"GIF89a"}:
            return struct.unpack("<HH", head[6:10])
        if head.startswith(b"\xff\xd8"):
            return _jpeg(head)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
    except (struct.error, IndexError):
        pass
    return 0, 0


def _jpeg(head: bytes) -> tuple[int, int]:
    at = 2
    while head[at] == 0xFF:
        marker = head[at + 1]
        if marker in _SIZES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", head[at + 2 : at + 4])[0]
    return 0, 0


def _webp(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if len(head) < 30 - 5 * (kind == b"VP8L"):
        return 0, 0
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def check_pictures(page: Page, template: Template, pictures: Pictures | None, assets_url: Any) -> Iterator[Finding]:
    """Pictures that are not there, not sharp, out of shape or too heavy. `pictures` None: nothing is known of them."""
    if pictures is None or not template.styled or not isinstance(assets_url, str) or not assets_url:
        return
    base = assets_url.rstrip("/") + "/"
    weights: dict[str, int] = {}
    for node in lxml_html.document_fromstring(template.styled).iter("img"):
        source = node.get("src") or ""
        if not source.startswith(base):
            continue
        name = source.removeprefix(base).partition("?")[0]
        where = page.find_tag(name, template.file)
        picture = pictures.get(name)
        if picture is None:
            hint = f"put it into {FOLDER}, or correct the name"
            yield Finding("N573", "error", *where, f"there is no picture {name} in {FOLDER}", hint)
            continue
        if name not in weights and picture.weight > HEAVY:
            message = f"{name} weighs {_kb(picture.weight)}"
            yield Finding("N575", "warning", *where, message, f"save it smaller: {_kb(HEAVY)} load well on phones")
        weights[name] = picture.weight
        yield from _shape(name, picture, node, where)
    if sum(weights.values()) > HEAVY_MAIL:
        message = f"its pictures weigh {_kb(sum(weights.values()))} together"
        yield Finding("N575", "warning", template.file, 1, message, f"{_kb(HEAVY_MAIL)} load well on phones")


def _shape(name: str, picture: Picture, node: Any, where: tuple[str, int]) -> Iterator[Finding]:
    width, height = _asked(node, "width"), _asked(node, "height")
    if not picture.width or not picture.height or not (width or height):
        return
    told = f"{name} has {picture.width} by {picture.height} pixels"
    if width and height and abs(width * picture.height / (height * picture.width) - 1) > CROOKED:
        right = round(width * picture.height / picture.width)
        hint = f"write height={right}, so that it keeps its shape"
        yield Finding("N574", "warning", *where, f"{told} and is shown at {width} by {height}", hint)
    scale = picture.width / width if width else picture.height / (height or 1)
    shown = f"{width} wide" if width else f"{height} high"
    if scale < SHARP:
        hint = "save it at twice the size it is shown at, or show it smaller"
        yield Finding("N574", "warning", *where, f"{told} and is shown {shown}: not sharp on phones", hint)
    elif scale > WASTE:
        hint = "save it at twice the size it is shown at"
        yield Finding("N575", "warning", *where, f"{told} and is shown {shown}: most of it is never seen", hint)


def _asked(node: Any, name: str) -> int:
    found = _NUMBER.fullmatch(node.get(name) or "")
    return int(found[1]) if found else 0


def _kb(size: int) -> str:
    return f"{size / 1000:,.0f} KB"
