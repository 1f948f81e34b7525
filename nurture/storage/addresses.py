"""Mail addresses as keys: one person, one key, however she writes it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

import idna

_PLAIN = re.compile(r"[!-?A-~]+@[A-Za-z0-9.-]*[A-Za-z0-9]").fullmatch


def canonical(email: str) -> str:
    """The key of an address: NFC, the domain as A-labels in lower case, the local part case-folded.

    Only for comparing: mail goes to the address as given. Raises ValueError for what is no address at all.
    """
    if _PLAIN(email):  # most of a million lines of an import
        return email.lower()
    text = unicodedata.normalize("NFC", email.strip())
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or any(ch.isspace() or ord(ch) < 32 for ch in text):
        raise ValueError(f"{email!r} is not a mail address")
    return f"{unicodedata.normalize('NFC', local.casefold())}@{a_label(domain)}"


def a_label(domain: str) -> str:
    """The domain in lower-case ASCII. What IDNA refuses (underscores, say) stays as it is, in lower case."""
    lowered = domain.rstrip(".").lower()
    if lowered.isascii():
        return lowered
    try:
        return idna.encode(lowered, uts46=True).decode("ascii")
    except idna.IDNAError:
        return lowered


def domain_of(key: str) -> str:
    """The domain of a canonical address."""
    return key.rpartition("@")[2]


def address_hash(secret: str, key: str) -> str:
    """Keyed BLAKE2b of a canonical address (RFC 7693): what a suppression remembers of an erased person."""
    hasher = _keyed(secret).copy()
    hasher.update(key.encode())
    return hasher.hexdigest()


@lru_cache(maxsize=4)
def _keyed(secret: str) -> hashlib.blake2b:
    raw = secret.encode()
    return hashlib.blake2b(key=raw if len(raw) <= 64 else hashlib.blake2b(raw).digest(), digest_size=20)
