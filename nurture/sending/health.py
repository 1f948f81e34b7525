"""Whether the relay may be used now: by what one process sees (`LocalHealth`), or all daemons (`SharedHealth`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from nurture.domain.breaker import Breaker, BreakerState
from nurture.domain.retry import Attempt, classify
from nurture.domain.shared_relay import News, SharedRelay
from nurture.sending.domain_pace import DomainPaces


class Health(Protocol):
    @property
    def is_flowing(self) -> bool:
        """Mail flows freely: not open, and not waiting for a probe."""

    def admit(self) -> bool:
        """May one mail go now? Where only a probe may, saying yes makes it the probe."""

    def room(self, full: int) -> int:
        """How many may be under way where `full` may in good times."""

    def learn(self, attempt: Attempt) -> None:
        """What came of one."""


class LocalHealth:
    """The breaker of one process. `clock` is asked, never the machine; `on_turn` is told when it opens and closes."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        breaker: Breaker | None = None,
        on_turn: Callable[[Breaker], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self.breaker = breaker or Breaker()
        self._on_turn = on_turn

    @property
    def is_flowing(self) -> bool:
        return self.breaker.state is BreakerState.CLOSED

    def admit(self) -> bool:
        now = self._clock()
        if not self.breaker.may_send(now):
            return False
        self.breaker = self.breaker.probing(now)
        return True

    def room(self, full: int) -> int:
        return self.breaker.room(self._clock(), full)

    def learn(self, attempt: Attempt) -> None:
        flowed = self.is_flowing
        self.breaker = self.breaker.after(classify(attempt), self._clock(), attempt.text)
        if self.is_flowing != flowed:
            self._on_turn(self.breaker)


class SharedHealth(LocalHealth):
    """The breaker that all daemons share, and the paces of providers.

    Whoever talks to the database takes `news` there about once a second and brings back what all know (`hear`). Until
    the first time this daemon is alone, and goes by what it sees itself.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        owner: str,
        paces: DomainPaces | None = None,
        on_turn: Callable[[Breaker], None] = lambda _: None,
    ) -> None:
        super().__init__(clock, on_turn=on_turn)
        self.owner = owner
        self._paces = paces
        self._known: SharedRelay | None = None
        self._has_started = True
        self._turned = self._wants_probe = self._may_probe = self._is_probing = False

    def admit(self) -> bool:
        if self._known is None or self.is_flowing:
            return super().admit()
        self._wants_probe = self._wants_probe or not self._may_probe
        self._is_probing, may = self._is_probing or self._may_probe, self._may_probe
        self._may_probe = False
        return may

    def room(self, full: int) -> int:
        if self._known is None or self.is_flowing:
            return super().room(full)
        self._wants_probe = self._wants_probe or not self._may_probe
        return 1 if self._may_probe else 0

    def learn(self, attempt: Attempt) -> None:
        if self._known is not None and not self.is_flowing and not self._is_probing:
            return  # a straggler from before it opened
        before = self.breaker
        super().learn(attempt)
        if self.breaker.state is not before.state:
            self._turned, self._is_probing = True, False

    @property
    def may_probe(self) -> bool:
        """It is on us to try whether the relay is well again."""
        return self._may_probe

    def news(self) -> News:
        """What the others do not know yet. Told once: `hear` must follow, or `forgotten`."""
        due = self._has_started or self.breaker.may_send(self._clock())
        turned, wants = self.breaker if self._turned else None, self._wants_probe and due
        self._turned = self._wants_probe = False
        paces = self._paces.news() if self._paces is not None else {}
        return News(turned, wants, self._has_started, paces)

    def forgotten(self, news: News) -> None:
        """They could not be told: tell them again."""
        self._turned = self._turned or news.turned is not None
        if self._paces is not None:
            self._paces.tell_again(news.paces)

    def hear(self, known: SharedRelay) -> None:
        """What all know now."""
        if self._paces is not None:
            self._paces.hear(known.paces)
        if self._turned or known == self._known:
            return  # we know better meanwhile, and say so next time
        flowed = self.is_flowing
        self._known = known
        if known.is_flowing and flowed:
            self.breaker = replace(self.breaker, ramp_from=known.breaker.ramp_from)
        else:
            self.breaker = known.breaker
        self._may_probe = not known.is_flowing and known.prober == self.owner
        self._has_started = self._has_started and not known.is_flowing and not self._may_probe
        if self.is_flowing != flowed:
            self._on_turn(self.breaker)
