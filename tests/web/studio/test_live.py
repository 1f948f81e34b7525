"""The studio that acts: saves are applied, events lead to mails, nothing leaves the machine."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor

import httpx

from nurture.daemon.service import Service
from nurture.settings import Delivery
from nurture.testing.house import sources
from nurture.testing.processes import until
from nurture.web.studio.live import Live, Workbench
from tests.web.studio.conftest import CAMPAIGN

HELLO = sources(CAMPAIGN.replace("steps:\n", "steps:\n  - {id: first, send: hello}\n"))["campaigns/0.yaml"]


def test_a_save_is_applied_an_event_becomes_a_mail_and_what_needs_a_yes_waits_for_it(studio_of) -> None:
    studio = studio_of(delivery="smtp", smtp_url="smtp://127.0.0.1:9")
    studio.write("campaigns/0.yaml", HELLO)
    bench = Workbench(studio.house.app)
    bench.journal = studio.house.journal
    assert bench.settings.delivery is Delivery.INBOX

    def work(address: str) -> None:
        with httpx.Client(base_url=f"http://{address}/studio", timeout=10) as client:

            def says(path: str, text: str) -> None:
                until(lambda: text in client.get(path).text, 30, text)

            says("/inbox", "Revision 1 holds: these files")
            token = {"X-Studio-Token": client.get("/mails").text.partition('data-token="')[2].partition('"')[0]}
            nobody = client.post("/event", data={"who": "x", "event": "Signed Up"}, headers=token)
            assert "bad" in nobody.text
            answer = client.post("/event", data={"who": "ana", "event": "Signed Up"}, headers=token)
            assert "Signed Up happened to ana@people.example" in answer.text
            says("/inbox", "<span>to ana@people.example</span>")
            studio.write("campaigns/0.yaml", HELLO.replace("2 days", "3 days"))
            says("/applied", "Revision 2 holds: these files")
            studio.write("campaigns/0.yaml", "nonsense")
            says("/applied", "Revision 2 holds: the files have mistakes")
            studio.write("campaigns/0.yaml", HELLO.replace("id: first", "id: greeting"))
            says("/applied", "Apply it all the same")
            assert "Revision 3 holds: these files" in client.post("/applied", headers=token).text

    with ThreadPoolExecutor(1) as beside:
        looked: list[Future[None]] = []

        def opened(address: str) -> None:
            looked.append(beside.submit(work, address))
            looked[0].add_done_callback(lambda _: os.kill(os.getpid(), signal.SIGINT))

        live = Live(bench, 0, opened)
        assert live.bring_up().well
        bench.require_ready()
        asyncio.run(Service(bench, grace=1, companions=[live]).run())
        looked[0].result()
    bench.close()


def test_a_studio_that_only_looks_takes_no_events(studio) -> None:
    assert studio.post("/studio/event", who="ana", event="Signed Up").status_code == 404
    assert 'id="applied"' not in studio.text("/studio/inbox")
