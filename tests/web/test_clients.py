"""Clients that nobody here wrote: Segment's own for Python, and whatever the OpenAPI document allows."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from segment.analytics.client import Client

from nurture.storage.contacts import find
from nurture.testing.house import House
from nurture.testing.site import Served

JAVASCRIPT = """
const { Analytics } = require('@segment/analytics-node')
const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ writeKey, host, flushAt: 3 })
analytics.on('error', (error) => { console.error(error); process.exitCode = 1 })
analytics.track({ anonymousId: 'visitor', event: 'Cart Changed', properties: { cart: 7 } })
analytics.identify({ userId: 'u1', anonymousId: 'visitor', traits: { email: 'ana@people.example', firstName: 'Ana' } })
analytics.page({ userId: 'u1', name: 'Home' })
analytics.group({ userId: 'u1', groupId: 'g1', traits: { name: 'Acme' } })
analytics.alias({ userId: 'u1', previousId: 'older' })
analytics.closeAndFlush().then(() => process.exit())
"""


def names(stored: Any) -> list[str]:
    return sorted(each[1] for each in stored())


def one_person(house: House) -> None:
    with house.database.read() as tx:
        ana = find(tx, "ana@people.example")
        assert ana is not None
        assert ana.attributes["first_name"] == "Ana"
        for name in ("visitor", "u1", "older"):
            found = find(tx, name)
            assert found is not None, name
            assert found.id == ana.id


@pytest.mark.parametrize("packed", [False, True])
def test_segments_client_for_python_works_unchanged(
    site: Served, key: Callable[..., str], stored: Any, house: House, packed: bool
) -> None:
    errors: list[Any] = []
    client = Client(key("events"), host=site.url, gzip=packed, on_error=lambda *error: errors.append(error))
    client.track(anonymous_id="visitor", event="Cart Changed", properties={"cart": 7})
    client.identify("u1", {"email": "ana@people.example", "firstName": "Ana"}, anonymous_id="visitor")
    client.page("u1", name="Home")
    client.screen("u1", name="Cart")
    client.group("u1", "g1", {"name": "Acme"})
    client.alias("older", "u1")
    client.flush()
    client.join()

    assert errors == []
    assert names(stored) == [
        "Cart Changed", "Group Joined", "Page Viewed", "Screen Viewed", "nurture.aliased", "nurture.identified",
    ]  # fmt: skip
    one_person(house)


def test_segments_client_is_told_of_a_wrong_key(site: Served) -> None:
    errors: list[Any] = []
    client = Client("wrong", host=site.url, on_error=lambda *error: errors.append(error), max_retries=0)
    client.track("u1", "E")
    client.flush()
    client.join()

    assert len(errors) == 1


@pytest.mark.lab
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_segments_client_for_node_works_unchanged(
    site: Served, key: Callable[..., str], stored: Any, house: House, tmp_path: Path
) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    assert npm, "install Node.js: apt-get install nodejs npm"
    assert node, "install Node.js: apt-get install nodejs npm"
    subprocess.run([npm, "install", "--silent", "@segment/analytics-node@2"], cwd=tmp_path, check=True)
    (tmp_path / "shop.js").write_text(JAVASCRIPT, encoding="utf-8")
    done = subprocess.run(
        [node, "shop.js", site.url, key("events")], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert names(stored) == [
        "Cart Changed", "Group Joined", "Page Viewed", "nurture.aliased", "nurture.identified",
    ]  # fmt: skip
    one_person(house)


def explore(site: Served, token: str, examples: int) -> None:
    """Every operation of the document, with requests it allows and requests it does not."""
    schema = schemathesis.openapi.from_url(f"{site.url}/api/openapi.json")
    seen: dict[str, int] = {}

    def check(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {token}"})
        seen[case.operation.label] = seen.get(case.operation.label, 0) + 1
        assert answer.status_code < 500, (case.operation.label, answer.status_code, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"][0] == "application/problem+json", answer.text

    access = site.server.site.state.access
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in schemathesis.GenerationMode:
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=strategy)
            def one(case: Any) -> None:
                access._rates._buckets.clear()
                check(case)

            with contextlib.suppress(Unsatisfiable):  # an operation without parameters forbids nothing
                one()
    assert len(seen) >= 10


def test_no_request_that_the_document_allows_or_forbids_is_a_5xx(site: Served, key: Callable[..., str]) -> None:
    explore(site, key("admin"), 5)


@pytest.mark.lab
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_no_request_of_very_many_is_a_5xx(site: Served, key: Callable[..., str]) -> None:
    """PostgreSQL refuses more than SQLite does: octets of 0, numbers too large."""
    explore(site, key("admin"), 100)
