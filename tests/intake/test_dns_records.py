"""What a domain publishes, asked of a real name server on this machine, and what the doctor makes of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from nurture.engine.doctor import Health, check_domain
from nurture.intake.dns_records import Records, records_of

PUBLISHED = {
    "shop.example.": ['"v=spf1 include:relay.example -all"', '"another text"'],
    "mail.shop.example.": ['"v=spf1 " "include:relay.example ~all"'],
    "_dmarc.shop.example.": ['"v=DMARC1; p=quarantine"'],
    "one._domainkey.shop.example.": ['"v=DKIM1; k=rsa; p=MIIB"'],
    "twice.example.": ['"v=spf1 -all"', '"v=spf1 ~all"'],
    "open.example.": ['"v=spf1 +all"'],
}


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    """A name server that knows what is PUBLISHED, and refuses to speak of broken.example."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        stop = threading.Event()
        thread = threading.Thread(target=_answer, args=(sock, stop))
        thread.start()
        yield sock.getsockname()
        stop.set()
        thread.join()


def _answer(sock: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            data, client = sock.recvfrom(4096)
        except TimeoutError:
            continue
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text()
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if "broken.example" in name:
            response.set_rcode(dns.rcode.REFUSED)
        elif name in PUBLISHED:
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *PUBLISHED[name]))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        sock.sendto(response.to_wire(), client)


def test_what_a_domain_publishes_is_found(server: tuple[str, int]) -> None:
    assert records_of("shop.example", "one", "shop.example", server=server) == Records(
        spf=("v=spf1 include:relay.example -all",), dkim=("v=DKIM1; k=rsa; p=MIIB",), dmarc=("v=DMARC1; p=quarantine",)
    )


def test_a_record_in_pieces_is_one_and_a_policy_holds_for_what_is_below(server: tuple[str, int]) -> None:
    found = records_of("mail.shop.example", server=server)
    assert found.spf == ("v=spf1 include:relay.example ~all",)
    assert found.dmarc == ("v=DMARC1; p=quarantine",)


def test_a_name_server_that_does_not_answer_is_no_verdict(server: tuple[str, int]) -> None:
    found = records_of("broken.example", server=server)
    assert found.unanswered.startswith("no name server answered about broken.example")
    (checkup,) = check_domain("broken.example", found, None, None)
    assert checkup.health is Health.CAREFUL


@pytest.mark.parametrize(
    ("domain", "selector", "health"),
    [
        ("shop.example", "one", {"SPF": "good", "DKIM": "good", "DMARC": "good"}),
        ("shop.example", "two", {"SPF": "good", "DKIM": "bad", "DMARC": "good"}),
        ("shop.example", None, {"SPF": "good", "DKIM": "careful", "DMARC": "good"}),
        ("twice.example", None, {"SPF": "bad", "DKIM": "careful", "DMARC": "bad"}),
        ("open.example", None, {"SPF": "bad", "DKIM": "careful", "DMARC": "bad"}),
        ("nothing.example", None, {"SPF": "bad", "DKIM": "careful", "DMARC": "bad"}),
    ],
)
def test_the_doctor_judges_what_receivers_will_see(
    server: tuple[str, int], domain: str, selector: str | None, health: dict[str, str]
) -> None:
    signs_for = domain if selector is not None else None
    found = records_of(domain, selector, signs_for, server=server)
    checkups = check_domain(domain, found, selector, signs_for)
    assert {one.name: one.health.value for one in checkups} == health
    assert all(one.fix for one in checkups if one.health is not Health.GOOD)
