"""Whole mails for the example people: what only they show, and the proof of inlining, by making each both ways."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from nurture.domain.tokens import Keyring
from nurture.engine.preview import Mail, Somebody, example, mails, preview
from nurture.engine.revisions import Applied
from nurture.errors import TemplateError
from nurture.language.source import TEMPLATES
from nurture.rendering.agreement import disagreements
from nurture.rendering.checks import check_rendered
from nurture.rendering.inbox_line import Line
from nurture.rendering.problems import TemplateProblem
from nurture.rendering.proof import difference
from nurture.rendering.renderer import Rendered

UNPROVEN = "N456"
UNFIT = "N457"
DISAGREE = "N576"
_BASE = "https://mail.example"


@dataclass(frozen=True, slots=True)
class Proof:
    """What whole mails show: what is wrong with them, and the line of each in a mailbox, with its longest subject."""

    problems: tuple[TemplateProblem, ...]
    lines: tuple[Line, ...]


def prove(applied: Applied, now: datetime) -> Proof:
    """Make every mail for every example person who could get it, once, and look at all that only then can be seen."""
    made = list(_made(applied, now))
    lines: dict[str, Line] = {}
    for each in made:
        if each.rendered is not None:
            before = lines.get(each.mail.name, Line(each.mail.name, "", ""))
            subject, preheader = each.rendered.subject, each.rendered.preheader
            lines[each.mail.name] = Line(
                each.mail.name, max(before.subject, subject, key=len), max(before.preheader, preheader, key=len)
            )
    return Proof((*_unproven(applied, made, now), *_unfit(applied, made)), tuple(lines.values()))


def unproven(applied: Applied, now: datetime) -> list[TemplateProblem]:
    """A problem for each template whose styles, inlined once for all, are not what inlining each mail would give."""
    return list(_unproven(applied, _made(applied, now), now))


def unfit(applied: Applied, now: datetime) -> list[TemplateProblem]:
    """A problem for each template whose mail cannot be made, or comes out wrong, for an example person."""
    return _unfit(applied, _made(applied, now))


@dataclass(frozen=True, slots=True)
class _Made:
    """A mail for somebody, with the keys its links are made by; or why there is none."""

    mail: Mail
    somebody: Somebody
    keyring: Keyring
    rendered: Rendered | None
    failed: str = ""


def _made(applied: Applied, now: datetime) -> Iterator[_Made]:
    everybody = [example(applied, person, now) for person in applied.compiled.people.values()]
    keyring = Keyring([secrets.token_hex(32)])
    for mail in mails(applied):
        try:
            needs = applied.renderer.template(mail.send.template).needs
        except TemplateError:
            continue  # told by the other checks
        # whom a campaign takes in, its condition decides: without data for it, nobody is sure to get this mail
        asks = mail.campaign.condition is not None or any(str(need).startswith("start.") for need in needs)
        for somebody in everybody:
            if asks and not somebody.fits(mail.campaign.name):
                continue
            try:
                told = preview(applied, mail, somebody, now, base_url=_BASE, keyring=keyring)
                yield _Made(mail, somebody, keyring, told.composed.rendered)
            except TemplateError as error:
                yield _Made(mail, somebody, keyring, None, str(error))


def _unfit(applied: Applied, made: Iterable[_Made]) -> list[TemplateProblem]:
    found: dict[tuple[str, str], TemplateProblem] = {}
    for each in made:
        name, locale = each.mail.send.template, each.somebody.snapshot.contact.locale or applied.programme.locale
        wrong = [(UNFIT, told) for told in ([each.failed] if each.rendered is None else check_rendered(each.rendered))]
        if each.rendered is not None:
            wrong += [(DISAGREE, told) for told in disagreements(each.rendered, locale=locale, base_url=_BASE)]
        for code, told in wrong:
            found.setdefault((name, told), _told(applied, each, code, told))
    return list(found.values())


def _told(applied: Applied, each: _Made, code: str, told: str) -> TemplateProblem:
    name, who = each.mail.send.template, each.somebody.told
    file = applied.renderer.draft(name).file
    hint = f"look at it: nurture preview {each.mail.name} --as {who.partition(' ')[0]}"
    return TemplateProblem(code, "warning", name, f"{TEMPLATES}{file}", 1, f"for {who}: {told}", hint)


def _unproven(applied: Applied, made: Iterable[_Made], now: datetime) -> Iterator[TemplateProblem]:
    slowly = replace(applied, renderer=applied.renderer.slowly())
    told: set[str] = set()
    for each in made:
        name = each.mail.send.template
        if each.rendered is None or name in told or not each.somebody.fits(each.mail.campaign.name):
            continue
        template = applied.renderer.template(name)
        if template.html is None or template.slow_because is not None:
            continue
        try:
            meant = preview(slowly, each.mail, each.somebody, now, base_url=_BASE, keyring=each.keyring)
        except TemplateError:
            continue  # told by the other checks, and by `nurture preview`
        if found := difference(each.rendered.html, meant.composed.rendered.html):
            told.add(name)
            yield _problem(applied, each.mail, each.somebody, found)


def _problem(applied: Applied, mail: Mail, somebody: Somebody, told: str) -> TemplateProblem:
    template = applied.renderer.template(mail.send.template)
    return TemplateProblem(
        UNPROVEN,
        "error",
        template.name,
        f"{TEMPLATES}{template.file}",
        1,
        f"for {somebody.told} its styles come out otherwise than if each mail were styled by itself: {told}",
        "make class and id constant, and keep rules from depending on neighbours",
    )
