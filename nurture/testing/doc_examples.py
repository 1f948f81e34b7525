"""The examples of the documentation, each made into a project that can be compiled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nurture.yaml_text import load

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAYOUT = (
    '<!DOCTYPE html><html lang="{{ lang }}"><head><title>{{ subject }}</title></head><body>{% block content %}'
    '{% endblock %}<a href="{{ unsubscribe_url }}">Unsubscribe</a><p>{{ postal_address }}</p></body></html>'
)
MAIL = "---\nsubject: Hello\npreheader: Of a page\nlayout: letter\n---\n<p>Hello</p>\n"


@dataclass(frozen=True)
class Example:
    """A block of code of a page. `kind` is the word behind the language: what sort of file it is, or a part of one."""

    page: str
    line: int
    language: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """What the line above tells to save it as, such as `campaigns/welcome.yaml`; empty if it tells nothing."""
        above = "\n".join(page(self.page).splitlines()[: self.line - 2]).rstrip().rpartition("\n")[2]
        found = re.search(r"`([\w./-]+)`:$", above)
        return found[1] if found else ""

    @property
    def data(self) -> Any:
        return load(self.text, str(self))[0]


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def examples(*languages: str) -> list[Example]:
    return [
        Example(name, page(name).count("\n", 0, found.start()) + 2, found[1], found[2] or "", found[3])
        for name in PAGES
        for found in BLOCK.finditer(page(name))
        if found[1] in languages
    ]


@cache
def of_language_page(kind: str) -> Example:
    """The whole file of a kind that the language's own page shows; parts on other places lean on it."""
    return next(one for one in examples("yaml") if one.page == "docs/language.md" and one.kind == kind)


CAMPAIGN = {
    "version": "1",
    "campaign": "example",
    "topic": "offers",
    "status": "live",
    "start": "{event: Checkout Started}",
    "offers": '{thank-you: {expires: 30 days, discount: 10%, code: "unique:HELLO"}}',
    "steps": "[{id: hello, send: welcome/hello, offer: thank-you, category: discount}]",
}


CONFIRMATION = """\
version: 1
campaign: newsletter-confirm
status: live
start: {manual: true}
steps: [{id: ask, send: ask, kind: transactional, late: drop after 1 day}]
"""


def campaign(text: str, data: Mapping[str, Any]) -> str:
    """A campaign file: what the example leaves out is filled in."""
    names_offer = "offer:" in text or "offers:" in text or "steps" not in data
    missing = [f"{key}: {value}" for key, value in CAMPAIGN.items() if key not in data]
    if not names_offer:
        missing = [line for line in missing if not line.startswith("offers:")]
    return "\n".join(missing) + "\n" + text


def recipe_of(example: Example) -> Example:
    """The campaign that a story is about: the last `recipe` above it on its page."""
    return [
        one for one in examples("yaml") if (one.page, one.kind) == (example.page, "recipe") and one.line <= example.line
    ][-1]


def under(key: str, text: str) -> str:
    return f"{key}:\n" + "".join(f"  {line}\n" for line in text.splitlines())


WHOLE_FILES = {
    "project": "_project", "segments": "_segments", "events": "_events", "webhooks": "_webhooks",
    "person": "people/ana", "test": "tests/example", "behaviour": "behaviour",
}  # fmt: skip


def project_of(example: Example) -> dict[str, str]:
    """The sources of a project around one example."""
    sources = {
        "campaigns/_project.yaml": of_language_page("project").text,
        "campaigns/_segments.yaml": of_language_page("segments").text,
        "campaigns/people/ana.yaml": of_language_page("person").text,
        "campaigns/abandoned-cart.yaml": of_language_page("campaign").text,
        "email_templates/_layouts/letter.html": LAYOUT,
    }
    match example.kind:
        case kind if kind in WHOLE_FILES:
            sources[f"campaigns/{WHOLE_FILES[kind]}.yaml"] = example.text
        case "caps":
            caps = "\n".join(line for line in example.text.splitlines() if not line.startswith(("version", "meta")))
            sources["campaigns/_project.yaml"] = re.sub(
                r"^caps:\n(?:  .*\n)+", f"{caps}\n", sources["campaigns/_project.yaml"], flags=re.MULTILINE
            )
        case "tracking" | "forms" | "surveys":
            sources["campaigns/_project.yaml"] += example.text
            sources["campaigns/newsletter-confirm.yaml"] = CONFIRMATION
        case "template":
            sources["email_templates/cart/reminder.html"] = example.text
            person = of_language_page("person").text
            items = "value: 86.4, items: [{name: Pot, price: 5}]"
            sources["campaigns/people/ana.yaml"] = person.replace("value: 86.4", items)
        case "campaign":
            name = "abandoned-cart" if "campaign: abandoned-cart" in example.text else "example"
            sources[f"campaigns/{name}.yaml"] = campaign(example.text, example.data)
        case "recipe" | "story":
            recipe = recipe_of(example)
            sources[f"campaigns/{recipe.data['campaign']}.yaml"] = recipe.text
            if example.kind == "story":
                sources["campaigns/tests/story.yaml"] = example.text
        case "steps" | "start" | "stop" | "goal" | "window":
            key = "send_window" if example.kind == "window" else example.kind
            text = under(key, example.text)
            sources["campaigns/example.yaml"] = campaign(text, {key: example.data})
        case _:
            raise ValueError(f"{example}: say what this example is, as in ```yaml campaign")
    return {**mails_of(sources.values()), **sources}


def mails_of(campaigns: Iterable[str]) -> dict[str, str]:
    """A template for every mail these files name."""
    return {
        f"email_templates/{name}.html": MAIL for text in campaigns for name in re.findall(r"\bsend: ([\w/-]+)", text)
    }
