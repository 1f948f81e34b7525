"""An applied revision, ready to run: the stored sources, compiled by the same code that validated them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from nurture.domain.needs import SnapshotNeeds, needs_of
from nurture.domain.programme import Programme
from nurture.errors import ConfigurationError
from nurture.language.compile import Compiled, compile_project
from nurture.language.source import BEHAVIOUR_FILE, STORIES
from nurture.rendering.renderer import Renderer
from nurture.storage.controls import since
from nurture.storage.database import Database, Transaction
from nurture.storage.revisions import Moves, latest_number, revision, sources_of

if TYPE_CHECKING:
    from nurture.engine.check import Checked  # a daemon checks no templates


@dataclass(frozen=True, slots=True)
class Applied:
    """`number` is 0 for files that were not applied (previews and tests)."""

    number: int
    programme: Programme
    renderer: Renderer
    needs: SnapshotNeeds
    compiled: Compiled
    sources: Mapping[str, str]


def assemble(
    sources: Mapping[str, str],
    number: int = 0,
    moved: Moves | None = None,
    first_applied: Mapping[str, datetime] | None = None,
    *,
    checked: Checked | None = None,
) -> Applied:
    """Compile sources to something that runs; `checked` has done so already, if given.

    Raises ConfigurationError with the first errors, if there are any.
    """
    compiled = checked.compiled if checked is not None else compile_project(sources)
    if compiled.programme is None:
        told = "\n".join(f"  {problem.file}:{problem.line}: {problem.message}" for problem in compiled.errors[:10])
        raise ConfigurationError(f"these files have problems (see them all with `nurture validate`):\n{told}")
    campaigns = {
        name: replace(
            campaign,
            moved=dict((moved or {}).get(name, campaign.moved)),
            since=(first_applied or {}).get(name, campaign.since),
        )
        for name, campaign in compiled.programme.campaigns.items()
    }
    programme = replace(compiled.programme, campaigns=campaigns, revision=number)
    renderer = checked.renderer if checked is not None else None
    return Applied(
        number, programme, renderer or renderer_of(sources, programme), needs_of(programme), compiled, sources
    )


def renderer_of(sources: Mapping[str, str], programme: Programme) -> Renderer:
    """The renderer of these sources, under the programme's policy."""
    return Renderer(
        sources,
        brand=programme.brand,
        postal_address=programme.postal_address,
        senders=programme.senders,
        topics=programme.topics,
        default_locale=programme.locale,
        default_zone=programme.zone,
        currency=programme.currency,
        tracked=(programme.tracking.clicks, programme.tracking.opens) if programme.tracking else (False, False),
    )


def load(tx: Transaction, number: int) -> Applied:
    """The revision with this number, without stories and behaviour. Raises StorageError if missing or damaged."""
    stored = revision(tx, number)
    sources = sources_of(tx, number)
    running = {path: text for path, text in sources.items() if path != BEHAVIOUR_FILE and not path.startswith(STORIES)}
    applied = assemble(running, number, stored.moved if stored is not None else None, since(tx))
    return replace(applied, sources=sources)


class Newest:
    """The newest revision, compiled once and again only when another one was applied."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Applied | None = None

    def __call__(self) -> Applied:
        """Raises ConfigurationError if nothing was ever applied."""
        with self._database.read() as tx:
            return self.within(tx)

    def within(self, tx: Transaction) -> Applied:
        """The same, in a transaction that is open already."""
        number = latest_number(tx)
        if number == 0:
            raise ConfigurationError("nothing is applied yet; run `nurture apply` in the project's folder")
        if self._known is None or self._known.number != number:
            self._known = load(tx, number)
        return self._known
