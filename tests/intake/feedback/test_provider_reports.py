"""What mail providers report is read by its cause, as their documentation shows it, and as nobody should send it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nurture.domain.suppression import Suppression, suppression_for
from nurture.intake.feedback.notice import Told
from nurture.intake.feedback.providers import Provider, read_report
from nurture.testing.reports import ANA, mailgun, mailjet, postmark, sendgrid, ses_bounce, ses_complaint, sparkpost
from nurture.testing.worlds import instant

NOW = instant("2026-03-02 09:00")
SPAM = "550 5.1.1 rejected: your message looks like spam"
FULL = "552 5.2.2 mailbox full"


def gun(event: str = "failed", **fields: Any) -> Any:
    return json.loads(mailgun(event, "k", NOW, **fields))


def status(message: str, enhanced: str = "") -> dict[str, Any]:
    return {"code": 550, "message": message, "enhanced-code": enhanced}


FAILURES = [
    ("ses", ses_bounce(), Suppression.NOW),
    ("ses", ses_bounce(said="smtp; 550 no thanks", status=""), Suppression.SECOND_STRIKE),
    ("ses", ses_bounce(sub_kind="NoEmail", said="smtp; 550 no", status=""), Suppression.NOW),
    ("ses", ses_bounce(said=f"smtp; {SPAM}"), Suppression.NEVER),
    ("ses", ses_bounce(kind="Transient", sub_kind="MailboxFull", said="over there", status=""), Suppression.SOFT_POINT),
    ("ses", ses_bounce(kind="Undetermined", sub_kind="Undetermined", said="?", status=""), Suppression.NEVER),
    ("mailgun", gun(), Suppression.NOW),
    ("mailgun", gun(**{"delivery-status": status(SPAM)}), Suppression.NEVER),
    ("mailgun", gun(**{"delivery-status": status(FULL, "5.2.2")}), Suppression.SOFT_POINT),
    ("mailgun", gun(reason="suppress-bounce", **{"delivery-status": status("")}), Suppression.SECOND_STRIKE),
    ("postmark", postmark(), Suppression.NOW),
    ("postmark", postmark(Details="smtp;550 no"), Suppression.SECOND_STRIKE),
    ("postmark", postmark(Type="SpamNotification", Details="no"), Suppression.NEVER),
    ("postmark", postmark(Type="SoftBounce", Details=FULL), Suppression.SOFT_POINT),
    ("postmark", postmark(Type="BadEmailAddress", Details=""), Suppression.NOW),
    ("sendgrid", [sendgrid()], Suppression.NOW),
    ("sendgrid", [sendgrid(bounce_classification="Reputation")], Suppression.NEVER),
    ("sendgrid", [sendgrid(type="blocked", status="", reason="no")], Suppression.NEVER),
    ("sendgrid", [sendgrid("dropped", reason="Bounced Address")], Suppression.SECOND_STRIKE),
    ("mailjet", [mailjet()], Suppression.NOW),
    ("mailjet", mailjet(error="quota exceeded", comment="", hard_bounce=True), Suppression.SOFT_POINT),
    ("mailjet", [mailjet(error="sender blocked")], Suppression.NEVER),
    ("mailjet", [mailjet("blocked", error="preblocked", comment="")], Suppression.SECOND_STRIKE),
    ("sparkpost", [sparkpost()], Suppression.NOW),
    ("sparkpost", [sparkpost("out_of_band", bounce_class="22", raw_reason="")], Suppression.SOFT_POINT),
    ("sparkpost", [sparkpost(bounce_class="51")], Suppression.NEVER),
    ("sparkpost", [sparkpost(bounce_class="40", raw_reason="550 no")], Suppression.NEVER),
]


@pytest.mark.parametrize(("provider", "data", "weight"), FAILURES)
def test_a_failure_weighs_what_its_cause_does_and_not_its_first_digit(
    provider: str, data: Any, weight: Suppression
) -> None:
    (told,) = read_report(Provider(provider), data)
    found = told.notice
    assert found is not None
    assert (found.told, found.email, found.via) == (Told.FAILED, ANA, provider)
    assert suppression_for(code=found.code, enhanced=found.enhanced, text=found.text, asynchronous=True) is weight
    assert "@" not in found.text


OTHERS = [
    ("ses", ses_complaint(), Told.COMPLAINT),
    ("ses", ses_complaint(kind="not-spam"), Told.NOTHING),
    ("ses", {"eventType": "Delivery", "mail": {}}, Told.NOTHING),
    ("mailgun", gun("complained"), Told.COMPLAINT),
    ("mailgun", gun("unsubscribed"), Told.UNSUBSCRIBE),
    ("mailgun", gun(severity="temporary"), Told.NOTHING),
    ("mailgun", gun("opened"), Told.NOTHING),
    ("postmark", postmark("SpamComplaint"), Told.COMPLAINT),
    ("postmark", postmark("SubscriptionChange", SuppressSending=True, SuppressionReason="ManualSuppression",
                          Origin="Recipient"), Told.UNSUBSCRIBE),
    ("postmark", postmark("SubscriptionChange", SuppressSending=True, SuppressionReason="HardBounce",
                          Origin="Recipient"), Told.NOTHING),
    ("postmark", postmark(Type="AutoResponder"), Told.NOTHING),
    ("sendgrid", [sendgrid("spamreport")], Told.COMPLAINT),
    ("sendgrid", [sendgrid("group_unsubscribe")], Told.UNSUBSCRIBE),
    ("sendgrid", [sendgrid("deferred")], Told.NOTHING),
    ("mailjet", mailjet("spam"), Told.COMPLAINT),
    ("mailjet", mailjet("unsub"), Told.UNSUBSCRIBE),
    ("mailjet", mailjet("open"), Told.NOTHING),
    ("sparkpost", [sparkpost("spam_complaint")], Told.COMPLAINT),
    ("sparkpost", [sparkpost("list_unsubscribe", "unsubscribe_event")], Told.UNSUBSCRIBE),
    ("sparkpost", [sparkpost(bounce_class="90")], Told.UNSUBSCRIBE),
    ("sparkpost", [sparkpost(bounce_class="70")], Told.NOTHING),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "data", "meaning"), OTHERS)
def test_other_events_mean_what_the_person_did_or_nothing(provider: str, data: Any, meaning: Told) -> None:
    (told,) = read_report(Provider(provider), data)
    assert told.notice is not None
    assert told.notice.told is meaning


def test_the_test_of_a_new_webhook_holds_nothing() -> None:
    assert read_report(Provider.SPARKPOST, [{"msys": {}}]) == []


@pytest.mark.parametrize("provider", list(Provider))
@pytest.mark.parametrize(
    "data",
    [None, 7, "text", [], {}, [None, 7, []], {"event-data": []}, {"notificationType": "Bounce", "bounce": [1]},
     {"notificationType": "Bounce", "mail": {"headers": [7, {"name": 1}]}}, {"event": "bounce", "email": ["x"]},
     {"RecordType": "Bounce", "Type": "HardBounce", "ID": {"a": 1}}, [{"msys": 7}, {"msys": {"a": 1, "b": 2}}],
     [{"event": "bounce", "sg_event_id": "\ud800", "email": "\0", "reason": "\0\ud800", "timestamp": 1e300}]],
)  # fmt: skip
def test_what_no_provider_sends_is_told_one_by_one_and_breaks_nothing(provider: Provider, data: Any) -> None:
    for told in read_report(provider, data):
        assert (told.notice is None) == bool(told.why)
        if told.notice is not None:
            assert "\0" not in told.notice.text
            assert told.notice.told in {Told.NOTHING, Told.FAILED}
