"""How late a mail goes when 500 become due a second: its gate, before which no byte of it leaves, minus its due time.

A real `nurture run`, which looks at the queue once a second and whenever a mail has ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from benchmarks import shop
from benchmarks.databases import database
from benchmarks.figures import Figure
from benchmarks.sink import SMTP_SINK, smtp_sink
from nurture.app import App

RATE = 500
SETTLE = timedelta(seconds=12)  # until the daemon runs


def measure(*, quick: bool = False) -> list[Figure]:
    what = f"lateness at {RATE} mails/s due, p99"
    if SMTP_SINK is None:
        return [Figure(what, None, "s", at_most=2, how="smtp-sink (Postfix) is not installed")]
    seconds = 10 if quick else 60
    mails = RATE * seconds
    with database("SQLite") as (folder, url), smtp_sink() as sink:
        app = shop.open_app(folder, url, sink.port)
        _spread(app, mails)
        command = [sys.executable, "-m", "nurture", "run"]
        environ = {**os.environ, **shop.environ(url, sink.port)}
        daemon = subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.DEVNULL)
        try:
            late = _waited_for(app, mails, seconds)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)
        app.close()
    middle, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    return [
        Figure(
            what, p99, "s", at_most=2, against=f"median {middle:.2f} s, worst {late[-1]:.2f} s, {len(late):,} mails",
            how=f"`nurture run` for {seconds} s, SQLite, 20-KB mails",
        )
    ]  # fmt: skip


def _spread(app: App, mails: int) -> None:
    """Everybody is due in turn, so many a second, once the daemon will be there."""
    few = 100
    shop.prepare(app, few, shop.SMALL, due=datetime.now(UTC) + timedelta(minutes=10))
    shop.multiply(app, few, mails // few)
    begin = datetime.now(UTC) + SETTLE
    with app.database.write() as tx:
        every = f"CAST(1000000.0 / {RATE} AS integer)"
        values = {"begin": int(begin.timestamp() * 1e6)}
        tx.execute(text("DELETE FROM due"))
        tx.execute(text(f"UPDATE contacts SET due_at = :begin + id * {every}"), values)
        tx.execute(text(f"UPDATE enrolments SET due_at = :begin + contact_id * {every}"), values)
        tx.execute(text("INSERT INTO due (at, contact_id) SELECT due_at, id FROM contacts"))


def _waited_for(app: App, mails: int, seconds: int) -> list[float]:
    """Seconds each mail was late, in ascending order."""
    end = time.monotonic() + SETTLE.total_seconds() + 4 * seconds + 30
    while time.monotonic() < end:
        time.sleep(2)
        with app.database.read() as tx:
            query = text("SELECT first_gated_at - due_at FROM deliveries WHERE first_gated_at IS NOT NULL")
            late = sorted(row[0] / 1e6 for row in tx.execute(query))
        if len(late) >= mails:
            return late
    raise RuntimeError(f"only {len(late)} of {mails} mails went")
