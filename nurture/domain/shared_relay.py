"""What all daemons know of one relay: its breaker, who of them probes it, and which providers asked for less. Pure.

Each daemon judges by what it sees itself. The first whose breaker opens opens it for all; when it is time for a probe,
one of those that have mail is given it; what the probe finds holds for all again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from nurture.domain.breaker import Breaker, BreakerState

MOST_PACES = 500  # providers; whoever is left out begins at the usual pace again


@dataclass(frozen=True, slots=True)
class News:
    """What one daemon has to tell.

    `turned`: its breaker, if that opened or closed. `wants_probe`: mail waits for an open breaker. `has_started`: it
    has not tried this relay yet; perhaps it was started because somebody has repaired it. `paces`: provider -> how many
    mails at once, where that has become less than usual; None where it is as usual again.
    """

    turned: Breaker | None = None
    wants_probe: bool = False
    has_started: bool = False
    paces: Mapping[str, int | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.turned is not None or self.wants_probe or bool(self.paces)


@dataclass(frozen=True, slots=True)
class SharedRelay:
    """`prober` is the daemon that may probe while the breaker is half open."""

    breaker: Breaker = field(default_factory=Breaker)
    prober: str = ""
    paces: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_flowing(self) -> bool:
        return not self.breaker.is_open

    def after(self, news: News, owner: str, now: datetime) -> SharedRelay:
        """With the news of one daemon."""
        breaker, prober = self.breaker, self.prober
        if news.turned is not None and (news.turned.is_open == self.is_flowing or owner == prober):
            breaker, prober = replace(news.turned, recent=()), ""  # else it is so already
        if news.wants_probe and breaker.is_open:
            at_once = news.has_started and breaker.state is BreakerState.OPEN
            if at_once or breaker.may_send(now):
                breaker, prober = breaker.probing(now), owner
        return SharedRelay(breaker, prober, _merged(self.paces, news.paces) if news.paces else self.paces)

    def to_json(self) -> dict[str, Any]:
        return {"breaker": self.breaker.to_json(), "prober": self.prober, "paces": dict(self.paces)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> SharedRelay:
        if not plain:
            return cls()
        paces = {name: int(limit) for name, limit in plain["paces"].items()}
        return cls(Breaker.from_json(plain["breaker"]), str(plain["prober"]), paces)


def _merged(paces: Mapping[str, int], news: Mapping[str, int | None]) -> dict[str, int]:
    merged = {name: limit for name, limit in paces.items() if name not in news}
    merged |= {name: limit for name, limit in news.items() if limit is not None}
    return dict(islice(merged.items(), max(len(merged) - MOST_PACES, 0), None))
