"""What others would send with, where `make bench-peers` has put it: django-post_office and nodemailer.

Both have the easier task: styles are inlined already, links are not signed, there are no caps, no turns and no gate.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import shop
from benchmarks.children import ROOT, run
from benchmarks.sink import PROGRAM_CORE, smtp_sink

FOLDER = ROOT / "benchmarks" / ".peers"
HERE = Path(__file__).parent
GOALS = {
    "django-post_office": (20, "mails/s", "queue and send, one process, its bulk settings, templates rendered by it"),
    "nodemailer": (4, "CPU", "pooled, composed from ready HTML and text"),
}
Case = Callable[[int, int], tuple[float, float]]


def installed() -> dict[str, Case]:
    """What is there: size of template, number of mails -> (CPU, wall)."""
    found: dict[str, Case] = {}
    if (FOLDER / "python" / "bin" / "python").exists():
        found["django-post_office"] = _post_office
    if (FOLDER / "node" / "node_modules" / "nodemailer").exists() and shutil.which("node"):
        found["nodemailer"] = _nodemailer
    return found


def _post_office(size: int, mails: int) -> tuple[float, float]:
    return _ran([str(FOLDER / "python" / "bin" / "python"), str(HERE / "peers_django.py")], size, mails, django=True)


def _nodemailer(size: int, mails: int) -> tuple[float, float]:
    return _ran(["node", str(HERE / "peers_nodemailer.mjs")], size, mails, django=False)


def _ran(command: list[str], size: int, mails: int, *, django: bool) -> tuple[float, float]:
    """Each prints the CPU and wall clock of its work, its own start-up left out."""
    with tempfile.TemporaryDirectory() as folder, smtp_sink() as sink:
        html, text = contents(size, django=django)
        Path(folder, "mail.html").write_text(html, encoding="utf-8")
        Path(folder, "mail.txt").write_text(text, encoding="utf-8")
        Path(folder, "start.json").write_text(json.dumps(shop.start_data(1)), encoding="utf-8")
        environ = {"NODE_PATH": str(FOLDER / "node" / "node_modules"), "PEERS": str(FOLDER), **os.environ}
        told = run([*command, str(sink.port), str(mails), folder], core=PROGRAM_CORE, environ=environ).told
    return float(told["cpu"]), float(told["wall"])


def contents(size: int, *, django: bool) -> tuple[str, str]:
    """HTML with its styles inlined, and its text: templates for Django, ready to send for the other."""
    import re

    from nurture.engine.revisions import assemble
    from nurture.rendering.inlining import inline_css
    from nurture.rendering.twin import text_twin

    renderer = assemble(shop.files(size), 1).renderer
    if not django:
        context = {
            "contact": {"first_name": "Ann", "email": shop.email(1)}, "start": shop.start_data(1),
            "unsubscribe_url": "https://mail.northwind.example/u/1",
            "preferences_url": "https://mail.northwind.example/p/1",
        }  # fmt: skip
        rendered = renderer.render("hello", context)
        return rendered.html, rendered.text
    source = shop.template(size).split("---\n", 2)[2]
    constants = {
        "brand.link": "#1f6146", "brand.ink": "#20302a", "brand.slug": "northwind", "brand.name": "Northwind",
        "postal_address": "Mannerheimintie 1", "subject": "Your garden is ready", "preheader": "Three things to do",
    }  # fmt: skip
    for name, value in constants.items():
        source = source.replace("{{ " + name + " }}", value)
    source = source.replace("default('there')", 'default:"there"').replace(
        "{{ item.price | money }}", "{{ item.price }}"
    )
    source = source.replace("start.beds - 1", "start.beds")
    tags: list[str] = []

    def masked(found: re.Match[str]) -> str:
        tags.append(found[0])
        word = f"zq{len(tags) - 1:04}z"
        return f"<!--{word}-->" if found[0].startswith("{%") else word

    page = inline_css(re.sub(r"\{\{.*?\}\}|\{%.*?%\}", masked, source), "")
    token = re.compile(r"<!--zq(\d{4})z-->|zq(\d{4})z")
    text = text_twin(page, token)

    def unmasked(document: str) -> str:
        return token.sub(lambda found: tags[int(found[1] or found[2])], document)

    return unmasked(page), unmasked(text)
