"""The small language of the reference model: plans of mails and waits, caps and quiet hours, and the files they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Mail:
    """A `send`; a receipt is transactional."""

    step: str
    late: timedelta
    skip_on_cap: bool = False
    receipt: bool = False


@dataclass(frozen=True)
class Wait:
    hours: int


@dataclass(frozen=True)
class Plan:
    """A campaign. `again` None is always, zero is never. `goal` is an event and within how many hours."""

    name: str
    priority: int
    start: str
    steps: tuple[Mail | Wait, ...]
    stop: str | None = None
    again: timedelta | None = None
    goal: tuple[str, int] | None = None


@dataclass(frozen=True)
class Rules:
    """`caps` are (most, per); `quiet` are two hours of the day."""

    plans: tuple[Plan, ...]
    caps: tuple[tuple[int, timedelta], ...] = ()
    quiet: tuple[int, int] | None = None

    def files(self) -> tuple[tuple[str, ...], str]:
        """The campaign files, and what to add to the project file."""
        caps = "".join(f"  - {{max: {most}, per: {per // HOUR} hours}}\n" for most, per in self.caps)
        quiet = f"quiet_hours: {self.quiet[0]:02}:00-{self.quiet[1]:02}:00\n" if self.quiet else ""
        return tuple(_written(plan) for plan in self.plans), (f"caps:\n{caps}" if caps else "") + quiet


def _written(plan: Plan) -> str:
    again = "always" if plan.again is None else f"after {plan.again // HOUR} hours" if plan.again else "never"
    lines = [f"campaign: {plan.name}", f"priority: {plan.priority}", f"start: {{event: {plan.start}, again: {again}}}"]
    lines += [f"stop: {{event: {plan.stop}}}"] if plan.stop else []
    lines += [f"goal: {{event: {plan.goal[0]}, within: {plan.goal[1]} hours}}"] if plan.goal else []
    lines.append("steps:")
    for step in plan.steps:
        if isinstance(step, Wait):
            lines.append(f"  - wait: {step.hours} hours")
        else:
            more = ", on_cap: skip" if step.skip_on_cap else ", kind: transactional" if step.receipt else ""
            late = step.late // HOUR
            lines.append(f"  - {{id: {step.step}, send: {step.step}, late: drop after {late} hours{more}}}")
    return "\n".join(lines) + "\n"
