"""What an expression may name, and suggestions for what it names wrongly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from nurture.domain.event import NOTHING
from nurture.domain.expression.tree import CLICKED_EVENT, OPENED_EVENT, ORDER_EVENT
from nurture.errors import ExpressionError

ROOTS = frozenset({"contact", "event", "start", "offer"})
OWN_EVENTS = frozenset({ORDER_EVENT, OPENED_EVENT, CLICKED_EVENT})


@dataclass(frozen=True, slots=True)
class Names:
    """What may be named. None means anything; otherwise what is listed is all there is.

    `contact`, `event`, `start`: first names after the dot (the columns of a contact always exist). `steps` are `step`
    and `campaign/step`. `aliases` are other words for stages. `roots` are the things at hand: an `event` is not
    everywhere. The events nurture itself speaks of (orders, opens, clicks) are always known.
    """

    contact: frozenset[str] | None = None
    event: frozenset[str] | None = None
    start: frozenset[str] | None = None
    events: frozenset[str] | None = None
    segments: frozenset[str] | None = None
    stages: frozenset[str] | None = None
    steps: frozenset[str] | None = None
    offers: frozenset[str] | None = None
    aliases: Mapping[str, str] = field(default=NOTHING)
    roots: frozenset[str] = ROOTS


ANYTHING = Names()


def meant(word: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?`, or what there is if it is little, or None."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:
        small = {name.lower(): name for name in known}
        close = [small[match] for match in get_close_matches(word.lower(), small, n=1, cutoff=0.6)]
    if close:
        return f"did you mean {close[0]}?"
    if 0 < len(known) <= 8:
        return "there is " + ", ".join(known)
    return None


def require_known(what: str, word: str, known: frozenset[str] | None, column: int) -> None:
    """Refuses a word that is not among the known ones; None means that anything goes."""
    if known is not None and word not in known:
        raise ExpressionError(f'no {what} "{word}"', column, meant(word, known))
