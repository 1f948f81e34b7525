"""`nurture campaigns`: what is applied, who stands where, and the hand on the tap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from nurture.cli.lazy import Command, Group
from nurture.cli.output import answer, careful, confirm, faint, good, plural, printable, say, show, strong, table
from nurture.cli.session import Session, json_option, pass_session, yes_option
from nurture.cli.values import pairs

if TYPE_CHECKING:
    from nurture.domain.campaign import Campaign
    from nurture.domain.programme import Programme


@click.group(cls=Group)
def campaigns() -> None:
    """See and steer the applied campaigns.

    To change what a campaign does, edit its file and apply it.
    """


@campaigns.command("list", cls=Command)
@json_option
@pass_session
def list_(session: Session) -> None:
    """List the applied campaigns and how many people are inside."""
    from nurture.storage.controls import paused_campaigns
    from nurture.storage.reports import standing

    programme = session.applied().programme
    with session.database.read() as tx:
        paused = paused_campaigns(tx)
        inside = {name: sum(standing(tx, name).values()) for name in programme.campaigns}
    found: list[dict[str, Any]] = [
        {
            "campaign": name,
            "title": campaign.title,
            "status": campaign.status,
            "paused": name in paused,
            "inside": inside[name],
            "mails": len(campaign.sends),
            "topic": campaign.topic,
            "priority": campaign.priority,
        }
        for name, campaign in programme.campaigns.items()
    ]

    def tell() -> None:
        rows = [
            (one["campaign"], _state(one["status"], one["paused"]), f"{one['inside']:,}", one["mails"], one["title"])
            for one in found
        ]
        show(table(("campaign", "state", "inside", "mails", "title"), rows, right=frozenset({2, 3})))

    answer(found, tell)


@campaigns.command("show", cls=Command)
@click.argument("campaign")
@json_option
@pass_session
def show_(session: Session, campaign: str) -> None:
    """Show one campaign: how people come in, what happens, who stands where."""
    from nurture.engine.programme_words import start_words, step_words
    from nurture.storage.controls import paused_campaigns
    from nurture.storage.reports import standing

    programme = session.applied().programme
    found = _campaign(programme, campaign)
    with session.database.read() as tx:
        people = standing(tx, campaign)
        is_paused = campaign in paused_campaigns(tx)
    data = {
        "campaign": found.name,
        "title": found.title,
        "status": found.status,
        "paused": is_paused,
        "topic": found.topic,
        "priority": found.priority,
        "file": found.file,
        "since": found.since,
        "start": start_words(found),
        "steps": [
            {"step": node.id, "does": step_words(node), "next": node.next, "inside": people.get(node.id, 0)}
            for node in found.nodes.values()
        ],
    }
    answer(data, lambda: _tell(found, people, is_paused))


@campaigns.command(cls=Command)
@click.argument("campaign")
@yes_option
@pass_session
def pause(session: Session, campaign: str, yes: bool) -> None:
    """Hold all mail of a campaign, on every daemon, from this moment on.

    People inside keep their places, and nobody new comes in meanwhile. What is on its way to the relay already is the
    last that goes.
    """
    from nurture.storage.controls import pause as pause_campaign

    found = _campaign(session.applied().programme, campaign)
    confirm(f"Hold all mail of {found.name}?", yes)
    now = session.clock.now()
    session.database.transact(lambda tx: pause_campaign(tx, campaign, now, by()))
    show(f"{campaign} is paused. Let it go on with: nurture campaigns resume {campaign}")


@campaigns.command(cls=Command)
@click.argument("campaign")
@yes_option
@pass_session
def resume(session: Session, campaign: str, yes: bool) -> None:
    """Let a paused campaign go on.

    Mails that grew too late meanwhile are skipped, each by the late rule of its step.
    """
    from nurture.storage.controls import resume as resume_campaign
    from nurture.storage.reports import standing

    found = _campaign(session.applied().programme, campaign)
    with session.database.read() as tx:
        people = sum(standing(tx, campaign).values())
    confirm(f"Let {found.name} go on, with {plural(people, 'person', 'people')} inside?", yes)
    now = session.clock.now()
    session.database.transact(lambda tx: resume_campaign(tx, campaign, now, by()))
    show(f"{campaign} goes on.")


@campaigns.command(cls=Command)
@click.argument("campaign")
@click.argument("people", nargs=-1, required=True, metavar="CONTACT...")
@click.option("--key", metavar="KEY", help="What this passage is about; one enrolment per key.")
@click.option("--with", "with_", multiple=True, metavar="NAME=VALUE", help="Start data; may be repeated.")
@yes_option
@pass_session
def enrol(
    session: Session, campaign: str, people: tuple[str, ...], key: str | None, with_: tuple[str, ...], yes: bool
) -> None:
    """Put people into a campaign by hand.

    Its start rule is passed over; consent, caps and quiet hours are not.
    """
    from nurture.engine.people import enrol as enrol_people

    data = pairs(with_, "--with")
    programme = session.applied().programme
    _campaign(programme, campaign)
    confirm(f"Put {plural(len(people), 'person', 'people')} into {campaign}?", yes)
    count = enrol_people(session.database, programme, campaign, people, data, session.clock.now(), key=key)
    show(f"{plural(count, 'person enters', 'people enter')} {campaign} at the next turn.")


@campaigns.command(cls=Command)
@click.argument("campaign")
@click.argument("people", nargs=-1, required=True, metavar="CONTACT...")
@yes_option
@pass_session
def eject(session: Session, campaign: str, people: tuple[str, ...], yes: bool) -> None:
    """Take people out of a campaign at once."""
    from nurture.engine.people import eject as eject_people

    programme = session.applied().programme
    _campaign(programme, campaign)
    confirm(f"Take {plural(len(people), 'person', 'people')} out of {campaign}?", yes)
    count = eject_people(session.database, programme, campaign, people, session.clock.now())
    show(f"{plural(count, 'person leaves', 'people leave')} {campaign}; no mail of it is sent to them any more.")


def _campaign(programme: Programme, name: str) -> Campaign:
    from nurture.engine.people import unknown_campaign

    found = programme.campaigns.get(name)
    if found is None:
        raise unknown_campaign(programme, name)
    return found


def by() -> str:
    """Who does this, for the record."""
    import getpass
    import socket

    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()


def _state(status: Any, paused: bool) -> str:
    return "paused by hand" if paused else str(status.value)


# --- telling


def _tell(campaign: Campaign, people: Mapping[str | None, int], is_paused: bool) -> None:
    from nurture.engine.programme_words import start_words, step_words, stop_words

    state = _state(campaign.status, is_paused)
    paint = good if state == "live" else careful
    show(f"{strong(campaign.name)}  {printable(campaign.title)}  {paint(state)}")
    say(faint(f"{campaign.file}, topic {campaign.topic or '-'}, priority {campaign.priority}"))
    show(f"  {'starts'.ljust(10)}{start_words(campaign)}")
    for stop in campaign.stops:
        show(f"  {'stops'.ljust(10)}{stop_words(stop)}")
    if campaign.goal is not None:
        show(f"  {'goal'.ljust(10)}{campaign.goal.event} within {campaign.goal.within.text or campaign.goal.within}")
    show()
    rows = [(node.id, step_words(node), f"{people.get(node.id, 0) or ''}") for node in campaign.nodes.values()]
    show(table(("step", "does", "people here"), rows, right=frozenset({2})))
