"""E-mail addresses on the wire: domains as A-labels (IDNA 2008, RFC 5891), local parts as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import idna

from nurture.errors import NurtureError

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ASCII_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*\Z")
_WORD = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_FORBIDDEN_LOCAL = re.compile('[\x00-\x20\x7f-\xa0"(),:;<>@\\[\\\\\\]\u2028\u2029\ufeff\ud800-\udfff]')
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")


class AddressError(NurtureError):
    """Not an address that mail can be sent to."""


@dataclass(frozen=True, slots=True)
class WireAddress:
    """`needs_smtputf8`: the local part is not ASCII, so that every relay on the way must offer SMTPUTF8 (RFC 6531)."""

    local: str
    domain: str
    needs_smtputf8: bool = False

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


@lru_cache(maxsize=4096)
def ascii_domain(domain: str) -> str:
    """A domain as lower-case A-labels. Raises AddressError."""
    try:
        # The stdlib codec is IDNA 2003, where faß.de becomes fass.de: another domain.
        encoded = domain.lower() if domain.isascii() else idna.encode(domain.lower(), std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressError(f"{domain!r:.80} is not a domain name: {error}") from None
    labels = encoded.split(".")
    if len(encoded) > 253 or len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise AddressError(f"{domain!r:.80} is not a domain name")
    return encoded


@lru_cache(maxsize=1024)
def wire_address(address: str) -> WireAddress:
    """An address as SMTP and headers carry it. Raises AddressError; quoted local parts are refused."""
    local, at, domain = address.strip(" ").rpartition("@")
    if not at or not local:
        raise AddressError(f"{address!r:.80} is not an e-mail address")
    if len(local.encode("utf-8", "replace")) > 64:
        raise AddressError(f"{address!r:.80}: more than 64 octets before the @")
    if local.isascii():
        if not _ASCII_LOCAL.match(local):
            raise AddressError(f"{address!r:.80} has signs before the @ that we do not send to")
        return WireAddress(local, ascii_domain(domain))
    if _FORBIDDEN_LOCAL.search(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise AddressError(f"{address!r:.80} has signs before the @ that we do not send to")
    return WireAddress(local, ascii_domain(domain), needs_smtputf8=True)


def is_plain_phrase(name: str) -> bool:
    """A display name that needs no quotes: atoms with single blanks between them (RFC 5322 section 3.2.5)."""
    return _WORD.match(name) is not None
