"""Links inside the documentation lead somewhere, and no page runs wide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nurture.testing.doc_examples import PAGES, ROOT, page


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def links() -> list[tuple[str, str]]:
    return [
        (name, found)
        for name in PAGES
        for found in re.findall(r"\]\(([^)\s]+)\)", page(name))
        if not found.startswith(("http://", "https://", "mailto:"))
    ]


@pytest.mark.parametrize(("name", "link"), links())
def test_every_link_leads_somewhere(name: str, link: str) -> None:
    file, _, anchor = link.partition("#")
    target = (Path(name).parent / file) if file else Path(name)
    assert (ROOT / target).exists()
    if anchor:
        assert anchor in anchors((ROOT / target).read_text(encoding="utf-8"))


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = page("docs/README.md")
    missing = [path.name for path in (ROOT / "docs").glob("*.md") if f"({path.name})" not in index]
    assert missing == ["README.md"]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_speaks_of_the_machine_it_was_written_on(name: str) -> None:
    assert not re.search(r"/work/|/tmp/|\bTODO\b|\bFIXME\b", page(name))
