"""SparkPost's event webhook.

https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nurture.intake.feedback.notice import Notice, Told
from nurture.intake.feedback.providers.item import Item

_TOLD = {
    "spam_complaint": Told.COMPLAINT,
    "list_unsubscribe": Told.UNSUBSCRIBE,
    "link_unsubscribe": Told.UNSUBSCRIBE,
}
_FAILED = frozenset({"bounce", "out_of_band", "policy_rejection"})
_CAUSES = {
    "10": "5.1.1",  # invalid recipient
    "21": "4.4.4",  # DNS failure
    "22": "5.2.2",  # mailbox full
    "23": "5.3.4",  # too large
    "24": "4.4.2",  # timeout
    "25": "5.7.1",  # refused by SparkPost's own policy
    "30": "5.1.1",  # no RCPT
    "50": "5.7.1",  # mail block
    "51": "5.7.1",  # spam block
    "52": "5.7.1",  # spam content
    "53": "5.7.1",  # prohibited attachment
    "54": "5.7.1",  # relaying denied
}
_NO_FAILURES = frozenset({"60", "70", "80", "100"})  # automatic reply, transient, subscribe, challenge
_UNSUBSCRIBE = "90"


def items(data: Any) -> Iterable[Any]:
    """Each stands in `msys` under the name of its class; the test of a new webhook is an empty one."""
    return [_event(each) for each in (data if isinstance(data, list) else [data]) if each != {"msys": {}}]


def _event(each: Any) -> Any:
    msys = each.get("msys") if isinstance(each, dict) else None
    return next(iter(msys.values())) if isinstance(msys, dict) and len(msys) == 1 else each


def notice(item: Item) -> Notice:
    """Raises UnreadableError."""
    kind, bounce_class = item.text("type"), item.text("bounce_class")
    about: dict[str, Any] = {
        "id": item.text("event_id"),
        "email": item.text("rcpt_to"),
        "at": item.text("timestamp"),
        "tokens": item.tokens(("msg_from",)),
    }
    if kind in _TOLD:
        return item.notice(_TOLD[kind], **about)
    if kind not in _FAILED or bounce_class in _NO_FAILURES:
        return item.nothing(f"{kind or 'nothing'} {bounce_class}".strip())
    if bounce_class == _UNSUBSCRIBE:
        return item.notice(Told.UNSUBSCRIBE, **about)
    cause = _CAUSES.get(bounce_class)
    said = item.text("raw_reason") or item.text("reason")
    if cause == "5.7.1":
        return item.notice(Told.FAILED, enhanced=cause, text="refused: class " + bounce_class, **about)
    return item.failed(said, cause=cause, code=item.text("error_code"), **about)
