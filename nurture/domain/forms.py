"""Sign-up forms: what a person says yes to, in whose words, and which mail asks her to confirm it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nurture.domain.event import NOTHING

EMPTY: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True)
class FormText:
    """A form in one language. `wording` is what she agrees to, word for word: it is kept as proof."""

    title: str
    wording: str
    thanks: str
    labels: Mapping[str, str] = field(default=EMPTY)

    def label(self, name: str) -> str:
        """What a field is called."""
        return self.labels.get(name) or name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Form:
    """`campaign` mails the confirmation; `event` is told once she has confirmed, and is her yes to `topics`."""

    name: str
    event: str
    campaign: str
    texts: Mapping[str, FormText]
    topics: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    def language(self, wanted: Iterable[str | None]) -> str:
        """The first of these locales that the form speaks, else its own first language."""
        return spoken(self.texts, wanted)


def spoken(texts: Mapping[str, object], wanted: Iterable[str | None]) -> str:
    """The first of these locales that there are texts for, else the language of the first text."""
    for each in wanted:
        for name in ((each or "").replace("_", "-"), (each or "").replace("_", "-").partition("-")[0].lower()):
            if name in texts:
                return name
    return next(iter(texts))
