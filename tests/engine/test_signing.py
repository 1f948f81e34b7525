"""Where mails are signed: a slow key must not hold up the connections, a fast one needs no thread."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from nurture.engine.compose import Composer
from nurture.rendering.dkim import DkimSigner
from nurture.testing.house import House
from nurture.testing.smtp import ScriptedServer

PEOPLE = [f"person{number}@people.example" for number in range(12)]


class Watched(DkimSigner):
    """Signs, and remembers in which threads it did."""

    threads: ClassVar[set[threading.Thread]] = set()

    def sign(self, message: bytes, now: datetime, *, is_canonical: bool = False) -> bytes:
        self.threads.add(threading.current_thread())
        return super().sign(message, now, is_canonical=is_canonical)


def sent_with(build: Callable[..., House], key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> list[bytes]:
    """What arrives at the relay of mails to `PEOPLE`, signed with the key."""
    Watched.threads.clear()
    with ScriptedServer() as server:
        house = build(server=server)
        house.consenting(*PEOPLE)
        signer = Watched("northwind.example", "s1", key)
        house.app.composer = Composer(house.app.keyring, base_url="https://mail.northwind.example", signer=signer)
        for person in PEOPLE:
            house.tell("Signed Up", person)
        house.drain()
        assert not [line for line in house.journal.lines if line[0] == "error"]
        return [mail.data for mail in server.messages]


def verifies(raw: bytes, algorithm: str, public: bytes) -> bool:
    record = f"v=DKIM1; k={algorithm}; p={base64.b64encode(public).decode()}".encode()
    return bool(dkim.verify(raw, dnsfunc=lambda *_, **__: record))


def test_rsa_signs_beside_the_event_loop_and_every_signature_holds(build: Callable[..., House]) -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    arrived = sent_with(build, key)
    assert len(arrived) == len(PEOPLE)
    assert all(verifies(raw, "rsa", public) for raw in arrived)
    assert Watched.threads
    assert threading.main_thread() not in Watched.threads


def test_ed25519_signs_where_the_mail_is_built(build: Callable[..., House]) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    arrived = sent_with(build, key)
    assert len(arrived) == len(PEOPLE)
    assert all(verifies(raw, "ed25519", public) for raw in arrived)
    assert Watched.threads == {threading.main_thread()}
