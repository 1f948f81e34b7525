"""Mails of a simulation that are really built, to find the people whose data a template cannot do with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from nurture.domain.delivery import Delivery, DeliveryState
from nurture.domain.ledger import Reason
from nurture.domain.needs import needs_of
from nurture.domain.programme import Programme
from nurture.domain.steps import Send
from nurture.domain.tokens import Keyring
from nurture.engine.compose import Composer
from nurture.engine.resident import Resident
from nurture.engine.revisions import Applied, renderer_of
from nurture.engine.simulate import SENT, Answer
from nurture.engine.simulation.lives import Render
from nurture.errors import TemplateError
from nurture.language.compile import Compiled, compile_project
from nurture.rendering.renderer import Rendered, Renderer

BASE_URL = "https://mail.example"  # no link of a simulated mail is ever followed

Keep = Callable[[Delivery, Rendered], None]


def forgotten(_delivery: Delivery, _rendered: Rendered) -> None:
    """Nobody looks at the mail."""


def rendering(programme: Programme, sources: Mapping[str, str]) -> Render:
    """Build each mail as dispatch would; one that cannot be built is skipped, as it would be there."""
    return building(programme, sources, compile_project(sources), renderer_of(sources, programme))


def building(
    programme: Programme, sources: Mapping[str, str], compiled: Compiled, renderer: Renderer, keep: Keep = forgotten
) -> Render:
    """The same with a renderer that is there; `keep` is given every mail that was built."""
    applied = Applied(0, programme, renderer, needs_of(programme), compiled, sources)
    compose = Composer(Keyring(("simulated mails have no secrets to keep",)), base_url=BASE_URL)

    def render(person: Resident, delivery: Delivery, now: datetime) -> Answer:
        campaign = programme.campaigns[delivery.campaign]
        send = campaign.nodes[delivery.step]
        enrolment = next(each for each in person.enrolments if each.seq == delivery.enrolment)
        if not isinstance(send, Send):
            return SENT
        try:
            composed = compose.compose(applied, campaign, send, person.contact, enrolment, delivery, now)
        except TemplateError as error:
            return Answer(DeliveryState.SKIPPED, reason=Reason.TEMPLATE_ERROR, detail={"error": str(error)})
        keep(delivery, composed.rendered)
        return SENT

    return render
