"""The dead man's switch: somebody outside is told every minute that all is well, and notices when nobody tells.

The convention is that of healthchecks.io and its kin: a GET of the address for well, of the address + `/fail` for not.
"""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from urllib.parse import urlsplit, urlunsplit

TIMEOUT = 10.0


class DeadManSwitch:
    """`url` is a secret: who has it can say that all is well. It never comes into a log."""

    def __init__(self, url: str) -> None:
        self._well = url
        parts = urlsplit(url)
        self._ill = urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/fail"))

    async def tell(self, *, well: bool) -> str | None:
        """None once it was heard; else why not. Never raises for what the other side does."""
        return await asyncio.to_thread(_get, self._well if well else self._ill)


def _get(url: str) -> str | None:
    request = urllib.request.Request(url, headers={"User-Agent": "nurture"})  # noqa: S310 - http(s), by the setting
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            return None if 200 <= response.status < 300 else f"answered {response.status}"
    except urllib.error.HTTPError as error:
        error.close()
        return f"answered {error.code}"
    except (OSError, ValueError) as error:
        return type(error).__name__
