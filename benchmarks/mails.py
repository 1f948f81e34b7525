"""What one mail costs to build, against styling each one by itself as most senders do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, median_seconds
from nurture.domain.delivery import Delivery
from nurture.domain.enrolment import Enrolment
from nurture.domain.personal import Links, template_context
from nurture.domain.tokens import Keyring
from nurture.engine.compose import Composer
from nurture.engine.preview import Mail, best_example, named
from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.rendering.inlining import inline_css
from nurture.rendering.template import HTML

ROOT = Path(__file__).parents[1]
BASE = "https://mail.northwind.example"
NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
MAILS = 500


def measure() -> list[Figure]:
    applied = assemble(read_project(ROOT), 1)
    mail = named(applied, "abandoned-cart/reminder")[0]
    somebody = best_example(applied, mail, NOW)
    contact, start = somebody.snapshot.contact, somebody.start_data(mail.campaign.name)
    enrolment = Enrolment(1, mail.campaign.name, "", 1, NOW, start=start, node=mail.send.id, since=NOW)
    composer = Composer(Keyring(["benchmark" * 4]), base_url=BASE)

    def build() -> None:
        for seq in range(MAILS):
            composer.compose(applied, mail.campaign, mail.send, contact, enrolment, _delivery(mail, seq), NOW)

    document = "".join(segment.source for segment in applied.renderer.draft(mail.send.template).document)
    program = HTML.compiled(document, "benchmark")
    links = Links(f"{BASE}/u/t", f"{BASE}/p/t", f"{BASE}/v/t")
    context = template_context(applied.programme, mail.campaign, mail.send, contact, start, None, links)
    data = applied.renderer._data(context)  # noqa: SLF001 - what the sandbox is handed, without the work around it

    def style_by_itself() -> None:
        inline_css(program.run(data), "benchmark")

    build()
    ours, usual = median_seconds(build, 5) / MAILS, median_seconds(style_by_itself, 5)
    return [
        Figure("a whole mail, from data to octets", 1e6 * ours, "us", at_most=2000),
        Figure("its HTML alone, by Jinja and premailer for each recipient", 1e6 * usual, "us"),
        Figure("the one against the other", usual / ours, "times", at_least=20),
    ]


def _delivery(mail: Mail, seq: int) -> Delivery:
    send = mail.send
    return Delivery(
        contact_id=1, seq=seq, enrolment=1, campaign=mail.campaign.name, step=send.id, visit=1, kind=send.kind,
        template=send.template, category=send.category, priority=1, planned_at=NOW, due_at=NOW, not_before=NOW,
        expires_at=NOW, revision=1,
    )  # fmt: skip
