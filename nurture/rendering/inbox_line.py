"""What inboxes show of a subject and a preheader before they cut them.

Letters differ in width and windows in size, so these are averages, as published by those who measure them; the smaller
figure where they differ. Subjects: lettercounter.org/blog/email-subject-line-length-guide. Preheaders:
themarketer.com/resources/knowledge-base/how-long-should-your-preview-texts-be (for Gmail on a phone what it says of
phones in general). Both read in November 2026.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Client:
    """A mail program and how many characters it shows."""

    name: str
    subject: int
    preheader: int


CLIENTS = (
    Client("Gmail on the web", 70, 97),
    Client("Outlook for Windows", 60, 35),
    Client("Apple Mail on a Mac", 70, 140),
    Client("iPhone Mail", 40, 81),
    Client("Gmail on a phone", 37, 40),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One mail in a mailbox: its longest subject and preheader for any example person."""

    mail: str
    subject: str
    preheader: str


@dataclass(frozen=True, slots=True)
class Cuts:
    """How many mails a program cuts, and the mail of which it cuts most."""

    client: str
    shows: tuple[int, int]
    mails: int
    subjects: int
    preheaders: int
    longest: str | None

    @property
    def told(self) -> str:
        subject, preheader = self.shows
        text = f"{self.client} ({subject} and {preheader} characters) cuts {self.subjects} of {self.mails} subjects"
        text += f" and {self.preheaders} preheaders"
        return text + (f"; the longest subject is that of {self.longest}" if self.longest else "")

    def as_data(self) -> dict[str, Any]:
        found = asdict(self)
        return {**found, "told": self.told, "shows": {"subject": self.shows[0], "preheader": self.shows[1]}}


def cut_by(lines: Iterable[Line]) -> list[Cuts]:
    """What every mail program leaves of these lines."""
    listed = list(lines)
    longest = max(listed, key=lambda line: len(line.subject), default=None)
    return [
        Cuts(
            client.name,
            (client.subject, client.preheader),
            len(listed),
            sum(len(line.subject) > client.subject for line in listed),
            sum(len(line.preheader) > client.preheader for line in listed),
            longest.mail if longest is not None and len(longest.subject) > client.subject else None,
        )
        for client in CLIENTS
    ]


def shown(text: str, most: int) -> str:
    """What is left of a text, with an ellipsis where it was cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
