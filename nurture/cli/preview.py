"""`nurture preview`: a mail as a person would get it, on the screen, in files, or in the browser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command
from nurture.cli.output import Refused, answer, careful, faint, plural, printable, say, show, strong, table
from nurture.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from nurture.engine.preview import Mail, Previewed, Somebody
    from nurture.engine.revisions import Applied

GMAIL_CUTS_AT = 102 * 1024


@click.command(cls=Command)
@click.argument("what", required=False)
@click.option("--as", "person", metavar="PERSON", help="An example person, or a contact of the database.")
@click.option("--html", "part", flag_value="html", help="Print the HTML.")
@click.option("--headers", "part", flag_value="headers", help="Print the headers.")
@click.option("--raw", "part", flag_value="raw", help="Print the whole message as it would go out.")
@click.option("--text", "part", flag_value="text", default=True, help="Print the plain text (if nothing else is said).")
@click.option("--out", type=click.Path(file_okay=False, resolve_path=True, path_type=Path), metavar="DIR",
              help="Write HTML, text, headers and the whole message to files in DIR.")  # fmt: skip
@click.option("--open", "open_", is_flag=True, help="Look at it in the studio, in the browser.")
@json_option
@pass_session
def preview(session: Session, what: str | None, person: str | None, part: str, out: Path | None, open_: bool) -> None:
    """Show a mail as a person would get it.

    WHAT is campaign/step, a template, or a campaign for all its mails; without it, all mails are listed, or all are
    shown with --out and --open. It is made from the files of this folder, for the example person who fits, or for
    --as. Nothing is sent, and no link in it works. --open shows it in the studio, which is served until Ctrl-C if
    `nurture dev` does not run already; with --out it opens what was written.
    """
    applied = from_files()
    if out is None and open_:
        from nurture.cli.dev import open_page

        if session.json:
            raise click.UsageError("--open shows it, --json prints it: choose one.")
        open_page(session, _page(applied, what, person))
        return
    if what is None and out is None:
        _list(applied)
        return
    previewed = _previews(session, applied, what, person)
    if out is not None:
        pages = [write(out, one) for one in previewed]
        index = _index(out, previewed, pages)
        answer([_plain(one) for one in previewed], lambda: show(f"{plural(len(pages), 'mail')} in {out}."))
        if open_:
            click.launch((pages[0] if len(pages) == 1 else index).as_uri())
        return
    answer([{**_plain(one), **_bodies(one)} for one in previewed], lambda: _tell(previewed, part))


def from_files() -> Applied:
    """The files of this folder, compiled. Errors in them end the command with 1."""
    from nurture.engine.revisions import assemble
    from nurture.errors import ConfigurationError
    from nurture.language.source import read_project

    sources = read_project(Path())
    try:
        return assemble(sources)
    except ConfigurationError as error:
        raise Refused(str(error)) from error


def somebody(session: Session, applied: Applied, mail: Mail, person: str | None) -> Somebody:
    """Whom to show it for: an example person by name, a contact, or the example who fits the mail best."""
    from nurture.engine.preview import best_example, example, real

    now = session.clock.now()
    if person is None:
        return best_example(applied, mail, now)
    if person in applied.compiled.people:
        return example(applied, applied.compiled.people[person], now)
    if not re.search(r"[@0-9]", person):
        names = ", ".join(sorted(applied.compiled.people))
        raise Refused(
            f"There is no example person {printable(person)}. There is {names}; or name a contact by address."
        )
    return real(session.database, applied, person, now)


def _previews(session: Session, applied: Applied, what: str | None, person: str | None) -> list[Previewed]:
    from nurture.engine.preview import mails, named
    from nurture.engine.preview import preview as make

    wanted = mails(applied) if what is None else named(applied, what)
    settings = session.settings
    return [
        make(
            applied,
            mail,
            somebody(session, applied, mail, person),
            session.clock.now(),
            base_url=settings.base_url,
            bounce_domain=settings.bounce_domain,
        )
        for mail in wanted
    ]


def _page(applied: Applied, what: str | None, person: str | None) -> str:
    """Where the studio shows it."""
    from urllib.parse import quote, urlencode

    from nurture.engine.preview import named

    found = named(applied, what) if what is not None else []
    if len(found) == 1:
        return f"/mail/{quote(found[0].name)}" + (f"?{urlencode({'as': person})}" if person else "")
    return f"/campaign/{quote(found[0].campaign.name)}" if found else "/mails"


def _list(applied: Applied) -> None:
    from nurture.engine.preview import mails

    found = mails(applied)
    data = [{"mail": mail.name, "template": mail.send.template, "kind": mail.send.kind} for mail in found]
    rows = [(mail.name, mail.send.template, mail.send.kind.value) for mail in found]
    answer(data, lambda: show(table(("mail", "template", "kind"), rows)))
    say(faint(f"Look at one: nurture preview {found[0].name}" if found else "No mail yet."))


# --- parts of a mail


def _headers(one: Previewed) -> str:
    head = one.composed.mail.data.partition(b"\r\n\r\n")[0]
    return head.decode("utf-8", "replace").replace("\r\n", "\n")


def _bodies(one: Previewed) -> dict[str, Any]:
    rendered = one.composed.rendered
    return {"headers": _headers(one), "text": rendered.text, "html": rendered.html}


def _plain(one: Previewed) -> dict[str, Any]:
    rendered = one.composed.rendered
    return {
        "mail": one.mail.name,
        "template": one.mail.send.template,
        "for": one.somebody.told,
        "subject": rendered.subject,
        "preheader": rendered.preheader,
        "html_bytes": len(rendered.html.encode()),
        "message_bytes": len(one.composed.mail.data),
        "notes": one.notes,
    }


def _tell(previewed: Sequence[Previewed], part: str) -> None:
    for number, one in enumerate(previewed):
        if number:
            show()
        rendered = one.composed.rendered
        say(strong(one.mail.name) + faint(f" for {printable(one.somebody.told)}, {weight(one)}"))
        for note in one.notes:
            say(careful(printable(note)))
        if part == "html":
            show(rendered.html.rstrip("\n"))
        elif part == "headers":
            show(_headers(one))
        elif part == "raw":
            show(one.composed.mail.data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n"))
        else:
            say(f"{faint('Subject:')} {printable(rendered.subject)}")
            say(f"{faint('Preview:')} {printable(rendered.preheader)}")
            say()
            show("\n".join(printable(line) if line else "" for line in rendered.text.rstrip("\n").split("\n")))


def weight(one: Previewed) -> str:
    """How heavy the HTML is, against where Gmail cuts."""
    size = len(one.composed.rendered.html.encode())
    return f"{size / 1024:.0f} KB of HTML" + (", Gmail cuts it at 102 KB" if size > GMAIL_CUTS_AT else "")


# --- files


def write(folder: Path, one: Previewed) -> Path:
    """Write the parts of a mail beside each other; the path of its HTML, or of its text if it has none."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", f"{one.mail.name}--{one.somebody.told.partition(' ')[0]}")
    rendered = one.composed.rendered
    parts = {".txt": rendered.text, ".headers.txt": _headers(one) + "\n"}
    if rendered.html:
        parts[".html"] = rendered.html
    for suffix, text in parts.items():
        (folder / f"{name}{suffix}").write_text(text, encoding="utf-8")
    (folder / f"{name}.eml").write_bytes(one.composed.mail.data)
    return folder / f"{name}{'.html' if rendered.html else '.txt'}"


def _index(folder: Path, previewed: Iterable[Previewed], pages: Iterable[Path]) -> Path:
    """A page that shows all of them as a mailbox would, with a way to each."""
    rows = []
    for one, page in zip(previewed, pages, strict=True):
        rendered = one.composed.rendered
        notes = "".join(f"<br><small>{escape(note)}</small>" for note in one.notes)
        rows.append(
            f'<tr><td><a href="{escape(page.name)}">{escape(one.mail.name)}</a><td>{escape(one.somebody.told)}'
            f"<td><b>{escape(rendered.subject)}</b> {escape(rendered.preheader)}{notes}<td>{weight(one)}"
        )
    style = "body{font:16px/1.5 system-ui;margin:2rem}td{padding:.3rem 1rem .3rem 0;vertical-align:top}"
    head = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Mails</title><style>{style}</style><table>'
    index = folder / "index.html"
    index.write_text(head + "\n".join(rows) + "</table></html>\n", encoding="utf-8")
    return index
