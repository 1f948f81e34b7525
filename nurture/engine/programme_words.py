"""What the parts of a programme do, each in one line: for the command line and the studio."""

from __future__ import annotations

from collections.abc import Iterable

from nurture.domain.campaign import (
    Campaign,
    DateStart,
    EventStart,
    EventStop,
    SegmentStart,
    StageStart,
    StageStop,
    Stop,
)
from nurture.domain.stages import StageMove
from nurture.domain.steps import (
    Alert,
    Branch,
    End,
    Goto,
    Move,
    Record,
    Send,
    SetAttributes,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitQuiet,
    WaitUntil,
    Webhook,
)

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def start_words(campaign: Campaign) -> str:
    """How people come in."""
    match campaign.start:
        case EventStart(event):
            told = f"on {event}"
        case StageStart(None, to):
            told = f"on coming into {to}"
        case StageStart(before, to):
            told = f"on going from {' or '.join(sorted(before or ()))} to {to}"
        case SegmentStart(segment):
            told = f"on entering the segment {segment}"
        case DateStart(date, at):
            told = f"each year on {date.source}, at {at:%H:%M}"
        case _:
            told = "by hand only"
    return told + (f", if {campaign.condition.source}" if campaign.condition is not None else "")


def stop_words(stop: Stop) -> str:
    """What ends it."""
    match stop:
        case EventStop(event, where):
            return f"on {event}" + (f", where {where.source}" if where is not None else "")
        case StageStop(_, to):
            return f"on coming into {to}"
        case _:
            return f"on being in the segment {stop.segment}"


def move_words(move: StageMove) -> str:
    """What leads people from stage to stage."""
    if move.on:
        told = f"on {', '.join(sorted(move.on))}"
    else:
        told = f"after {move.after.text}" if move.after is not None else ""
    if move.condition is not None:
        told += f"{', ' if told else ''}if {move.condition.source}"
    return told


def step_words(node: Step) -> str:
    """What a step does."""
    match node:
        case Send():
            told = f"sends {node.template}" + (f" with {node.offer}" if node.offer else "")
            return told + (f", if {node.condition.source}" if node.condition is not None else "")
        case Wait() | WaitUntil() | WaitFor() | WaitQuiet():
            return wait_words(node)
        case Branch():
            return " / ".join(arm.condition.source if arm.condition is not None else "else" for arm in node.arms)
        case Split():
            return f"splits by {node.name}: " + ", ".join(f"{arm.name} {arm.share:g}" for arm in node.arms)
        case SetAttributes():
            return "sets " + ", ".join(name for name, _ in node.values)
        case Goto():
            return f"goes back to {node.target}, at most {node.times} times"
        case Record():
            return f"records {node.event}"
        case Move():
            return f"moves to {node.stage}"
        case Webhook():
            return f"calls {node.name}"
        case Alert():
            return f"alerts {node.team}"
        case End():
            return "ends"


def wait_words(node: Wait | WaitUntil | WaitFor | WaitQuiet) -> str:
    """How long a step waits, or for what."""
    match node:
        case Wait():
            parts = [node.duration.text] if node.duration is not None else []
            parts += [f"until {node.until:%H:%M}"] if node.until is not None else []
            parts += [f"on {days_words(node.days)}"] if node.days else []
            parts += ["on business days"] if node.business_days else []
            return f"waits {', '.join(parts)}"
        case WaitFor():
            return f"waits for {node.event}, up to {node.up_to.text}"
        case WaitQuiet():
            return f"waits for {node.duration.text} of quiet"
        case WaitUntil():
            return f"waits until {node.instant.source}"


def days_words(days: Iterable[int]) -> str:
    """`Mon, Tue`."""
    return ", ".join(WEEKDAYS[day] for day in sorted(days))
