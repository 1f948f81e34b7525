"""The mails of stories that say what must stand in them: built as dispatch would, and looked into."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property

from nurture.domain.delivery import Delivery
from nurture.domain.programme import Programme
from nurture.engine.resident import Resident
from nurture.engine.revisions import renderer_of
from nurture.engine.simulate import SENT, Answer
from nurture.engine.simulation.lives import Render
from nurture.engine.simulation.rendered import building
from nurture.language.compile import Compiled
from nurture.language.stories import PARTS
from nurture.rendering.renderer import Rendered, Renderer
from nurture.rendering.twin import visible_text

Mails = Mapping[tuple[str, str], list[Rendered]]  # of (campaign, step), in the order they were sent
_NAMES = {"": "subject, HTML or text", "subject": "subject", "html": "HTML", "text": "text"}


class StoryMails:
    """Builds mails of one project; its templates are compiled once for all stories."""

    def __init__(self, compiled: Compiled, sources: Mapping[str, str]) -> None:
        self._compiled, self._sources = compiled, sources

    @cached_property
    def _renderer(self) -> Renderer:
        assert self._compiled.programme is not None
        return renderer_of(self._sources, self._compiled.programme)

    def render(self, programme: Programme, wanted: Collection[tuple[str, str]]) -> tuple[Render, Mails]:
        """For one story: what builds the mails that are wanted (campaign, step), and where they are found later."""
        mails: defaultdict[tuple[str, str], list[Rendered]] = defaultdict(list)

        def keep(delivery: Delivery, rendered: Rendered) -> None:
            mails[delivery.campaign, delivery.step].append(rendered)

        build = building(programme, self._sources, self._compiled, self._renderer, keep)

        def render(person: Resident, delivery: Delivery, now: datetime) -> Answer:
            return build(person, delivery, now) if (delivery.campaign, delivery.step) in wanted else SENT

        return render, mails


def missing(step: str, wanted: Iterable[tuple[str, str]], mails: list[Rendered]) -> Iterator[str]:
    """A sentence for each text that stands in none of the mails of a step, and the nearest line there is."""
    if not mails:
        yield f"contains: {step} was not sent, so there is nothing to look into"
        return
    for part, text in wanted:
        parts = [_parts(mail) for mail in mails]
        places = [each[name] for each in parts for name in (PARTS if part == "" else (part,))]
        if any(_plain(text) in _plain(place) for place in places):
            continue
        yield f'contains: {step} has no "{text}" in its {_NAMES[part]}{_nearest(text, places)}'


def _parts(mail: Rendered) -> dict[str, str]:
    return {"subject": mail.subject, "html": visible_text(mail.html) if mail.html_part else "", "text": mail.text}


def _plain(text: str) -> str:
    return " ".join(text.split())


def _nearest(text: str, places: Iterable[str]) -> str:
    lines = {_plain(line): None for place in places for line in place.splitlines() if line.strip()}
    near = get_close_matches(_plain(text), lines, n=1, cutoff=0.3)
    if near:
        return f'; the nearest is "{near[0]}"'
    return f'; it begins "{next(iter(lines))}"' if lines else "; that is empty"
