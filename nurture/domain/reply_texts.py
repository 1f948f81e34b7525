"""What the free text of SMTP replies and bounces gives away, where codes alone mislead.

Receivers disagree about codes, and a 5xx is far more often about us than about a dead address: a short list of codes
plus the cause in the text, vetoed by words about policy, wrongs far fewer healthy addresses than the first digit does.
Addresses are cut out first, so that nobody called `spam@` changes a verdict.
"""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"<[^<>]*>|[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+|https?://\S+")

_NO_SUCH_USER = re.compile(
    r"no such (?:user|mailbox|recipient|address|person|local user|account)"
    r"|(?:user|recipient|mailbox|address|account)\s+(?:is\s+)?(?:unknown|not found|not known|invalid)"
    r"|(?:user|mailbox|recipient|address|account|email account)\b.{0,40}\b(?:does not|doesn't|doesnt) exist"
    r"|unknown (?:user|recipient|mailbox|local part|address|account)"
    r"|(?:unrouteable|unroutable|nonexistent|non-existent) (?:address|mailbox|user)"
    r"|no mailbox (?:here )?(?:by|with) that name|nosuchuser|not a valid (?:mailbox|recipient|user)"
    r"|invalid (?:recipient|mailbox|user)\b",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"over ?quota|quota (?:is )?exceed|exceed(?:s|ed|ing)?\b.{0,40}\bquota|(?:mailbox|inbox|storage)\b.{0,20}\bfull"
    r"|insufficient (?:disk )?(?:space|storage)|out of storage",
    re.IGNORECASE,
)
_ABOUT_US = re.compile(
    r"\bspam|spamhaus|\bblock(?:ed|list)|black ?list|block list|\brbl\b|\bdnsbl\b|\bpolicy\b|reputation"
    r"|\bspf\b|\bdkim\b|\bdmarc\b|\bptr\b|reverse dns|rdns|authenticat|\btls\b|unsolicited|\bbanned\b|virus|phish"
    r"|malware|\bsender (?:address )?rejected|\brelay(?:ing)?\b.{0,20}\b(?:denied|not permitted|prohibited)"
    r"|content (?:was )?reject|access denied",
    re.IGNORECASE,
)
_SLOW_DOWN = re.compile(
    r"rate[ -]?limit|too many|too fast|too much mail|throttl|unusual rate|at a rate|exceeded the (?:rate|limit)"
    r"|(?:connection|message|sending|hourly|daily) (?:rate|limit)|temporarily deferred|slow down",
    re.IGNORECASE,
)
_GREYLIST = re.compile(r"gr[ea]y-?list", re.IGNORECASE)


def without_addresses(text: str) -> str:
    return _ADDRESS.sub(" ", text)


def says_no_such_user(text: str) -> bool:
    return _NO_SUCH_USER.search(without_addresses(text)) is not None


def says_mailbox_full(text: str) -> bool:
    return _FULL.search(without_addresses(text)) is not None


def is_about_us(text: str) -> bool:
    """Spam, blocklist, authentication, policy: a fault of the sender's side, never of the address."""
    return _ABOUT_US.search(without_addresses(text)) is not None


def says_slow_down(text: str) -> bool:
    return _SLOW_DOWN.search(without_addresses(text)) is not None


def says_greylisted(text: str) -> bool:
    return _GREYLIST.search(without_addresses(text)) is not None
