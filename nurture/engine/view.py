"""View in browser: a mail that went, built once more from the revision it was planned from and the data it began with.

What has changed about the person since (her name, say) is as it is now. Nobody learns that she looked.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from nurture.domain.contact import Contact
from nurture.domain.enrolment import Enrolment
from nurture.engine.compose import Composer
from nurture.engine.recipient import Bearer
from nurture.engine.revisions import Applied, load
from nurture.errors import ConfigurationError, NurtureError, TemplateError
from nurture.rendering.renderer import Rendered
from nurture.storage.database import Database
from nurture.storage.reports import DeliveryRecord, deliveries_of, enrolments_of

KEPT = 4  # revisions that are kept compiled


@dataclass(frozen=True, slots=True)
class _Sent:
    contact: Contact
    record: DeliveryRecord
    enrolment: Enrolment


class Viewer:
    """Shows mails again; safe to use from several threads."""

    def __init__(self, database: Database, composer: Composer) -> None:
        self._database, self._composer = database, composer
        self._older: OrderedDict[int, Applied] = OrderedDict()
        self._lock = Lock()

    def __call__(self, bearer: Bearer, newest: Applied) -> Rendered | None:
        """The mail a link stood in; None where what it was made of is not kept any more."""
        sent = self._sent(bearer)
        if sent is None:
            return None
        delivery = sent.record.delivery
        try:
            applied = newest if delivery.revision == newest.number else self._revision(delivery.revision)
        except (NurtureError, ConfigurationError):
            return None
        campaign = applied.programme.campaigns.get(delivery.campaign)
        send = next((each for each in campaign.sends if each.id == delivery.step), None) if campaign else None
        if campaign is None or send is None:
            return None
        try:
            composed = self._composer.compose(
                applied, campaign, send, sent.contact, sent.enrolment, delivery, delivery.planned_at
            )
        except TemplateError:
            return None
        return composed.rendered

    def _sent(self, bearer: Bearer) -> _Sent | None:
        """Only what may have reached her: a mail that is planned is nobody's to see yet."""
        if bearer.addressee is None:
            return None
        contact, seq = bearer.addressee.contact, bearer.addressee.seq
        with self._database.read() as tx:
            record = next((one for one in deliveries_of(tx, contact.id) if one.delivery.seq == seq), None)
            if record is None or record.gated_at is None:
                return None
            of = record.delivery.enrolment
            enrolment = next((one for one in enrolments_of(tx, contact.id) if one.seq == of), None)
        return _Sent(contact, record, enrolment) if enrolment is not None else None

    def _revision(self, number: int) -> Applied:
        """Compiling takes a while: the last few are kept."""
        with self._lock:
            known = self._older.get(number)
            if known is None:
                with self._database.read() as tx:
                    known = self._older[number] = load(tx, number)
                if len(self._older) > KEPT:
                    self._older.popitem(last=False)
            self._older.move_to_end(number)
            return known
