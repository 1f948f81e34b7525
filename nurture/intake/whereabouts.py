"""Where somebody lives and what she reads, as other systems write it: a time zone and a locale, or nothing."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any
from zoneinfo import available_timezones

_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,2}\Z")


def known_zone(value: Any) -> str | None:
    """A zone's proper name; HubSpot writes `europe_slash_helsinki`. What is no zone is left out."""
    return _zone(value) if isinstance(value, str) else None


@lru_cache(maxsize=10_000)
def _zone(value: str) -> str | None:
    return _zones().get(value.strip().replace("_slash_", "/").replace(" ", "_").casefold())


def known_locale(value: Any) -> str | None:
    """`pt_BR` and `pt-BR` as `pt-BR`. What is no locale is left out."""
    text = value.strip() if isinstance(value, str) else ""
    return text.replace("_", "-") if _LOCALE.match(text) else None


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}
