"""One event of a provider's report, whose fields may be missing, or hold anything at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nurture.intake.feedback import notice as notices
from nurture.intake.feedback.diagnosis import brief, code_in, is_vague, status_in
from nurture.intake.feedback.notice import Notice, Token, UnreadableError
from nurture.intake.feedback.verp import mentioned

_MOST = 2000
_FIRST_YEAR = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Item:
    provider: str
    data: Any

    def get(self, *path: str | int) -> Any:
        """What stands at a path of names and places; None if nothing does."""
        found = self.data
        for each in path:
            if isinstance(each, str):
                found = found.get(each) if isinstance(found, dict) else None
            else:
                found = found[each] if isinstance(found, list) and len(found) > each else None
        return found

    def text(self, *path: str | int) -> str:
        """The same as text; empty where it is none."""
        found = self.get(*path)
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            return ""
        return str(found)[:_MOST]

    def tokens(self, *paths: tuple[str | int, ...]) -> tuple[Token, ...]:
        """Our tokens in these fields: the envelope sender, the Message-ID."""
        return tuple(token for path in paths for token in mentioned(self.text(*path)))

    def notice(
        self,
        told: notices.Told,
        *,
        id: str,  # noqa: A002 - as the notice calls it
        email: str,
        at: str = "",
        tokens: tuple[Token, ...] = (),
        why: str = "",
        text: str = "",
        code: int | None = None,
        enhanced: str | None = None,
    ) -> Notice:
        """Raises UnreadableError for what names no event or nobody."""
        if not id or not (email or tokens):
            raise UnreadableError("it does not say which event it is, or whom it is about")
        return Notice(
            told=told,
            id=hashlib.blake2b(f"{self.provider} {id}".encode("utf-8", "replace"), digest_size=16).hexdigest(),
            via=self.provider,
            tokens=tokens,
            code=code,
            enhanced=enhanced,
            text=text,
            recipient=email or None,
            email=email or None,
            at=instant(at),
            why=why,
        )

    def failed(self, said: str, *, cause: str | None = None, status: str = "", code: str = "", **about: Any) -> Notice:
        """It did not arrive. `said` are the receiving server's words, `cause` the status of what the provider says.

        The server's own status goes first, unless it says nothing.
        """
        enhanced = status_in(status)
        if enhanced is None or is_vague(enhanced):
            enhanced = status_in(said) or enhanced
        if cause is not None and (enhanced is None or is_vague(enhanced)):
            enhanced = cause
        return self.notice(
            notices.Told.FAILED,
            text=brief(said),
            code=code_in(f"{code} ") or code_in(said),
            enhanced=enhanced,
            **about,
        )

    def nothing(self, kind: str) -> Notice:
        """It concerns nobody."""
        return Notice(told=notices.Told.NOTHING, id="", via=self.provider, why=f"it only says: {brief(kind)[:50]}")


def instant(text: str) -> datetime | None:
    """Seconds since 1970, or ISO 8601; None for what is neither, or cannot be when a mail came back."""
    try:
        found = datetime.fromtimestamp(float(text), UTC) if text[:1].isdigit() and "-" not in text else None
        if found is None:
            found = datetime.fromisoformat(text)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found >= _FIRST_YEAR else None
