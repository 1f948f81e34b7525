"""`nurture send-test`: a mail to yourself, through the very sender that mails everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command
from nurture.cli.output import Refused, answer, careful, confirm, plural, printable, say, show
from nurture.cli.preview import from_files, somebody
from nurture.cli.session import Session, json_option, pass_session, yes_option

if TYPE_CHECKING:
    from nurture.domain.retry import Attempt
    from nurture.engine.preview import Previewed
    from nurture.rendering.message import MessageSigner
    from nurture.settings import Settings

MOST_RECIPIENTS = 10
RELAY_FAILED = 3


@click.command("send-test", cls=Command)
@click.argument("what")
@click.option("--to", "recipients", multiple=True, required=True, metavar="ADDRESS", help="To whom; may be repeated.")
@click.option("--as", "person", metavar="PERSON", help="Made for this example person, or contact of the database.")
@yes_option
@json_option
@pass_session
def send_test(session: Session, what: str, recipients: tuple[str, ...], person: str | None, yes: bool) -> None:
    """Send a mail to yourself through the real sender.

    WHAT is campaign/step, a template, or a campaign for all its mails, made from the files of this folder. The subject
    is marked [TEST], no link in it works, and nothing is written to the database. With NURTURE_ALLOW_LIST set, other
    addresses are refused.
    """
    import asyncio

    from nurture.engine.preview import named, preview

    settings = session.settings
    _check(session, recipients)
    applied = from_files()
    wanted = named(applied, what)
    signer = _signer(settings)
    made = [
        preview(
            applied,
            mail,
            somebody(session, applied, mail, person),
            session.clock.now(),
            base_url=settings.base_url,
            bounce_domain=settings.bounce_domain,
            signer=signer,
            to=to,
            mark="[TEST] ",
        )
        for mail in wanted
        for to in recipients
    ]
    if settings.delivery == "smtp":
        confirm(f"Send {plural(len(made), 'test mail')} to {', '.join(map(printable, recipients))}?", yes)
    results = asyncio.run(_send(session, made))
    data = [_plain(one, attempt, seconds) for one, attempt, seconds in results]

    def tell() -> None:
        for one, attempt, seconds in results:
            _tell(one, attempt, seconds, settings)

    failed = [attempt for _, attempt, _ in results if not _went(attempt)]
    problems = [{"severity": "error", "message": attempt.text} for attempt in failed]
    answer(data, tell, problems, ok=not failed)
    if failed:
        click.get_current_context().exit(RELAY_FAILED)


def _check(session: Session, recipients: tuple[str, ...]) -> None:
    from nurture.intake.addresses import address_problem
    from nurture.sending.allow_list import AllowList

    if len(recipients) > MOST_RECIPIENTS:
        raise click.UsageError(f"a test goes to {MOST_RECIPIENTS} addresses at most")
    transport = session.app.transport()
    for address in recipients:
        if problem := address_problem(address):
            raise click.UsageError(f"{printable(address)} {problem}")
        if isinstance(transport, AllowList) and not transport.allows(address):
            allowed = ", ".join(session.settings.allow_list)
            raise Refused(f"NURTURE_ALLOW_LIST does not let mail go to {printable(address)}, only to {allowed}.")


def _signer(settings: Settings) -> MessageSigner | None:
    if settings.dkim_key_file is None or settings.dkim_domain is None or settings.dkim_selector is None:
        return None
    from nurture.rendering.dkim import load_signer

    return load_signer(settings.dkim_key_file, settings.dkim_domain, settings.dkim_selector)


async def _send(session: Session, made: list[Previewed]) -> list[tuple[Previewed, Attempt, float]]:
    """One after the other, over one connection where the relay keeps it open."""

    async def gate() -> bool:
        return True

    transport = session.app.transport()
    results = []
    try:
        for one in made:
            began = session.clock.monotonic()
            attempt = await transport.send(one.composed.mail, gate)
            results.append((one, attempt, session.clock.monotonic() - began))
            if not _went(attempt):
                break
    finally:
        await transport.close(5)
    return results


def _went(attempt: Attempt) -> bool:
    return attempt.fault is None and attempt.phase == "done" and attempt.code is not None and attempt.code < 300


def _plain(one: Previewed, attempt: Attempt, seconds: float) -> dict[str, Any]:
    return {
        "mail": one.mail.name,
        "to": one.composed.mail.recipient,
        "for": one.somebody.told,
        "subject": one.composed.rendered.subject,
        "sent": _went(attempt),
        "phase": attempt.phase,
        "code": attempt.code,
        "text": attempt.text,
        "seconds": round(seconds, 3),
        "message_bytes": len(one.composed.mail.data),
        "notes": one.notes,
    }


def _tell(one: Previewed, attempt: Attempt, seconds: float, settings: Settings) -> None:
    to, size = one.composed.mail.recipient, len(one.composed.mail.data) / 1024
    name = f"{one.mail.name} to {printable(to)} as {printable(one.somebody.told)}"
    if not _went(attempt):
        code = f"{attempt.code} " if attempt.code is not None and not attempt.text.startswith(str(attempt.code)) else ""
        raise Failed(f"{name} was not sent. At {attempt.phase}: {code}{printable(attempt.text)}")
    show(f'sent {name} in {seconds:.1f} s, {size:.0f} KB, subject "{printable(one.composed.rendered.subject)}"')
    for note in one.notes:
        say(careful(printable(note)))
    if settings.delivery == "inbox":
        say("It is in the local inbox: nurture inbox show. To really send, set NURTURE_DELIVERY=smtp.")


class Failed(click.ClickException):
    """The relay, or the way to it, did not take the mail."""

    exit_code = RELAY_FAILED
