"""Every recipe is short, and its stories come through every mail of it."""

from __future__ import annotations

import re

import pytest

from nurture.testing.doc_examples import Example, examples, page, recipe_of

PAGE = "docs/recipes.md"
RECIPES = [one for one in examples("yaml") if one.page == PAGE and one.kind == "recipe"]
STORIES = [one for one in examples("yaml") if one.page == PAGE and one.kind == "story"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: one.data["campaign"])
def test_a_recipe_is_short_and_its_stories_send_every_mail(recipe: Example) -> None:
    stories = [one.data for one in STORIES if recipe_of(one) == recipe]
    sent = {step for story in stories for step in story["expect"].get("sent", [])}

    assert len(recipe.text.splitlines()) <= 25
    assert {story["campaign"] for story in stories} == {recipe.data["campaign"]}
    assert set(re.findall(r"\bid: ([\w-]+)", recipe.text)) - sent == set()


def test_every_recipe_has_a_heading_and_a_link_on_top() -> None:
    headings = re.findall(r"^## .+$", page(PAGE), re.MULTILINE)

    assert len(headings) == len(RECIPES) == page(PAGE).partition("\n## ")[0].count("](#")
