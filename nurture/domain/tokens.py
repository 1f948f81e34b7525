"""Tokens in links, return paths and Message-IDs: opaque, deterministic, authenticated.

A token says (contact id, seq) to us and nothing to anybody else. The construction is SIV (RFC 5297's idea, on keyed
BLAKE2b, RFC 7693): the 128-bit MAC of the plain ids is also the nonce of the key stream that hides them. The same ids
give the same token for ever, two tokens of one person cannot be linked, and nothing can be forged or altered.
Every purpose has its own derived keys: an unsubscribe token opens no preference page. Tokens do not expire.

Layout, 32 octets: version (1) | MAC (16) | hidden contact id (8) | hidden seq (7).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from enum import StrEnum
from hmac import compare_digest

MIN_SECRET = 16
_VERSION = b"\x01"
_LINK_CHARS = 43
_MAILBOX_CHARS = 52  # with `unsubscribe+` before it, a local part of 64 octets
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(first + second for first in _BASE32 for second in _BASE32)
_MAX_ID = (1 << 63) - 1
_MAX_SEQ = (1 << 56) - 1


class Purpose(StrEnum):
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    VIEW = "view"
    CLICK = "click"
    OPEN = "open"
    OPT_IN = "opt-in"
    ANSWER = "answer"
    SIGN_UP = "sign-up"
    RETURN_PATH = "return-path"
    MESSAGE_ID = "message-id"


class _Keys:
    """The two keyed hashes of one secret for one purpose; each use goes on from a copy, which is quicker than a key."""

    __slots__ = ("_hide", "_mac")

    def __init__(self, secret: str, purpose: Purpose) -> None:
        root = hashlib.blake2b(secret.encode(), digest_size=64, person=b"nurture.root").digest()
        mac = hashlib.blake2b(f"mac {purpose}".encode(), key=root, digest_size=32).digest()
        hide = hashlib.blake2b(f"hide {purpose}".encode(), key=root, digest_size=32).digest()
        self._mac = hashlib.blake2b(_VERSION, key=mac, digest_size=16)
        self._hide = hashlib.blake2b(key=hide, digest_size=15)

    def tag(self, ids: bytes) -> bytes:
        hashed = self._mac.copy()
        hashed.update(ids)
        return hashed.digest()

    def masked(self, tag: bytes, ids: bytes) -> bytes:
        hashed = self._hide.copy()
        hashed.update(tag)
        return (int.from_bytes(ids) ^ int.from_bytes(hashed.digest())).to_bytes(15)


class Keyring:
    """Makes and reads tokens. The first secret signs, all of them verify, so that a secret can be rotated in."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("a keyring needs at least one secret")
        if short := [n for n, secret in enumerate(secrets, 1) if len(secret) < MIN_SECRET]:
            numbers = ", ".join(map(str, short))
            raise ValueError(f"secret {numbers} of the keyring has fewer than {MIN_SECRET} characters")
        self._keys = {purpose: tuple(_Keys(secret, purpose) for secret in secrets) for purpose in Purpose}
        self._sealed: dict[Purpose, tuple[int, int, bytes]] = {}  # the last of each: some stand in a mail twice

    def __repr__(self) -> str:
        return f"Keyring({len(self._keys[Purpose.VIEW])} secrets)"

    def token(self, purpose: Purpose, contact_id: int, seq: int) -> str:
        """43 characters of base64url (RFC 4648 section 5): for links. Case matters."""
        return base64.urlsafe_b64encode(self._seal(purpose, contact_id, seq)).decode().rstrip("=")

    def mailbox_token(self, purpose: Purpose, contact_id: int, seq: int) -> str:
        """52 characters of lower-case base32 (RFC 4648 section 6): for local parts, whose case relays may change."""
        bits = int.from_bytes(self._seal(purpose, contact_id, seq)) << 4  # 256 bits and 4 of padding: 52 characters
        return "".join([_PAIRS[(bits >> shift) & 1023] for shift in range(250, -1, -10)])

    def read(self, purpose: Purpose, token: str) -> tuple[int, int] | None:
        """(contact id, seq) of a token of either alphabet; None if it is not ours or of another purpose.

        Every secret is tried for every well-formed token, so that time tells nothing about which one fits.
        """
        sealed = _decoded(token)
        if sealed is None or sealed[:1] != _VERSION:
            return None
        tag, hidden = sealed[1:17], sealed[17:]
        found: bytes | None = None
        for keys in self._keys[purpose]:
            ids = keys.masked(tag, hidden)
            if compare_digest(keys.tag(ids), tag):
                found = ids
        return (int.from_bytes(found[:8]), int.from_bytes(found[8:])) if found is not None else None

    def _seal(self, purpose: Purpose, contact_id: int, seq: int) -> bytes:
        last = self._sealed.get(purpose)
        if last is not None and last[0] == contact_id and last[1] == seq:
            return last[2]
        if not (0 <= contact_id <= _MAX_ID and 0 <= seq <= _MAX_SEQ):
            raise ValueError(
                f"no token for contact {contact_id}, seq {seq}: they must be between 0 and 2^63 - 1 (2^56 - 1)"
            )
        ids = contact_id.to_bytes(8) + seq.to_bytes(7)
        keys = self._keys[purpose][0]
        tag = keys.tag(ids)
        sealed = _VERSION + tag + keys.masked(tag, ids)
        self._sealed[purpose] = contact_id, seq, sealed
        return sealed


def _decoded(token: str) -> bytes | None:
    """32 octets, or None. Only the one canonical spelling of an alphabet is read (mailbox tokens in any case)."""
    try:
        if len(token) == _LINK_CHARS:
            sealed = base64.b64decode(token.encode("ascii") + b"=", altchars=b"-_", validate=True)
            return sealed if base64.urlsafe_b64encode(sealed).decode().rstrip("=") == token else None
        if len(token) == _MAILBOX_CHARS:
            sealed = base64.b32decode(token.upper().encode("ascii") + b"====")
            return sealed if base64.b32encode(sealed).decode().rstrip("=") == token.upper() else None
    except (binascii.Error, UnicodeEncodeError):
        return None
    return None
