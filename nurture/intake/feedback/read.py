"""One mail of the feedback mailbox as a notice: a bounce, a complaint, an unsubscribe, or nothing that concerns us."""

from __future__ import annotations

from dataclasses import replace

from nurture.domain.tokens import Purpose
from nurture.intake.feedback.arf import read_arf
from nurture.intake.feedback.dsn import read_dsn, read_odd_bounce
from nurture.intake.feedback.mail import Mail, read_mail
from nurture.intake.feedback.notice import Notice, Token, Told, UnreadableError
from nurture.intake.feedback.verp import addressed, mentioned

_REPLIES = ("auto-replied",)


def read_feedback(raw: bytes, recipient: str | None = None) -> Notice:
    """What a mail says. `recipient` is the address it came to, where the caller knows (a pipe does).

    If it came to one of our own kinds of address, only the token there counts: whoever alters it is refused, whatever
    else the mail mentions. Raises UnreadableError.
    """
    mail = read_mail(raw)
    direct = _direct(mail, recipient)
    tokens = direct or tuple(mentioned(mail.text))
    complaint = read_arf(mail, tokens)
    if complaint is not None:
        return complaint
    returned = read_dsn(mail, tokens)
    if returned is None and not (direct and direct[0].purpose is Purpose.UNSUBSCRIBE):
        returned = read_odd_bounce(mail, tokens)
    if returned is not None:
        return _only(returned, direct)
    if direct and direct[0].purpose is Purpose.UNSUBSCRIBE:
        return _unsubscribe(mail, direct)
    return Notice(told=Told.NOTHING, id=mail.id, via="mail", tokens=tokens, why="neither a bounce nor a complaint")


def _direct(mail: Mail, recipient: str | None) -> tuple[Token, ...]:
    """The token of the address it came to: as the caller says, else as the first header that names such an address."""
    for address in [recipient] if recipient else mail.recipients():
        found = tuple(addressed([address]))
        if found:
            return found[:1]
    return ()


def _only(notice: Notice, direct: tuple[Token, ...]) -> Notice:
    return replace(notice, tokens=direct) if direct else notice


def _unsubscribe(mail: Mail, direct: tuple[Token, ...]) -> Notice:
    """The mailto: of List-Unsubscribe (RFC 2369): that it was sent is what it says."""
    if mail.header("auto-submitted").lower().partition(";")[0].strip() in _REPLIES:
        return Notice(told=Told.NOTHING, id=mail.id, via="mail", tokens=direct, why="an automatic answer")
    return Notice(told=Told.UNSUBSCRIBE, id=mail.id, via="mail", tokens=direct)


__all__ = ["UnreadableError", "read_feedback"]
