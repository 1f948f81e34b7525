"""Surveys: a question, answered by a link in a mail. The answer is an event of hers, and an attribute if wished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from nurture.domain.event import NOTHING
from nurture.domain.forms import EMPTY, spoken

Answer = str | int
CHANGEABLE = timedelta(days=1)  # so long after the first answer to a mail it may be another


@dataclass(frozen=True, slots=True)
class SurveyText:
    """A survey in one language; `answers` says what they are called."""

    question: str
    thanks: str
    answers: Mapping[str, str] = field(default=EMPTY)


@dataclass(frozen=True, slots=True)
class Survey:
    """`event` is told with `answer`, which becomes the contact's `attribute`, if there is one."""

    name: str
    event: str
    answers: tuple[Answer, ...]
    texts: Mapping[str, SurveyText] = field(default=NOTHING)
    attribute: str | None = None

    def language(self, wanted: Iterable[str | None]) -> str:
        """The first of these locales that the survey speaks, else its own first language."""
        return spoken(self.texts, wanted)

    def answer(self, said: str) -> Answer | None:
        """The answer as it is written in a link; None if it is none of ours."""
        return next((each for each in self.answers if str(each) == said), None)

    def labels(self, language: str) -> dict[str, str]:
        """Answers as links write them -> what they are called."""
        called = self.texts[language].answers
        return {str(each): called.get(str(each), str(each)) for each in self.answers}
