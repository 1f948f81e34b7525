"""What goes out of the house besides mail: the systems that are told, and of which facts."""

from __future__ import annotations

from nurture.domain.frozen import frozen


@frozen
class Webhook:
    """A system that steps can tell, and that hears of facts of these kinds. `secret`: a name of the environment."""

    url: str
    secret: str | None = None
    facts: frozenset[str] = frozenset()
