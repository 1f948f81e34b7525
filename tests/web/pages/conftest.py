"""Links as they stand in mails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nurture.domain.tokens import Purpose
from nurture.testing.house import ANA, House


@pytest.fixture
def link(house: House) -> Callable[..., str]:
    """`link("/u/", Purpose.UNSUBSCRIBE)`: the address in Ana's first mail (or another by its number)."""

    def make(place: str, purpose: Purpose, email: str = ANA, seq: int | None = None) -> str:
        if seq is None:
            seq = next((mail.delivery.seq for mail in house.mails(email)), 0)
        return place + house.app.keyring.token(purpose, house.id_of(email), seq)

    return make
