"""`forms` of _project.yaml: the sign-up forms that people's own pages serve."""

# ruff: noqa: RUF012  # pydantic copies the defaults of its fields

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from nurture.domain.campaign import Campaign, ManualStart
from nurture.domain.forms import Form, FormText
from nurture.domain.steps import MailKind
from nurture.language.contract import COLUMNS
from nurture.language.fields import NameField, TextList
from nurture.language.names import Path, Scope
from nurture.language.source import SourceFile
from nurture.language.steps import Strict

LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"


class FormTextRule(Strict):
    """A form in one language."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    """What the page is headed by."""
    wording: Annotated[str, Field(min_length=1, max_length=2000)]
    """What people agree to, word for word; it is kept as proof of their yes."""
    thanks: Annotated[str, Field(min_length=1, max_length=2000)]
    """What they read once they have confirmed."""
    labels: dict[NameField, str] = {}
    """What the fields are called."""


class FormRule(Strict):
    """A sign-up form, served at /s/NAME."""

    event: str
    """Told once somebody has confirmed; one of `consent: granted_by`."""
    confirm: str
    """The campaign that mails the link to confirm by: started by hand, transactional mail only."""
    topics: TextList | None = None
    """What can be ticked; a single one needs no tick. Left out: all marketing mail."""
    fields: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]] = Field([], max_length=10)
    """Attributes that are asked for, none of them required."""
    texts: dict[Annotated[str, Field(pattern=LANGUAGE)], FormTextRule] = Field(min_length=1)
    """The form by language; the first one stands in for those that are missing."""


def compile_forms(
    rules: Mapping[str, FormRule], grants: frozenset[str], campaigns: Mapping[str, Campaign], scope: Scope
) -> dict[str, Form]:
    """The forms, checked against consent (`grants`: the events that grant it), topics and campaigns."""
    forms: dict[str, Form] = {}
    for name, rule in rules.items():
        path: Path = ("forms", name)
        if rule.event not in grants:
            hint = "list it there, or name one that is"
            scope.file.report("N704", (*path, "event"), f"{rule.event} is not in consent: granted_by", hint)
        scope.event(rule.event, (*path, "event"))
        for index, topic in enumerate(rule.topics or ()):
            scope.among(topic, scope.known.topics, (*path, "topics", index), "N205", "topic")
        for index, attribute in enumerate(rule.fields):
            if attribute in COLUMNS:
                message = f"{attribute} is not asked for by a form"
                scope.file.report("N105", (*path, "fields", index), message, "name an attribute of your own")
        scope.campaign_named(rule.confirm, (*path, "confirm"))
        if rule.confirm in campaigns:
            _check_confirmation(campaigns[rule.confirm], (*path, "confirm"), scope.file)
        texts = {
            language: FormText(text.title, text.wording, text.thanks, dict(text.labels))
            for language, text in rule.texts.items()
        }
        forms[name] = Form(name, rule.event, rule.confirm, texts, tuple(rule.topics or ()), tuple(rule.fields))
    return forms


def _check_confirmation(campaign: Campaign, path: Path, file: SourceFile) -> None:
    """She has not said yes yet: nothing but what she asked for may come."""
    if not isinstance(campaign.start, ManualStart):
        message = f"{campaign.name} is not started by hand"
        file.report("N705", path, message, "write start: {manual: true}; the form puts people in")
    if not campaign.sends or any(send.kind is not MailKind.TRANSACTIONAL for send in campaign.sends):
        hint = "give its send steps kind: transactional, and leave out whatever advertises"
        file.report("N705", path, f"{campaign.name} does not send transactional mail only", hint)
