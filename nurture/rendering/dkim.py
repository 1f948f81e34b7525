"""DKIM signatures (RFC 6376, RFC 8463), relaxed/relaxed, over the octets that are sent.

Optional: most relays sign. From, To, Subject, Date, Reply-To and the unsubscribe fields are oversigned: named once more
than they occur, so that nobody can add a second one on the way.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from nurture.errors import ConfigurationError
from nurture.rendering.addresses import ascii_domain

SIGNED = (
    "from", "to", "subject", "date", "reply-to", "message-id", "mime-version", "content-type", "list-unsubscribe",
    "list-unsubscribe-post", "list-id", "feedback-id",
)  # fmt: skip
OVERSIGNED = ("from", "to", "subject", "date", "reply-to", "list-unsubscribe", "list-unsubscribe-post")
MIN_RSA_BITS = 2048

_RUNS = re.compile(rb"[ \t]+")
_LINE_BLANKS = re.compile(rb"[ \t]+(?=\r\n)")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_SELECTOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class DkimSigner:
    """Signs for `domain` with the key published under `selector`."""

    domain: str
    selector: str
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

    @classmethod
    def from_pem(cls, domain: str, selector: str, pem: bytes, password: bytes | None = None) -> DkimSigner:
        """A signer from a private key file: RSA of 2048 bits or more, or Ed25519. Raises ConfigurationError."""
        try:
            key = serialization.load_pem_private_key(pem, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(f"the DKIM key cannot be read as a PEM private key: {error}") from None
        if isinstance(key, rsa.RSAPrivateKey):
            if key.key_size < MIN_RSA_BITS:
                raise ConfigurationError(f"the DKIM key has {key.key_size} bits; receivers want 2048 or more")
        elif not isinstance(key, ed25519.Ed25519PrivateKey):
            raise ConfigurationError("the DKIM key must be an RSA or an Ed25519 key")
        if not _SELECTOR.match(selector):
            raise ConfigurationError(f"{selector!r} is not a DKIM selector")
        return cls(ascii_domain(domain), selector, key)

    @property
    def is_slow(self) -> bool:
        """RSA takes longer than building the mail, and lets other threads run meanwhile; Ed25519 is quickly done."""
        return isinstance(self.key, rsa.RSAPrivateKey)

    def sign(self, message: bytes, now: datetime, *, is_canonical: bool = False) -> bytes:
        """The DKIM-Signature field of a message with CRLF line ends; to be sent before it.

        `is_canonical`: the body is its own relaxed form, but for empty lines at its end, as what `encoding` writes is.
        """
        head, _, body = message.partition(b"\r\n\r\n")
        fields = _fields(head + b"\r\n")
        names, signed = _chosen(fields)
        algorithm = "rsa-sha256" if isinstance(self.key, rsa.RSAPrivateKey) else "ed25519-sha256"
        digest = base64.b64encode(
            hashlib.sha256(_closed(body) if is_canonical else relaxed_body(body)).digest()
        ).decode()
        value = (
            f"v=1; a={algorithm}; c=relaxed/relaxed; d={self.domain}; s={self.selector};\r\n"
            f" t={int(now.timestamp())}; h={_folded(tuple(names))};\r\n bh={digest};\r\n b="
        )
        covered = signed + b"dkim-signature:" + value.replace("\r\n ", " ").encode()
        signature = base64.b64encode(self._signed(covered)).decode()
        lines = "\r\n ".join(signature[at : at + 72] for at in range(0, len(signature), 72))
        return f"DKIM-Signature: {value}{lines}\r\n".encode()

    def _signed(self, data: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(hashlib.sha256(data).digest())  # RFC 8463: PureEdDSA over the hash


def load_signer(key_file: Path, domain: str, selector: str) -> DkimSigner:
    """The signer of a key on disk. Raises ConfigurationError."""
    try:
        pem = key_file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the DKIM key {key_file} cannot be read: {error.strerror}") from None
    return DkimSigner.from_pem(domain, selector, pem)


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4. Bodies built here are in this form already; others are brought into it."""
    if b"  " in body or b"\t" in body:
        body = _RUNS.sub(b" ", body)
    if b" \r\n" in body:
        body = _LINE_BLANKS.sub(b"", body)
    return _closed(body)


def _closed(body: bytes) -> bytes:
    """Without empty lines at its end."""
    if body.endswith(b"\r\n") and body[-4:] != b"\r\n\r\n" and len(body) > 2:
        return body
    stripped = body.rstrip(b"\r\n")
    return stripped + b"\r\n" if stripped else b""


def relaxed_value(value: bytes) -> bytes:
    """The value of a field by RFC 6376 section 3.4.2: unfolded, blanks collapsed, none at the ends."""
    if b"  " not in value and b"\t" not in value and b"\n" not in value:
        return value.strip(b" ")
    return _RUNS.sub(b" ", _FOLD.sub(b"", value)).strip(b" \r\n")


def _fields(head: bytes) -> dict[str, list[bytes]]:
    """Lower-case name -> values of the header fields of that name."""
    fields: dict[str, list[bytes]] = {}
    for line in _FOLD.sub(b"", head).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(name.strip().decode("ascii").lower(), []).append(value)
    return fields


def _chosen(fields: Mapping[str, Sequence[bytes]]) -> tuple[list[str], bytes]:
    """The names for h=, and the canonical fields they cover, the last of several first (section 5.4.2)."""
    names: list[str] = []
    covered: list[bytes] = []
    for name in SIGNED:
        for value in reversed(fields.get(name, ())):
            names.append(name)
            covered.append(name.encode() + b":" + relaxed_value(value) + b"\r\n")
        if name in OVERSIGNED:
            names.append(name)
    return names, b"".join(covered)


@lru_cache(maxsize=64)
def _folded(names: tuple[str, ...]) -> str:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > 66:
            lines.append("")
        lines[-1] += name + ":"
    return "\r\n ".join(lines).rstrip(":")
