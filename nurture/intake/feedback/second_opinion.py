"""flufl.bounce, which knows the bounces of servers that follow no standard. It can raise anything on odd mails."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message


@dataclass(frozen=True, slots=True)
class Opinion:
    is_permanent: bool = False
    is_temporary: bool = False

    @property
    def is_bounce(self) -> bool:
        return self.is_permanent or self.is_temporary


def second_opinion(message: Message) -> Opinion:
    """Whether it knows this mail as a bounce."""
    from flufl.bounce import all_failures  # late: it reads some thirty modules

    try:
        plain = message_from_bytes(message.as_bytes(), policy=policy.compat32)
        temporary, permanent = all_failures(plain)
    except Exception:  # noqa: BLE001 - IndexError without a From, AttributeError on encoded headers, and others
        return Opinion()
    return Opinion(is_permanent=bool(permanent), is_temporary=bool(temporary))
