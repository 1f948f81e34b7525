"""The metronome's beat does not hang on what the wall clock says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from nurture.daemon import metronome
from nurture.daemon.metronome import Metronome

NOW = datetime(1970, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(seconds=-30), timedelta(days=20_000)], ids=str)
def test_it_beats_on_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch, jump: timedelta) -> None:
    monkeypatch.setattr(metronome, "LISTEN", 0.02)

    async def beats() -> None:
        heard = asyncio.Event()

        async def beat() -> None:
            heard.set()

        running = Metronome()
        running.every(0.02, "beat", beat)
        running.start()
        try:
            await asyncio.wait_for(heard.wait(), 20)
            clock.move_to(datetime.now(UTC) + jump)
            for _ in range(3):
                heard.clear()
                await asyncio.wait_for(heard.wait(), 20)
        finally:
            running.stop()

    with time_machine.travel(NOW, tick=True) as clock:
        asyncio.run(beats())
