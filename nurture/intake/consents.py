"""What a cell of a contact file says about mail: yes, no, nothing, or that an address must not be written to.

Where several cells speak of one person the strongest no counts: a file never turns a no into a yes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from typing import Any

from nurture.domain.contact import Consent, SuppressionReason
from nurture.domain.frozen import frozen
from nurture.intake.origins import Target

_GRANTED = {"subscribed", "granted", "yes", "true", "1", "opted in", "opted_in", "enabled", "confirmed", "active"}
_WITHDRAWN = {"unsubscribed", "withdrawn", "no", "false", "0", "opted out", "opted_out", "optedout"}
_NONE = {"", "never subscribed", "never_subscribed", "none", "unconfirmed", "pending", "non-subscribed", "unknown",
         "transactional", "archived", "disabled"}  # fmt: skip
_SUPPRESSED = {
    "cleaned": SuppressionReason.BOUNCED,
    "bounced": SuppressionReason.BOUNCED,
    "blocklisted": SuppressionReason.MANUAL,
    "suppressed": SuppressionReason.MANUAL,
    "complained": SuppressionReason.COMPLAINED,
    "spam": SuppressionReason.COMPLAINED,
}
_NOTHING = {"", "no", "false", "0", "none", "null", "never", "[]", "{}", "n/a", "not suppressed", "not quarantined"}


@frozen
class Said:
    """`consent` None: nothing was said."""

    consent: Consent | None = None
    suppressed: SuppressionReason | None = None


NOTHING_SAID = Said()
_OPTED_OUT = Said(Consent.WITHDRAWN)
_WEIGHT = {None: 0, Consent.GRANTED: 1, Consent.NONE: 2, Consent.WITHDRAWN: 3}


def strongest(one: Said, other: Said) -> Said:
    """Both together: a reason not to write stays, and of two words about consent the more cautious one counts."""
    consent = max(one.consent, other.consent, key=_WEIGHT.__getitem__)
    return Said(consent, one.suppressed or other.suppressed)


def status_of(value: str) -> Said:
    """A cell in a column of consents. Raises ValueError."""
    word = value.casefold()
    if word in _SUPPRESSED:
        return Said(suppressed=_SUPPRESSED[word])
    for words, consent in ((_GRANTED, Consent.GRANTED), (_WITHDRAWN, Consent.WITHDRAWN), (_NONE, Consent.NONE)):
        if word in words:
            return Said(consent)
    raise ValueError(f"consent is not understood; write subscribed, unsubscribed or none\n{value}")


def no_of(target: Target, value: str) -> Said:
    """A cell in a column that only says no: whatever does not say that there is nothing is a reason not to write."""
    word = value.casefold()
    if word in _NOTHING:
        return NOTHING_SAID
    if target is Target.OPTED_OUT:
        return _OPTED_OUT
    if target is Target.BOUNCED or any(each in word for each in ("bounce", "invalid", "cleaned")):
        return Said(suppressed=SuppressionReason.BOUNCED)
    if "spam" in word or "compl" in word:
        return Said(suppressed=SuppressionReason.COMPLAINED)
    return _OPTED_OUT if "unsub" in word else Said(suppressed=SuppressionReason.MANUAL)


def lists_in(value: str) -> tuple[list[str], Said | None]:
    """Lists as listmonk has them of a subscriber: those she is on, and what they say together, None if nothing.

    As JSON with a `subscription_status` each: unsubscribed everywhere is a no; confirmed anywhere is a yes, and so is
    unconfirmed where a list asks for no confirmation. Else names alone. Raises ValueError.
    """
    if not value.startswith("["):
        return words_in(value), None
    try:
        entries = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"lists are not JSON\n{value[:40]}") from None
    on = [each for each in entries if isinstance(each, dict) and each.get("subscription_status") != "unsubscribed"]
    told = [each for each in entries if isinstance(each, dict) and each.get("subscription_status")]
    names = [name for each in on if (name := _name(each))] + [each for each in entries if isinstance(each, str)]
    if not told:
        return names, None
    if not on:
        return names, _OPTED_OUT
    return names, Said(Consent.GRANTED if any(map(_is_yes, on)) else Consent.NONE)


def _name(entry: Mapping[str, Any]) -> str | None:
    name = entry.get("name")
    return name if isinstance(name, str) else None


def _is_yes(entry: Mapping[str, Any]) -> bool:
    status = entry.get("subscription_status")
    return status == "confirmed" or (status == "unconfirmed" and entry.get("optin") == "single")


def words_in(value: str) -> list[str]:
    """A cell that holds several words: a JSON list, or parted by commas or semicolons, in quotes where they need it."""
    if value.startswith("["):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            return [str(each) for each in found if isinstance(each, str | int | float)]
    delimiter = "," if '"' in value or ";" not in value else ";"
    try:
        parted = next(csv.reader([" ".join(value.split())], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return [value]
    return [word for each in parted if (word := each.strip())]
