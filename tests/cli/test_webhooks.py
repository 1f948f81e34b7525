"""`nurture webhooks`: what is called, and what was not taken."""

from __future__ import annotations

import json

from nurture.testing.listener import Listener


def test_webhooks_are_listed_tried_and_missed(applied) -> None:
    with Listener() as listener:
        path = applied.folder / "campaigns/_project.yaml"
        path.write_text(path.read_text() + f'\nwebhooks: {{log: {{url: "{listener.url}", facts: [sent, left]}}}}\n')
        applied("apply", "--yes")
        (listed,) = json.loads(applied("webhooks", "list", "--json").stdout)["data"]["webhooks"]
        assert (listed["name"], listed["facts"], listed["waiting"]) == ("log", ["left", "sent"], 0)
        assert "private network" in applied("webhooks", "test", "log", code=1).stdout
        with (applied.folder / ".env").open("a") as file:
            file.write("\nNURTURE_WEBHOOK_NETWORKS=127.0.0.1\n")
        assert applied("webhooks", "test", "log").stdout == "log took it.\n"
    assert "no webhook 'lag' is applied; there is log" in applied("webhooks", "test", "lag", code=1).stderr
    assert applied("webhooks", "failed").stdout == "No call was given up.\n"
    assert "0 calls will be made again" in applied("webhooks", "replay", "7").stdout
    applied("webhooks", "replay", code=2)
