"""A Maildir of what came back: taken once, by one daemon at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from nurture.domain.tokens import Purpose
from nurture.engine.mailbox import BATCH, LEASE, Emptied, empty_maildir
from nurture.testing.house import ANA, House
from nurture.testing.returns import dsn, plain


def _empty(house: House, folder: Path, owner: str = "one") -> Emptied:
    app = house.app
    return empty_maildir(
        house.database, app.keyring, app.applied().programme, folder, owner, house.now, storm=app.storm_rule
    )


def test_mails_are_taken_once_and_kept_as_seen(build: Callable[..., House], tmp_path: Path) -> None:
    house, folder = build(), tmp_path / "bounces"
    house.consenting()
    (folder / "new").mkdir(parents=True)
    token = house.app.keyring.mailbox_token(Purpose.RETURN_PATH, house.id_of(ANA), 1)
    (folder / "new" / "1.host").write_bytes(dsn(f"b+{token}@shop.example"))
    (folder / "new" / "2.host").write_bytes(plain("hello@shop.example"))
    assert _empty(house, folder) == Emptied({"bounced": 1, "no effect": 1}, more=False)
    assert sorted(path.name for path in (folder / "cur").iterdir()) == ["1.host:2,S", "2.host:2,S"]
    assert _empty(house, folder) == Emptied()
    house.drain()
    assert house.told()[-2:] == ["bounced by_event", "suppressed by_event"]


def test_one_daemon_at_a_time_reads_and_another_takes_over(build: Callable[..., House], tmp_path: Path) -> None:
    house, folder = build(), tmp_path / "bounces"
    (folder / "new").mkdir(parents=True)
    for number in range(BATCH + 1):
        (folder / "new" / f"{number:03}.host").write_bytes(plain("hello@shop.example"))
    assert _empty(house, folder).more
    assert _empty(house, folder, "two") == Emptied()
    if house.database.dialect == "sqlite":  # the other reads the server's own clock
        house.pass_time(house.now + LEASE + timedelta(seconds=1))
        assert _empty(house, folder, "two").effects == {"no effect": 1}
