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
from nurture.rendering.problems import TemplateProblem
from nurture.rendering.proof import difference

UNPROVEN = "N456"
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
