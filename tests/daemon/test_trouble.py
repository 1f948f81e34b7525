"""A relay that is away, a database that is locked, a clock that is wrong."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

from nurture.engine.hold import ALIVE
from nurture.storage.duties import mark
from nurture.testing.marks import FIRST_ON_SQLITE
from nurture.testing.processes import Shop, pause, until
from nurture.testing.smtp import ScriptedServer, drop


def test_a_relay_that_was_down_gets_everything_once_and_was_not_knocked_at_for_nothing(
    file_shop: Shop, server: ScriptedServer
) -> None:
    server.script["CONNECT"] = drop()
    file_shop.people(200)
    daemon = file_shop.start()
    until(lambda: server.connections >= 5, 40)
    pause(5)
    assert server.connections <= 20, "an open breaker does not connect"
    server.script.clear()
    file_shop.until_settled(200, 100)
    assert daemon.end() == 0
    file_shop.check()


def test_a_database_that_somebody_else_has_locked_is_waited_for(file_shop: Shop, server: ScriptedServer) -> None:
    daemon = file_shop.start()
    daemon.until_started()
    file_shop.people(200)
    file_shop.until_sent(5)
    lock = sqlite3.connect(file_shop.app.database.path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    pause(5)
    lock.execute("COMMIT")
    lock.close()
    file_shop.until_settled(200)
    assert daemon.end() == 0
    file_shop.check()
    assert [line for line in daemon.lines if line["level"] == "error"] == []


@FIRST_ON_SQLITE
def test_a_clock_that_was_set_back_holds_everything_until_somebody_confirms(shop: Shop, server: ScriptedServer) -> None:
    future = shop.now + timedelta(hours=2)
    shop.app.database.transact(lambda tx: mark(tx, ALIVE, {"at": future.isoformat()}, future))
    shop.people(3)
    held = shop.start("--once")
    assert held.wait() == 3
    assert "on hold" in held.text
    assert "nurture run --confirm" in held.text
    running = shop.start()
    running.until_started()
    pause(2)
    assert len(server.messages) == 0
    assert shop.once("--confirm").text.count("on hold") == 0
    shop.until_settled(3)
    shop.people(2)
    shop.until_settled(5)  # the two late ones by the daemon that was held, which may have had a hand in the first three
    assert running.end() == 0
    assert running.sent >= 2
    assert len(server.messages) == 5
    shop.check()


class Hook(BaseHTTPRequestHandler):
    """Slow, and refuses at first."""

    seen: list[str | None]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen.append(self.headers["webhook-id"])
        pause(2)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_slow_webhook_does_not_hold_up_the_mail(file_shop: Shop, server: ScriptedServer) -> None:
    Hook.seen = []
    http = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    called = "start: {event: Bought}\ncampaign: called\nsteps:\n  - webhook: slow\n"
    hook = f'webhooks: {{slow: "http://127.0.0.1:{http.server_port}/"}}\n'
    from nurture.engine.apply import apply, plan
    from nurture.testing.house import sources

    files = sources("start: {event: Signed Up}\nsteps:\n  - {id: hello, send: hello}\n", called)
    project = files["campaigns/_project.yaml"]
    files["campaigns/_project.yaml"] = "\n".join(
        hook.strip() if line.startswith("webhooks:") else line for line in project.splitlines()
    )
    planned = plan(file_shop.app.database, files)
    assert planned.is_sound, planned.compiled.errors
    apply(file_shop.app.database, planned, file_shop.now, "test", confirmed=planned.to_confirm)
    file_shop.environ["NURTURE_WEBHOOK_NETWORKS"] = "127.0.0.1"
    daemon = file_shop.start()
    daemon.until_started()
    file_shop.people(4, "Bought")
    until(lambda: len(Hook.seen) >= 1, 30)
    file_shop.people(30)
    file_shop.until_sent(30, 20)
    until(lambda: len(Hook.seen) >= 4, 60)
    assert daemon.end() == 0
    assert len(set(Hook.seen)) == 4
    http.shutdown()
    http.server_close()
    thread.join()
