"""Every example of the documentation validates, and together they show the whole language."""

from __future__ import annotations

from typing import Any

import pytest

from nurture.engine.check import check
from nurture.engine.stories import run_stories
from nurture.language.compile import compile_project
from nurture.language.expression_functions import FUNCTIONS
from nurture.language.steps import KINDS
from nurture.testing.doc_examples import Example, examples, project_of
from nurture.testing.docs import models

ALL = [*examples("yaml"), *examples("jinja")]


def keys_in(data: Any) -> set[str]:
    """Every key of a mapping and of all below it."""
    if isinstance(data, dict):
        return {str(key) for key in data}.union(*(keys_in(value) for value in data.values()))
    return set().union(*(keys_in(item) for item in data)) if isinstance(data, list) else set()


SHOWN = [(example.kind, example.data) for example in examples("yaml")]


@pytest.mark.parametrize("example", ALL, ids=str)
def test_every_example_validates(example: Example) -> None:
    checked = check(project_of(example))

    assert [f"{p.file}:{p.line} {p.code} {p.message}" for p in checked.problems] == []
    assert checked.templates_checked


@pytest.mark.parametrize("example", [one for one in ALL if one.kind in {"test", "story"}], ids=str)
def test_every_story_of_the_documentation_passes(example: Example) -> None:
    sources = project_of(example)
    results = run_stories(compile_project(sources), sources)

    assert [(result.differences, result.timeline) for result in results if not result.passed] == []
    assert results


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_step_stands_in_an_example(kind: str) -> None:
    assert any(kind in keys_in(data) for _, data in SHOWN)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_stands_in_an_example(function: str) -> None:
    assert any(f"{function}(" in example.text for example in examples("yaml"))


FILES = {
    "CampaignFile": {"campaign", "steps", "start", "stop", "goal", "window"},
    "ProjectFile": {"project", "forms", "surveys", "tracking"},
    "SegmentsFile": {"segments"},
    "PersonFile": {"person"},
    "StoryFile": {"test"},
    "BehaviourFile": {"behaviour"},
    "CapsFile": {"caps"},
    "EventsFile": {"events"},
    "WebhooksFile": {"webhooks"},
}


def test_every_key_stands_in_an_example_of_its_kind_of_file() -> None:
    shown = {
        file: set().union(*(keys_in(data) for kind, data in SHOWN if kind in kinds)) for file, kinds in FILES.items()
    }
    shown["CampaignFile"] |= {"send_window"}
    file = "CampaignFile"
    for model, made in models().items():
        file = model if model in FILES else file
        missing = set(made["properties"]) - shown[file]
        assert not missing, f"no example shows {', '.join(sorted(missing))} of {model}"
