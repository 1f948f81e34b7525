"""Compose: a delivery and its person become the one sequence of octets that is signed, sent, and sent again if need be.

Everything that names the mail (Message-ID, return path, links, Date) is fixed by the delivery, so that a second attempt
at the same delivery is the same mail. Where a first copy may have arrived, it is not even built again: it was kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from nurture.domain.campaign import Campaign
from nurture.domain.contact import Contact
from nurture.domain.delivery import Delivery
from nurture.domain.enrolment import Enrolment
from nurture.domain.personal import Links as Addresses
from nurture.domain.personal import sender_of, template_context
from nurture.domain.programme import Programme, Sender
from nurture.domain.recheck import Proceed
from nurture.domain.steps import MailKind, Send
from nurture.domain.tokens import Keyring
from nurture.engine.revisions import Applied
from nurture.errors import TemplateError
from nurture.rendering.addresses import AddressError
from nurture.rendering.headers import HeaderError
from nurture.rendering.links import Links
from nurture.rendering.message import Envelope, MessageHeaders, MessageSigner, Stream, build_message
from nurture.rendering.renderer import Rendered
from nurture.sending.mail import OutgoingMail
from nurture.storage.deliveries import Claimed
from nurture.storage.kept_mails import KeptMail

TEST_MARK = "[TEST] "


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail, and what it was made of."""

    mail: OutgoingMail
    rendered: Rendered


class Composer:
    """`bounce_domain` None is the sender's own domain; `signer` None leaves signing to the relay."""

    def __init__(
        self,
        keyring: Keyring,
        *,
        base_url: str,
        bounce_domain: str | None = None,
        signer: MessageSigner | None = None,
    ) -> None:
        self._keyring, self._base_url, self._bounce_domain, self._signer = keyring, base_url, bounce_domain, signer
        self.is_slow = signer is not None and signer.is_slow

    def __call__(self, applied: Applied, proceed: Proceed, claimed: Claimed) -> OutgoingMail:
        """The mail of a claimed delivery. Raises TemplateError."""
        delivery = claimed.delivery
        composed = self.compose(
            applied,
            proceed.campaign,
            proceed.send,
            claimed.contact,
            proceed.enrolment,
            delivery,
            delivery.planned_at,
            tracked=applied.programme.tracking is not None,
        )
        return composed.mail

    def compose(
        self,
        applied: Applied,
        campaign: Campaign,
        send: Send,
        contact: Contact,
        enrolment: Enrolment,
        delivery: Delivery,
        date: datetime,
        *,
        mark: str = "",
        tracked: bool = False,
    ) -> Composed:
        """One person's mail. `mark` goes before the subject. Raises TemplateError for whatever keeps it from going.

        `tracked`: it goes to her, and is tracked if it is marketing, the project asks for it and she agreed.
        """
        programme = applied.programme
        sender = sender_of(programme, send)
        links = self._links(sender)
        addresses = _addresses(links, delivery, send.kind, asks=bool(programme.surveys))
        grant = enrolment.grants.get(send.offer or "")
        context = template_context(programme, campaign, send, contact, enrolment.start, grant, addresses)
        seen = None
        if tracked and send.kind is MailKind.MARKETING and programme.tracking and programme.tracking.of(contact):
            seen = links.tracked(delivery.contact_id, delivery.seq)
        rendered = applied.renderer.render(send.template, context, subject=send.subject, tracked=seen)
        if mark:
            rendered = replace(rendered, subject=f"{mark}{rendered.subject}")
        try:
            headers = self._headers(programme, campaign, send, sender, contact, delivery, date, links, addresses)
            data = build_message(rendered, headers, self._signer)
            envelope = Envelope.back_to(links.return_path(delivery.contact_id, delivery.seq), contact.email or "")
        except (AddressError, HeaderError) as error:
            raise TemplateError(str(error), send.template) from error
        envid = headers.message_id.partition("@")[0]
        return Composed(
            OutgoingMail(envelope.sender, envelope.recipient, data, envid, envelope.needs_smtputf8, is_canonical=True),
            rendered,
        )

    def alert(self, sender: Sender, recipient: str, subject: str, text: str, key: int, date: datetime) -> OutgoingMail:
        """A plain note to somebody of the house. `key` tells it from other alerts. Raises AddressError."""
        domain = sender.email.rpartition("@")[2]
        headers = MessageHeaders(
            sender_email=sender.email,
            sender_name=sender.name,
            recipient=recipient,
            date=date,
            message_id=f"alert-{key}-{int(date.timestamp())}@{domain}",
            bulk=False,
        )
        data = build_message(Rendered.of(subject=subject, text=text), headers, self._signer)
        envelope = Envelope.of(sender.email, recipient)
        return OutgoingMail(envelope.sender, envelope.recipient, data, None, envelope.needs_smtputf8)

    def _links(self, sender: Sender) -> Links:
        return Links(self._keyring, self._base_url, self._bounce_domain or sender.email.rpartition("@")[2])

    def _headers(
        self,
        programme: Programme,
        campaign: Campaign,
        send: Send,
        sender: Sender,
        contact: Contact,
        delivery: Delivery,
        date: datetime,
        links: Links,
        addresses: Addresses,
    ) -> MessageHeaders:
        domain = sender.email.rpartition("@")[2]
        ids = delivery.contact_id, delivery.seq
        marketing = send.kind is MailKind.MARKETING
        topic = programme.topics.get(campaign.topic or "") if marketing else None
        return MessageHeaders(
            sender_email=sender.email,
            sender_name=sender.name,
            reply_to=sender.reply_to,
            recipient=contact.email or "",
            date=date,
            message_id=links.message_id(*ids, domain),
            bulk=marketing,
            # One click works over https only (RFC 8058); a preview on this machine has no such address.
            unsubscribe_url=addresses.unsubscribe if marketing and self._base_url.startswith("https") else None,
            unsubscribe_mailto=links.unsubscribe_mailto(*ids) if marketing else None,
            stream=Stream(campaign.topic, topic.title) if topic is not None and campaign.topic else None,
            feedback_id=_feedback_id(campaign.name, send.id, send.kind, domain),
        )


def kept_of(claimed: Claimed, mail: OutgoingMail) -> KeptMail:
    """What is kept of a mail that may have to go once more."""
    return KeptMail(*claimed.key, mail.envelope_sender, mail.recipient, mail.envid, mail.needs_smtputf8, mail.data)


def again(kept: KeptMail, contact: Contact) -> OutgoingMail | None:
    """A mail of unknown fate, as it was; None where she has another address by now: then it does not go again."""
    try:
        recipient = Envelope.of(kept.sender, contact.email or "").recipient
    except AddressError:
        return None
    if recipient != kept.recipient:
        return None
    return OutgoingMail(kept.sender, kept.recipient, kept.data, kept.envid, kept.needs_smtputf8)


def _addresses(links: Links, delivery: Delivery, kind: MailKind, *, asks: bool) -> Addresses:
    found = links.for_templates(delivery.contact_id, delivery.seq)
    confirm = links.confirm_url(delivery.contact_id, delivery.seq) if kind is MailKind.TRANSACTIONAL else None
    answers = links.answers_url(delivery.contact_id, delivery.seq) if asks else None
    return Addresses(found["unsubscribe_url"], found["preferences_url"], found["view_url"], confirm, answers)


@lru_cache(maxsize=256)
def _feedback_id(campaign: str, step: str, kind: MailKind, domain: str) -> str:
    """Campaign, step, kind, and the sender: nothing about a person. Left out where the names are too long for it."""
    words = [_word(campaign, 20), _word(step, 18), kind.value, _word(domain, 15)]
    return ":".join(words)


def _word(text: str, most: int) -> str:
    cleaned = "".join(char if char.isascii() and char.isalnum() else "-" for char in text)
    return cleaned[:most].strip("-") or "mail"
