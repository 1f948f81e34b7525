"""Clicks and opens: whose may be seen at all, which are a person's, and what of them stands in the ledger.

Most of what follows links and loads pictures is no person: gateways that look for malware, proxies that fetch for
everybody. That traffic is kept apart under names that nothing can be made to depend on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.domain.contact import Contact

CLICKED = "Email Clicked"  # as Segment calls it: campaigns may go on, stop or reach their goal by it
OPENED = "nurture.opened"
CLICKED_BY_MACHINE, OPENED_BY_MACHINE = "nurture.clicked_by_machine", "nurture.opened_by_machine"
CHOSEN = "nurture.tracking_chosen"  # on her own page: `allowed`, true or false
# What no campaign may ask for: machines, and opens, which are mostly machines' and never known to be read.
FACTS_ONLY = frozenset({OPENED, CLICKED_BY_MACHINE, OPENED_BY_MACHINE})

TRACKED = FACTS_ONLY | {CLICKED}

CLICK_TOO_SOON, OPEN_TOO_SOON = timedelta(seconds=5), timedelta(seconds=2)  # after it was sent
MANY_LINKS, AT_ONCE = 3, timedelta(seconds=2)

_MACHINES = re.compile(
    r"bot\b|crawl|spider|scan|preview|prefetch|proxy|monitor|headless|python|curl|wget|java/|go-http|okhttp|libwww|perl"
    r"|ruby|node|axios|http-?client|barracuda|proofpoint|mimecast|symantec|forcepoint|fireeye|trend ?micro|sophos"
    r"|avanan|cisco|ironport|safelinks|facebookexternalhit|whatsapp|slack|telegram|skype|discord",
    re.IGNORECASE,
)
# Mail Privacy Protection of Apple loads every picture, and says no more of itself than this.
_APPLES_PROXY = "Mozilla/5.0"


@dataclass(frozen=True, slots=True)
class Tracking:
    """What a project wants to see, and the attribute that must be true of a person for it."""

    clicks: bool
    opens: bool
    consent: str

    def of(self, contact: Contact) -> bool:
        """Whether she said yes to it."""
        return contact.attributes.get(self.consent) is True


@dataclass(frozen=True, slots=True)
class Hit:
    """One request for a link (its label) or for the picture (None).

    `target` is where the link leads, `prefetch` whether the request says that it fetches ahead.
    """

    contact_id: int
    seq: int
    at: datetime
    label: str | None
    agent: str
    target: str = ""
    is_head: bool = False
    prefetch: bool = False


def machine(hit: Hit, others: Sequence[Hit], sent_at: datetime | None) -> str | None:
    """Why this was no person, as far as can be seen; None if it may have been one. `others`: what came around it."""
    if hit.is_head:
        return "it asked for the head only"
    if hit.prefetch:
        return "it fetched ahead"
    if not hit.agent or hit.agent.strip() == _APPLES_PROXY or _MACHINES.search(hit.agent):
        return "it says so, or does not say what it is"
    too_soon = OPEN_TOO_SOON if hit.label is None else CLICK_TOO_SOON
    if sent_at is None or hit.at < sent_at + too_soon:
        return "it came before anybody could have read the mail"
    around = {each.label for each in others if each.label is not None and abs(each.at - hit.at) <= AT_ONCE}
    if hit.label is not None and len(around | {hit.label}) >= MANY_LINKS:
        return "it followed many links at once"
    return None
