"""The addresses a mail carries for one person and one delivery: tokens all, no id and no address in them.

Where people agreed to be tracked there is one prefix a mail more, put before the labels of links, which are known when
the template is compiled. Links of ours (unsubscribe, preferences, view) are never tracked.
"""

from __future__ import annotations

from dataclasses import dataclass

from nurture.domain.tokens import Keyring, Purpose
from nurture.rendering.addresses import ascii_domain
from nurture.rendering.tracking import CLICK_PREFIX, OPEN_URL


@dataclass(frozen=True, slots=True)
class Links:
    """`base_url` is where the public pages answer, `bounce_domain` where mail to return paths and unsubscribes goes."""

    keyring: Keyring
    base_url: str
    bounce_domain: str

    def for_templates(self, contact_id: int, seq: int) -> dict[str, str]:
        """The three addresses of the template context."""
        return {
            "unsubscribe_url": self.unsubscribe_url(contact_id, seq),
            "preferences_url": self._url("p", Purpose.PREFERENCES, contact_id, seq),
            "view_url": self._url("v", Purpose.VIEW, contact_id, seq),
        }

    def tracked(self, contact_id: int, seq: int) -> dict[str, str]:
        """What stands before the labels of her links, and the address of the picture."""
        return {
            CLICK_PREFIX: self._url("c", Purpose.CLICK, contact_id, seq) + "/",
            OPEN_URL: self._url("o", Purpose.OPEN, contact_id, seq) + ".gif",
        }

    def unsubscribe_url(self, contact_id: int, seq: int) -> str:
        """For the footer and for List-Unsubscribe: one click, by POST (RFC 8058)."""
        return self._url("u", Purpose.UNSUBSCRIBE, contact_id, seq)

    def confirm_url(self, contact_id: int, seq: int) -> str:
        """Where she confirms what she asked for."""
        return self._url("c", Purpose.OPT_IN, contact_id, seq)

    def answers_url(self, contact_id: int, seq: int) -> str:
        """What the addresses of her answers to surveys begin with."""
        return self._url("a", Purpose.ANSWER, contact_id, seq)

    def unsubscribe_mailto(self, contact_id: int, seq: int) -> str:
        """The mailto: of List-Unsubscribe."""
        token = self.keyring.mailbox_token(Purpose.UNSUBSCRIBE, contact_id, seq)
        return f"mailto:unsubscribe+{token}@{ascii_domain(self.bounce_domain)}"

    def return_path(self, contact_id: int, seq: int) -> str:
        """The envelope sender (VERP): a bounce to it names the delivery."""
        token = self.keyring.mailbox_token(Purpose.RETURN_PATH, contact_id, seq)
        return f"b+{token}@{ascii_domain(self.bounce_domain)}"

    def message_id(self, contact_id: int, seq: int, sending_domain: str) -> str:
        """The Message-ID without its brackets: the same for every attempt at one delivery."""
        token = self.keyring.mailbox_token(Purpose.MESSAGE_ID, contact_id, seq)
        return f"{token}@{ascii_domain(sending_domain)}"

    def _url(self, page: str, purpose: Purpose, contact_id: int, seq: int) -> str:
        return f"{self.base_url.rstrip('/')}/{page}/{self.keyring.token(purpose, contact_id, seq)}"
