"""`surveys` of _project.yaml: questions that are answered by a link in a mail; and the links of templates to them."""

# ruff: noqa: RUF012  # pydantic copies the defaults of its fields

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from nurture.domain.surveys import Survey, SurveyText
from nurture.language.contract import COLUMNS
from nurture.language.forms import LANGUAGE
from nurture.language.names import Path, Scope
from nurture.language.problems import suggestion
from nurture.language.source import TEMPLATES, SourceFile
from nurture.language.steps import Strict

_ANSWER = r"^[a-z0-9][a-z0-9_-]{0,39}$"
_ASKED = re.compile(r"""\banswer_url\(\s*(["'])(?P<survey>[^"']*)\1\s*,\s*(["']?)(?P<answer>[\w-]*)\3\s*\)""")


class SurveyTextRule(Strict):
    """A survey in one language."""

    question: Annotated[str, Field(min_length=1, max_length=500)]
    """What the page asks."""
    thanks: Annotated[str, Field(min_length=1, max_length=2000)]
    """What people read once they have answered."""
    answers: dict[str, Annotated[str, Field(min_length=1, max_length=200)]] = {}
    """What the answers are called."""


class SurveyRule(Strict):
    """A question, answered by links that `answer_url` makes."""

    event: str
    """Told with `answer`, `survey` and `campaign` whenever somebody answers."""
    answers: list[int | Annotated[str, Field(pattern=_ANSWER)]] = Field(min_length=2, max_length=20)
    """What can be answered, in order: names, or the numbers of a scale."""
    attribute: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None
    """A contact attribute that holds the last answer."""
    texts: dict[Annotated[str, Field(pattern=LANGUAGE)], SurveyTextRule] = Field(min_length=1)
    """The survey by language; the first one stands in for those that are missing."""


def compile_surveys(rules: Mapping[str, SurveyRule], scope: Scope) -> dict[str, Survey]:
    """The surveys of the project."""
    surveys: dict[str, Survey] = {}
    for name, rule in rules.items():
        path: Path = ("surveys", name)
        scope.event(rule.event, (*path, "event"))
        if rule.attribute in COLUMNS:
            message = f"{rule.attribute} is not set by a survey"
            scope.file.report("N105", (*path, "attribute"), message, "name an attribute of your own")
        known = [str(each) for each in rule.answers]
        for index, answer in enumerate(known):
            if answer in known[:index]:
                scope.file.report("N201", (*path, "answers", index), f"{answer} twice", "leave one of them out")
        for language, text in rule.texts.items():
            for answer in text.answers:
                scope.among(answer, known, (*path, "texts", language, "answers", answer), "N217", "answer", key=True)
        texts = {each: SurveyText(text.question, text.thanks, text.answers) for each, text in rule.texts.items()}
        surveys[name] = Survey(name, rule.event, tuple(rule.answers), texts, rule.attribute)
    return surveys


def check_links(sources: Mapping[str, str], surveys: Mapping[str, Survey]) -> list[SourceFile]:
    """The templates among the sources that link to a survey or an answer that is not there."""
    found: list[SourceFile] = []
    for path, text in sources.items():
        if not path.startswith(TEMPLATES) or "answer_url" not in text:
            continue
        file = SourceFile(path, text)
        for link in _ASKED.finditer(text):
            survey = surveys.get(link["survey"])
            line = text.count("\n", 0, link.start()) + 1
            column = link.start() - text.rfind("\n", 0, link.start())
            if survey is None:
                message, hint = f'no survey "{link["survey"]}"', suggestion(link["survey"], surveys, "survey")
                file.report_at("N217", line, column, message, hint)
            elif survey.answer(link["answer"]) is None:
                message = f'the survey {survey.name} has no answer "{link["answer"]}"'
                file.report_at("N217", line, column, message, f"it has {', '.join(map(str, survey.answers))}")
        found += [file] if file.problems else []
    return found
