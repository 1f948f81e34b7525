"""A mail that is ready for the wire, and the proof that its bytes are safe there."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNSAFE_IN_PATH = re.compile(r"[\x00-\x20\x7f-\x9f<>\u2028\u2029\ud800-\udfff]")
_XTEXT = re.compile(r"[!-*,-<>-~]*\Z")
MAX_ADDRESS = 254


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One mail to one recipient. Domains are A-labels; `data` is the whole message, CRLF only, not yet dot-stuffed.

    `envid` names this mail in delivery status notifications (RFC 3461). `is_canonical`: made by our own encoder, which
    writes CRLF only, no NUL, no dot that begins a line, and a line end at the end; looking again would cost more than
    sending it.
    """

    envelope_sender: str
    recipient: str
    data: bytes
    envid: str | None = None
    needs_smtputf8: bool = False
    is_canonical: bool = False

    @property
    def content(self) -> bytes:
        """What follows the server's 354."""
        return self.data + b".\r\n" if self.is_canonical else dot_stuffed(self.data)


def fault_of(mail: OutgoingMail) -> str | None:
    """Why this mail must not go on the wire, None if it may. Nothing is repaired: the bytes may be signed."""
    for name, address in (("sender", mail.envelope_sender), ("recipient", mail.recipient)):
        problem = _address_fault(address, utf8=mail.needs_smtputf8)
        if problem is not None:
            return f"the envelope {name} {problem}"
    if not mail.data:
        return "the message is empty"
    if not mail.is_canonical and not is_crlf_only(mail.data):
        return "the message has a bare CR or LF, or a NUL; build it with CRLF line ends only"
    return None


def _address_fault(address: str, *, utf8: bool) -> str | None:
    local, _, domain = address.rpartition("@")
    if not local or not domain:
        return "is not an address"
    if _UNSAFE_IN_PATH.search(address):
        return "holds a character that is not allowed in an envelope"
    if not domain.isascii():
        return "has a domain that is not in its ASCII form (A-label)"
    if not local.isascii() and not utf8:
        return "has a local part beyond ASCII, and the mail is not marked as needing SMTPUTF8"
    if len(address.encode()) > MAX_ADDRESS:
        return f"is longer than {MAX_ADDRESS} octets"
    return None


def is_crlf_only(data: bytes) -> bool:
    """Every CR and LF stands in a pair, and there is no NUL: nothing in it can end the mail early."""
    pairs = data.count(b"\r\n")
    return pairs == data.count(b"\n") == data.count(b"\r") and b"\0" not in data


def dot_stuffed(data: bytes) -> bytes:
    """The content as DATA wants it (RFC 5321 4.5.2): a dot that begins a line is doubled, CRLF.CRLF ends it."""
    stuffed = data.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


def xtext(value: str) -> str:
    """RFC 3461 4: printable ASCII but `+` and `=`, the rest as `+XX`."""
    if _XTEXT.match(value):
        return value
    return "".join(chr(o) if 33 <= o <= 126 and o not in b"+=" else f"+{o:02X}" for o in value.encode())
