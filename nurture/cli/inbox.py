"""`nurture inbox`: the mail that stayed on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import Refused, answer, faint, plural, printable, say, show, strong, table, when
from nurture.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from email.message import EmailMessage

    from nurture.sending.maildir import Inbox, InboxEntry


@click.group(cls=Group)
def inbox() -> None:
    """Read the mail that stayed on this machine.

    Without NURTURE_DELIVERY=smtp every mail lands here, exactly as it would have gone out. The folder is a Maildir: any
    mail program can open it.
    """


@inbox.command("list", cls=Command)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@json_option
@pass_session
def list_(session: Session, limit: int) -> None:
    """List the newest mails."""
    box = _box(session)
    entries = box.list(limit)
    more = box.count() - len(entries)
    answer([_plain(entry) for entry in entries], lambda: _tell(entries, session, more))


@inbox.command(cls=Command)
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@json_option
@pass_session
def search(session: Session, text: str, limit: int) -> None:
    """Find mails by what stands in their addresses, subjects and texts."""
    entries = _box(session).search(text, limit)
    answer([_plain(entry) for entry in entries], lambda: _tell(entries, session, 0, numbered=False))


@inbox.command("show", cls=Command)
@click.argument("mail", default="1")
@click.option("--html", "part", flag_value="html", help="The HTML source.")
@click.option("--raw", "part", flag_value="raw", help="The whole message, byte for byte.")
@click.option(
    "--text", "part", flag_value="text", default=True, help="Headers and plain text (if nothing else is said)."
)
@click.option("--out", type=click.Path(dir_okay=False, resolve_path=True, path_type=Path), metavar="FILE",
              help="Write that part to FILE.")  # fmt: skip
@click.option("--open", "open_", is_flag=True, help="Open the HTML in the browser.")
@json_option
@pass_session
def show_(session: Session, mail: str, part: str, out: Path | None, open_: bool) -> None:
    """Show one mail.

    MAIL is its number in `nurture inbox list` (1 is the newest), or its key.
    """
    box = _box(session)
    entry = _pick(box, mail)
    message = box.message(entry.key)
    if session.json:
        answer({**_plain(entry), **_parts(message)}, lambda: None)
        return
    if open_:
        _open(entry.key, _body(message, "html"))
        return
    content = {"raw": lambda: box.read(entry.key), "html": lambda: _body(message, "html").encode()}.get(
        part, lambda: _told(message).encode()
    )()
    if out is not None:
        out.write_bytes(content)
        say(f"Written to {out}.")
    else:
        show(content.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n"))


def _box(session: Session) -> Inbox:
    from nurture.sending.maildir import Inbox

    return Inbox(session.settings.inbox)


def _pick(box: Inbox, mail: str) -> InboxEntry:
    if mail.isdecimal() and len(mail) < 7:
        entries = box.list(int(mail))
        if len(entries) < int(mail) or mail == "0":
            raise Refused(f"There is no mail {mail}; {plural(box.count(), 'mail is', 'mails are')} in {box.folder}.")
        return entries[-1]
    entry = next((entry for entry in box.list(100_000) if entry.key == mail), None)
    if entry is None:
        raise Refused(f"There is no mail {printable(mail)} in {box.folder}; nurture inbox list shows them.")
    return entry


def _plain(entry: InboxEntry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "at": entry.at,
        "from": entry.sender,
        "to": entry.recipient,
        "subject": entry.subject,
        "bytes": entry.size,
    }


def _tell(entries: Sequence[InboxEntry], session: Session, more: int, numbered: bool = True) -> None:
    if not entries:
        folder = session.settings.inbox
        show(f"No mail in {folder}." if numbered else "No mail has that in it.")
        return
    names = [str(number) if numbered else entry.key for number, entry in enumerate(entries, 1)]
    rows = [(name, when(entry.at), entry.recipient, entry.subject) for name, entry in zip(names, entries, strict=True)]
    show(table(("mail", "at (UTC)", "to", "subject"), rows, right=frozenset({0} if numbered else ())))
    if more > 0:
        say(faint(f"and {plural(more, 'older mail')}; --limit shows more"))


def _parts(message: EmailMessage) -> dict[str, Any]:
    headers = [[name, str(value)] for name, value in message.items()]
    return {"headers": headers, "text": _body(message, "plain"), "html": _body(message, "html")}


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _told(message: EmailMessage) -> str:
    headers = [
        f"{strong(f'{name}:')} {printable(message[name])}"
        for name in ("From", "Reply-To", "To", "Subject", "Date", "List-Unsubscribe")
        if message[name] is not None
    ]
    text = _body(message, "plain") or "(no plain text; --html shows the HTML source)"
    body = "\n".join(printable(line) if line else "" for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join([*headers, "", body])


def _open(name: str, html: str) -> None:
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="nurture-"))
    path = folder / f"{name.partition('.')[0]}.html"
    path.write_text(html, encoding="utf-8")
    click.launch(path.as_uri())
    say(f"Opened {path}.")
