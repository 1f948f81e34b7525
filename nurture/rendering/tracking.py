"""Links whose clicks are seen, and the picture by which a mail that is opened is seen.

A link is known by its label, a short hash of where it leads: made when the template is compiled, or when a value is
printed. It is no secret and needs no MAC: the token before it names the mail, and a label is only ever looked up among
the links of that mail, rendered again. So no address leads elsewhere than a link of the mail did.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from nurture.rendering.inlining import Inlined
from nurture.rendering.segments import Kind, Segment

CLICK_PREFIX, OPEN_URL = "click__", "open__"  # names in the data of a tracked mail
_LINK = re.compile(r'(<a\b[^>]*?\shref=")([^"]*)(?=")', re.IGNORECASE)
_OURS = re.compile(r"\b(?:unsubscribe|preferences|view|answer)_url\b")
_WEB = re.compile(r"https?://[^\s\\@\x00-\x1f\x7f]+\Z", re.IGNORECASE)


def tracked_parts(inlined: Inlined, *, clicks: bool, opens: bool) -> list[str | Segment]:
    """Static texts and tags of a document whose links lead over us, if `clicks`; with a picture of ours, if `opens`."""
    parts: list[str | Segment] = []
    picture: list[str | Segment]
    document, at = inlined.document, 0
    end = document.lower().rfind("</body") if opens else -1
    for found in _LINK.finditer(document) if clicks else ():
        link = _link(inlined.mask.split(found[2]))
        if link:
            parts += [*inlined.mask.split(document[at : found.start(2)]), *link]
            at = found.end(2)
    if opens and end >= at:
        picture = ['<img src="', _tag(OPEN_URL), '" width="1" height="1" alt="" style="display:block">']
        parts += [*inlined.mask.split(document[at:end]), *picture]
        at = end
    return [*inlined.before, *parts, *inlined.mask.split(document[at:]), *inlined.after]


def _link(value: Sequence[str | Segment]) -> list[str | Segment]:
    """What stands in place of an address; empty where it stays as it is."""
    tags = [part for part in value if isinstance(part, Segment)]
    if not value or any(tag.kind is not Kind.PRINT or _OURS.search(tag.source) for tag in tags):
        return []
    texts = [html.unescape(part) for part in value if not isinstance(part, Segment)]
    if not tags:
        return [_tag(CLICK_PREFIX), label_of(texts[0])] if may_lead(texts[0]) else []
    if not isinstance(value[0], Segment) and not texts[0].startswith(("http://", "https://")):
        return []
    listed = ", ".join(f"({p.source})" if isinstance(p, Segment) else ascii(html.unescape(p)) for p in value)
    return [tags[0].with_source(f"[{listed}] | tracked__({CLICK_PREFIX})")]


def _tag(source: str) -> Segment:
    return Segment(Kind.PRINT, source, "", 0)


@lru_cache(maxsize=4096)
def label_of(url: str) -> str:
    """Eight characters of base64url."""
    return base64.urlsafe_b64encode(hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=6).digest()).decode()


def may_lead(url: str) -> bool:
    """An absolute address of the web, without credentials, blanks, controls or backslashes."""
    if _WEB.match(url) is None:
        return False
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def targets(document: str) -> dict[str, str]:
    """Label -> address of all links of a rendered mail that may lead somewhere."""
    found = (html.unescape(link[2]) for link in _LINK.finditer(document))
    return {label_of(url): url for url in found if may_lead(url)}
