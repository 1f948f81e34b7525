"""One mail as the studio shows it: its line in an inbox, its looks, its parts, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.domain.personal import sender_of
from nurture.engine.preview import Mail, Previewed, Somebody, best_example, example, preview, real
from nurture.engine.revisions import Applied
from nurture.errors import NurtureError, TemplateError
from nurture.language.source import TEMPLATES
from nurture.rendering.agreement import disagreements
from nurture.rendering.checks import check_rendered, check_template
from nurture.rendering.inbox_line import CLIENTS, shown
from nurture.rendering.pictures import Pictures
from nurture.rendering.problems import TemplateProblem
from nurture.storage.database import Database

GMAIL_CUTS_AT = 102 * 1024
AROUND = 3  # lines of the file shown before and after a mistake
_DARK = re.compile(r"prefers-color-scheme\s*:\s*(dark|light)", re.IGNORECASE)
_QUERY = re.compile(r"@media([^{]*)\{", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a mail cannot be shown. `excerpt` is (line, text, whether it is the one) of `file`."""

    message: str
    file: str | None = None
    line: int | None = None
    excerpt: tuple[tuple[int, str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """A line of a mailbox: what is seen of subject and preheader, and whether there was more."""

    client: str
    subject: str
    preheader: str
    subject_cut: bool
    preheader_cut: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """`previewed` is None where there is a mistake."""

    mail: Mail
    told: str
    sender: str
    previewed: Previewed | None
    mistake: Mistake | None
    problems: tuple[TemplateProblem, ...]
    base_url: str = ""

    @property
    def cuts(self) -> list[Cut]:
        assert self.previewed is not None
        rendered = self.previewed.composed.rendered
        return [
            Cut(
                client.name,
                shown(rendered.subject, client.subject),
                shown(rendered.preheader, client.preheader),
                len(rendered.subject) > client.subject,
                len(rendered.preheader) > client.preheader,
            )
            for client in CLIENTS
        ]

    @property
    def html_bytes(self) -> int:
        return len(self.previewed.composed.rendered.html.encode()) if self.previewed is not None else 0

    @property
    def weight(self) -> float:
        """How much of what Gmail shows is used, 0 to 1 and beyond."""
        return self.html_bytes / GMAIL_CUTS_AT

    @property
    def headers(self) -> str:
        assert self.previewed is not None
        head = self.previewed.composed.mail.data.partition(b"\r\n\r\n")[0]
        return head.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def source(self) -> str:
        assert self.previewed is not None
        return self.previewed.composed.mail.data.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def remarks(self) -> list[str]:
        assert self.previewed is not None
        rendered = self.previewed.composed.rendered
        locale = self.previewed.somebody.snapshot.contact.locale or "en"
        return [*check_rendered(rendered), *disagreements(rendered, locale=locale, base_url=self.base_url)]


def whom(applied: Applied, mail: Mail, person: str | None, database: Database | None, now: datetime) -> Somebody:
    """An example person by name, a contact by address, else the example who fits best. Raises NurtureError."""
    if not person:
        return best_example(applied, mail, now)
    if person in applied.compiled.people:
        return example(applied, applied.compiled.people[person], now)
    if database is None:
        raise NurtureError("There is no example person of that name, and no database with contacts.")
    return real(database, applied, person, now)


def sheet(
    applied: Applied,
    mail: Mail,
    person: str | None,
    database: Database | None,
    now: datetime,
    options: Mapping[str, Any],
    *,
    checked: bool = True,
    pictures: Pictures | None = None,
) -> Sheet:
    """Make one mail; what keeps it from being made is part of the answer. `pictures` are the files of the project."""
    programme = applied.programme
    sender = sender_of(programme, mail.send)
    who = ""
    try:
        somebody = whom(applied, mail, person, database, now)
        who = somebody.told
        previewed, mistake = preview(applied, mail, somebody, now, **options), None
        marketing = mail.send.kind == "marketing"
        name = mail.send.template
        found = check_template(applied.renderer, name, marketing=marketing, pictures=pictures) if checked else ()
        problems = tuple(found)
    except TemplateError as error:
        previewed, problems, mistake = None, (), mistake_of(error, applied.sources)
    except NurtureError as error:
        previewed, problems, mistake = None, (), Mistake(str(error))
    return Sheet(mail, who, f"{sender.name} <{sender.email}>", previewed, mistake, problems, options["base_url"])


def mistake_of(error: TemplateError, sources: Mapping[str, str]) -> Mistake:
    """The error with the lines of the file around it."""
    file = next((path for path in sources if path in {error.template, f"{TEMPLATES}{error.template}"}), None)
    if file is None:
        file = next((path for path in sources if path.startswith(f"{TEMPLATES}{error.template}.")), None)
    return Mistake(str(error), file, error.line, excerpt(sources.get(file or "", ""), error.line))


def excerpt(text: str, line: int | None) -> tuple[tuple[int, str, bool], ...]:
    """The lines around one; none where there is no such line."""
    lines = text.split("\n")
    if line is None or not 1 <= line <= len(lines):
        return ()
    first, last = max(1, line - AROUND), min(len(lines), line + AROUND)
    return tuple((number, lines[number - 1][:200], number == line) for number in range(first, last + 1))


def in_light(html: str, look: str) -> str:
    """The HTML as a mail program in `look` (dark or light) sees it, whatever this browser prefers."""

    def decided(match: re.Match[str]) -> str:
        wanted = _DARK.search(match[1])
        if wanted is None:
            return match[0]
        holds = wanted[1].lower() == look
        return f"@media{_DARK.sub('min-width:0' if holds else 'max-width:0', match[1])}{{"

    scheme = f'<meta name="color-scheme" content="{look}"><style>:root{{color-scheme:{look}}}</style>'
    html = _QUERY.sub(decided, html)
    head, found, rest = html.partition("</head>")
    return f"{head}{scheme}{found}{rest}" if found else scheme + html
