"""The proof of inlining for real data: every mail, for the example people who have data for it, made both ways."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from nurture.domain.tokens import Keyring
from nurture.engine.preview import Mail, Somebody, example, mails, preview
from nurture.engine.revisions import Applied
from nurture.errors import TemplateError
from nurture.language.source import TEMPLATES
from nurture.rendering.checks import check_rendered
from nurture.rendering.problems import TemplateProblem
from nurture.rendering.proof import difference

UNPROVEN = "N456"
UNFIT = "N457"
_BASE = "https://mail.example"


def unproven(applied: Applied, now: datetime) -> list[TemplateProblem]:
    """A problem for each template whose styles, inlined once for all, are not what inlining each mail would give."""
    everybody = [example(applied, person, now) for person in applied.compiled.people.values()]
    slowly = replace(applied, renderer=applied.renderer.slowly())
    keyring = Keyring([secrets.token_hex(32)])
    found: dict[str, TemplateProblem] = {}
    for mail in mails(applied):
        if mail.send.template in found:
            continue
        for somebody in everybody:
            if somebody.fits(mail.campaign.name) and (
                told := _difference(applied, slowly, mail, somebody, now, keyring)
            ):
                found[mail.send.template] = _problem(applied, mail, somebody, told)
                break
    return list(found.values())


def unfit(applied: Applied, now: datetime) -> list[TemplateProblem]:
    """A problem for each template whose mail cannot be made, or comes out wrong, for an example person."""
    everybody = [example(applied, person, now) for person in applied.compiled.people.values()]
    keyring = Keyring([secrets.token_hex(32)])
    found: dict[tuple[str, str], TemplateProblem] = {}
    for mail in mails(applied):
        needs = applied.renderer.template(mail.send.template).needs
        # whom a campaign takes in, its condition decides: without data for it, nobody is sure to get this mail
        asks = mail.campaign.condition is not None or any(str(need).startswith("start.") for need in needs)
        for somebody in everybody:
            if asks and not somebody.fits(mail.campaign.name):
                continue
            try:
                made = preview(applied, mail, somebody, now, base_url=_BASE, keyring=keyring).composed.rendered
                wrong = check_rendered(made)
            except TemplateError as error:
                wrong = [str(error)]
            for told in wrong:
                found.setdefault((mail.send.template, told), _unfit(applied, mail, somebody, told))
    return list(found.values())


def _unfit(applied: Applied, mail: Mail, somebody: Somebody, told: str) -> TemplateProblem:
    name = mail.send.template
    file = applied.renderer.draft(name).file
    hint = f"look at it: nurture preview {mail.name} --as {somebody.told.partition(' ')[0]}"
    return TemplateProblem(UNFIT, "warning", name, f"{TEMPLATES}{file}", 1, f"for {somebody.told}: {told}", hint)


def _difference(
    applied: Applied, slowly: Applied, mail: Mail, somebody: Somebody, now: datetime, keyring: Keyring
) -> str | None:
    try:
        template = applied.renderer.template(mail.send.template)
        if template.html is None or template.slow_because is not None:
            return None
        sent, meant = (
            preview(way, mail, somebody, now, base_url=_BASE, keyring=keyring).composed.rendered.html
            for way in (applied, slowly)
        )
    except TemplateError:
        return None  # told by the other checks, and by `nurture preview`
    return difference(sent, meant)


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
