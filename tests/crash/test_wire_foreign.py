"""What programs that nobody here wrote make of our mails: other parsers, other verifiers, a spam filter."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from nurture.engine.revisions import assemble
from nurture.language.source import read_project
from nurture.rendering.dkim import DkimSigner
from nurture.testing.name_server import TextRecords
from nurture.testing.wire import NASTY, Sample, dkim_key, dkim_record, starter_mails

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
Program = Callable[[str], str]


@pytest.fixture(scope="module")
def node(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mailparser, postal-mime and mailauth installed from npm."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "read.js"):
        shutil.copy(Path(__file__).parent / "node" / name, folder)
    npm = [program("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(npm, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


def read_by_node(node: Path, program: Program, samples: list[Sample], records: dict[str, str]) -> list[dict[str, Any]]:
    orders = []
    for number, sample in enumerate(samples):
        (node / f"{number}.eml").write_bytes(sample.mail.data)
        orders.append(json.dumps({"path": f"{number}.eml", "records": records}))
    done = subprocess.run(
        [program("node"), "read.js"], cwd=node, input="\n".join(orders), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_another_language_reads_and_verifies_the_same_mail(node: Path, program: Program, kind: str) -> None:
    key = dkim_key(kind)
    signer = DkimSigner("northwind.example", "s1", key)
    applied = assemble(read_project(ROOT))
    corpus = NASTY if kind == "ed25519" else {"emoji": NASTY["emoji"]}  # what they read does not hang on the signature
    samples = [*starter_mails(applied, NOW, signer=signer), *starter_mails(applied, NOW, corpus, signer)]
    told = read_by_node(node, program, samples, {"s1._domainkey.northwind.example": dkim_record(key)})
    assert len(told) == len(samples) > 15 * len(corpus)
    for sample, theirs in zip(samples, told, strict=True):
        ours = message_from_bytes(sample.mail.data, policy=policy.default)
        assert theirs["dkim"] == ["pass"], sample.name
        assert squeezed(theirs.get("subject") or "") == squeezed(str(ours["Subject"])), sample.name
        assert [one["address"] for one in theirs["from"]] == [ours["From"].addresses[0].addr_spec]
        assert len(theirs["to"]) == len(ours["To"].addresses) == 1
        assert theirs["messageId"] == str(ours["Message-ID"])
        text, html = (part.get_content() for part in ours.iter_parts())  # type: ignore[attr-defined]
        for words in (theirs, theirs["postal"]):
            assert squeezed(words["text"]) == squeezed(text), sample.name
            assert squeezed(words["html"]) == squeezed(html), sample.name
        assert squeezed(theirs["postal"]["subject"] or "") == squeezed(str(ours["Subject"])), sample.name
        assert [one["address"] for one in theirs["postal"]["to"]] == [ours["To"].addresses[0].addr_spec]


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_opendkim_verifies_the_signature_and_no_altered_mail(program: Program, tmp_path: Path, kind: str) -> None:
    """It asks the DNS and nothing else, so it is given one: our own, for its eyes only."""
    key = dkim_key(kind)
    applied = assemble(read_project(ROOT))
    samples = list(starter_mails(applied, NOW, signer=DkimSigner("northwind.example", "s1", key)))
    address = f"127.53.{os.getpid() % 250}.53"  # another process may do the same at the same time
    (tmp_path / "resolv.conf").write_text(f"nameserver {address}\n")
    bound = f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec {program('opendkim-testmsg')}"

    def judged(data: bytes) -> tuple[int, bytes]:
        command = [program("unshare"), "--mount", "sh", "-c", bound]
        done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stderr

    with TextRecords({"s1._domainkey.northwind.example": dkim_record(key)}, address):
        for sample in {sample.name.partition(" ")[0]: sample for sample in samples}.values():
            assert judged(sample.mail.data) == (0, b""), sample.name
        altered = samples[0].mail.data.replace(b"Subject: ", b"Subject: Not ", 1)
        code, said = judged(altered)
    assert code != 0, said


# What mail programs need and no browser does: Outlook's name spaces and properties, Apple's word against resizing, and
# attributes beside the styles for programs that know no styles.
_FOR_MAIL_PROGRAMS = re.compile(
    r"Attribute .xmlns:[vo]. not allowed|CSS: .mso-"
    r"|Attribute .(?:bgcolor|width|height|align). not allowed on element .(?:span|a|body)."
    r"|Element .meta. is missing one or more of the following attributes: .content., .property."
)


def test_the_checker_of_the_w3c_finds_nothing_that_no_mail_program_asks_for(node: Path, program: Program) -> None:
    samples = {sample.name.partition(" ")[0]: sample for sample in starter_mails(assemble(read_project(ROOT)), NOW)}
    assert len(samples) >= 15
    pages = []
    for number, sample in enumerate(samples.values()):
        pages.append(node / f"{number}.html")
        pages[-1].write_text(sample.html, encoding="utf-8")
    (checker,) = (node / "node_modules" / "vnu-jar").rglob("vnu.jar")
    command = [program("java"), "-jar", str(checker), "--errors-only", "--format", "gnu", *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    told = [line for line in done.stderr.splitlines() if not _FOR_MAIL_PROGRAMS.search(line)]
    assert "error: " in done.stderr, "it has looked"
    assert told == []


_STATUS = re.compile(
    rb"^X-Spam-Status: \w+, score=(-?[\d.]+) .*?tests=([\w,\s]*?)\s*(?:autolearn|version)", re.MULTILINE | re.DOTALL
)


def test_no_shipped_mail_looks_like_spam(program: Program) -> None:
    """SpamAssassin with its local rules, which take seconds to load, so all mails at once; one is taken from 5.0 on."""
    one_each = {sample.name.partition(" ")[0]: sample for sample in starter_mails(assemble(read_project(ROOT)), NOW)}
    assert len(one_each) >= 15
    box = b"\n".join(b"From us Mon Mar  2 09:00:00 2026\n" + _as_in_a_box(one.mail.data) for one in one_each.values())
    command = [program("spamassassin"), "-L", "-t", "--mbox"]
    done = subprocess.run(command, input=box, capture_output=True, timeout=300, check=True)
    found = [(float(score), tests.decode()) for score, tests in _STATUS.findall(done.stdout)]
    assert len(found) == len(one_each), done.stdout[:2000]
    assert {name: told for name, told in zip(one_each, found, strict=True) if told[0] > 1.0} == {}


def _as_in_a_box(mail: bytes) -> bytes:
    return re.sub(rb"(?m)^From ", b">From ", mail.replace(b"\r\n", b"\n"))
