"""A delivery: the durable record of one intended mail, unique by (contact, enrolment, step, visit).

    planned -> claimed(owner, epoch, lease) -> gated -> sent | deferred(not_before) | rejected(cause) | unknown
    and the terminal skipped | expired | cancelled | ghost

`planned`, `claimed` and `deferred` are pending: they may still go, and count against caps as if they went now.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from nurture.domain.frozen import frozen
from nurture.domain.steps import MailKind


class DeliveryState(StrEnum):
    PLANNED = "planned"
    CLAIMED = "claimed"
    GATED = "gated"
    DEFERRED = "deferred"
    SENT = "sent"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    GHOST = "ghost"

    @property
    def is_pending(self) -> bool:
        """Not out yet, and still to go: can be cancelled, counts as if sent now."""
        return self in PENDING

    @property
    def is_settled(self) -> bool:
        """Nothing more will happen to it by itself."""
        return self not in PENDING and self is not DeliveryState.GATED

    @property
    def counts(self) -> bool:
        """Takes a slot of the frequency caps."""
        return self in COUNTING


PENDING = frozenset({DeliveryState.PLANNED, DeliveryState.CLAIMED, DeliveryState.DEFERRED})
COUNTING = PENDING | {DeliveryState.GATED, DeliveryState.SENT, DeliveryState.UNKNOWN}


@frozen
class Delivery:
    """`contact_id` and `seq` are its primary key. `due_at` is the intended instant, `not_before` the earliest now.

    `expires_at` is the end of its validity window: past it the mail does not go. `category`, `kind` and `campaign` are
    frozen here, so that editing a file never reopens a cap.
    """

    contact_id: int
    seq: int
    enrolment: int
    campaign: str
    step: str
    visit: int
    kind: MailKind
    template: str
    category: str | None
    priority: int
    planned_at: datetime
    due_at: datetime
    not_before: datetime
    expires_at: datetime
    revision: int
    state: DeliveryState = DeliveryState.PLANNED

    def in_state(self, state: DeliveryState) -> Delivery:
        """The same in another state; spelled out, because `replace` takes four times as long."""
        return Delivery(
            self.contact_id, self.seq, self.enrolment, self.campaign, self.step, self.visit, self.kind, self.template,
            self.category, self.priority, self.planned_at, self.due_at, self.not_before, self.expires_at, self.revision,
            state,
        )  # fmt: skip


@frozen
class CountedMail:
    """What caps need of an earlier mail: `at` is None while pending (it counts as if sent now).

    A ghost is what a held-out person would have got: it fills the caps of other ghosts, never those of real mail.
    """

    at: datetime | None
    category: str | None
    campaign: str
    step: str
    ghost: bool = False


@frozen
class Settled:
    """A delivery of an active enrolment that ended since the last turn; the enrolment goes on from `at`."""

    seq: int
    enrolment: int
    state: DeliveryState
    at: datetime
