"""`nurture forms`: the sign-up forms of the project, and what to put into a page of one's own."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, say, show, table
from nurture.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from nurture.domain.forms import Form
    from nurture.domain.programme import Programme


@click.group(cls=Group)
def forms() -> None:
    """Show the sign-up forms, and how to put one into a page."""


@forms.command("list", cls=Command)
@json_option
@pass_session
def list_(session: Session) -> None:
    """Show the applied forms and where they are."""
    found = session.applied().programme.forms
    data = [{"form": form.name, "url": _address(session, form), "event": form.event} for form in found.values()]

    def told() -> None:
        if not found:
            show("There are no forms. Write forms: into campaigns/_project.yaml, and apply it.")
            return
        show(table(("form", "where", "tells"), [(each["form"], each["url"], each["event"]) for each in data]))

    answer({"forms": data}, told)


@forms.command(cls=Command)
@click.argument("name")
@click.option("--language", help="The language of its texts; the form's first one if left out.")
@json_option
@pass_session
def snippet(session: Session, name: str, language: str | None) -> None:
    """Print the form NAME as HTML for a page of your own; without scripts, without styles."""
    programme = session.applied().programme
    form = programme.forms.get(name)
    if form is None:
        known = ", ".join(programme.forms) or "none"
        raise click.UsageError(f"no form {name!r} is applied; there is {known}")
    if language is not None and language not in form.texts:
        raise click.UsageError(f"the form {name} has no texts in {language!r}; it has {', '.join(form.texts)}")
    html = snippet_of(programme, form, language or next(iter(form.texts)), _address(session, form))

    def told() -> None:
        show(html)
        say("Visitors see the form once more on our own page, filled in, and press its button there.")

    answer({"form": name, "html": html}, told)


def snippet_of(programme: Programme, form: Form, language: str, url: str) -> str:
    """The form as HTML, posting to `url`."""
    text = form.texts[language]
    lines = [
        f'<form method="post" action="{escape(url)}">',
        f'  <input type="hidden" name="language" value="{language}">',
    ]
    email = text.labels.get("email", "E-mail")
    lines.append(_row("email", email, 'type="email" required maxlength="254" autocomplete="email"'))
    lines += [_row(f"field-{each}", text.label(each), 'type="text" maxlength="100"') for each in form.fields]
    if len(form.topics) > 1:
        lines += [
            f'  <label><input type="checkbox" name="topic" value="{each}"> {escape(title)}</label>'
            for each, title in ((each, programme.topics[each].title) for each in form.topics)
        ]
    lines += [f"  <p>{escape(text.wording)}</p>", f"  <button>{escape(text.title)}</button>", "</form>"]
    return "\n".join(lines)


def _row(name: str, label: str, attributes: str) -> str:
    return f'  <label>{escape(label)} <input name="{name}" {attributes}></label>'


def _address(session: Session, form: Form) -> str:
    return f"{session.settings.base_url.rstrip('/')}/s/{form.name}"
