"""Answers to surveys: given on her own page, taken in by the front door, each of them an event.

The last answer to a mail holds; for a day after the first one it may be changed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from nurture.domain.surveys import CHANGEABLE, Answer, Survey
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.engine.recipient import Bearer
from nurture.storage.database import Database
from nurture.storage.recipients import told_by

SOURCE = "survey"


@dataclass(frozen=True, slots=True)
class Given:
    """What she answered to this mail so far, and whether she may (still) answer."""

    answer: Answer | None
    is_open: bool


def given(database: Database, bearer: Bearer, survey: Survey, now: datetime) -> Given:
    """What stands. A mail that is not stored any more cannot be answered."""
    if bearer.addressee is None or bearer.addressee.campaign is None:
        return Given(None, is_open=False)
    with database.read() as tx:
        told = told_by(tx, bearer.addressee.contact.id, survey.event, SOURCE)
    about = [
        (at, said["answer"])
        for at, said in told
        if said.get("survey") == survey.name and said.get("delivery") == bearer.addressee.seq
    ]
    if not about:
        return Given(None, is_open=True)
    return Given(about[-1][1], is_open=now <= about[0][0] + CHANGEABLE)


def take(database: Database, bearer: Bearer, survey: Survey, answer: Answer, now: datetime) -> bool:
    """Keep an answer; False where it is too late. The same once more is not told again."""
    stands = given(database, bearer, survey, now)
    if not stands.is_open or bearer.addressee is None:
        return False
    if stands.answer == answer:
        return True
    her = bearer.addressee
    said = IncomingEvent(
        name=survey.event,
        contact_id=her.contact.id,
        properties={"survey": survey.name, "answer": answer, "campaign": her.campaign, "delivery": her.seq},
        traits={survey.attribute: answer} if survey.attribute is not None else None,
        message_id=f"{SOURCE}-{secrets.token_hex(12)}",
        source=SOURCE,
    )
    return ingest(database, [said], now, trusted=True).stored > 0
