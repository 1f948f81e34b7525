"""The doctor: checks of everything that sending depends on, each with what to do about it."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from nurture.domain.programme import Programme
from nurture.errors import ConfigurationError, NurtureError
from nurture.intake.dns_records import Records
from nurture.language.compile import compile_project
from nurture.sending.connect import open_session, tls_context
from nurture.sending.loop import loop_name
from nurture.sending.outcome import NoSession
from nurture.sending.relay import Relay, Security
from nurture.storage.database import Database
from nurture.storage.duties import require_secret
from nurture.storage.revisions import latest
from nurture.storage.schema import current, head

SLOW_WRITE = 0.05  # seconds for one durable write; a mail needs two, though many share them
RELAY_WAIT = 20.0


class Health(StrEnum):
    GOOD = "good"
    CAREFUL = "careful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Checkup:
    """One thing that was looked at. `fix` says what to do where `health` is not good."""

    name: str
    health: Health
    found: str
    fix: str = ""


def good(name: str, found: str) -> Checkup:
    return Checkup(name, Health.GOOD, found)


def careful(name: str, found: str, fix: str) -> Checkup:
    return Checkup(name, Health.CAREFUL, found, fix)


def bad(name: str, found: str, fix: str) -> Checkup:
    return Checkup(name, Health.BAD, found, fix)


# --- this machine


def check_python() -> Checkup:
    return good("python", ".".join(str(part) for part in sys.version_info[:3]))


def check_loop() -> Checkup:
    """What the daemon waits and sends with."""
    name = loop_name()
    return good("event loop", f"{name}; uvloop (the extra `fast`) sends with less work" if name == "asyncio" else name)


def check_zones() -> Checkup:
    """People live in zones; without their rules every local hour would be wrong."""
    try:
        ZoneInfo("Europe/Helsinki")
    except KeyError:
        return bad("time zones", "no zone data on this machine", "pip install tzdata")
    return good("time zones", f"{len(available_timezones())} zones")


def check_clock(now: datetime, alive: datetime | None) -> Checkup:
    """`alive` is when a daemon was last at work, by the database."""
    told = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if alive is not None and alive > now + timedelta(minutes=1):
        return bad(
            "clock", f"{told}, but a daemon was at work at {alive:%Y-%m-%d %H:%M:%S} UTC", "set this machine's clock"
        )
    if now.year < 2024:
        return bad("clock", told, "set this machine's clock")
    return good("clock", told)


def check_env_file(path: Path) -> Checkup:
    """Secrets are for the owner's eyes."""
    if not path.is_file():
        return careful("settings file", f"{path} is not there; the environment alone counts", "nurture init writes one")
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return bad("settings file", f"{path} can be read by others on this machine", f"chmod 600 {path}")
    return good("settings file", f"{path}, for you alone")


def check_folder(name: str, folder: Path) -> Checkup:
    """A folder that is to be written to, or whose parent is."""
    place = next((each for each in (folder, *folder.absolute().parents) if each.exists()), folder)
    if not place.is_dir() or not os.access(place, os.W_OK):
        return bad(name, f"{folder} cannot be written", f"let this user write to {place}, or set another folder")
    return good(name, str(folder))


# --- the project


def check_files(sources: Mapping[str, str]) -> tuple[Checkup, Programme | None]:
    """The campaign files; templates are left to `nurture validate`, which takes longer."""
    compiled = compile_project(sources)
    if compiled.programme is None:
        count = len(compiled.errors)
        return bad("files", f"{count} error{'' if count == 1 else 's'}", "nurture validate shows them"), None
    return good("files", f"{len(compiled.programme.campaigns)} campaigns"), compiled.programme


def check_brand(programme: Programme) -> list[Checkup]:
    """What the starter programme says in the place of a real sender."""
    made_up = sorted({sender.email for sender in programme.senders.values() if sender.email.endswith(".example")})
    if made_up:
        fix = "write your own senders into campaigns/_project.yaml"
        return [careful("senders", f"{', '.join(made_up)}: no such domain exists", fix)]
    return [good("senders", ", ".join(sorted({sender.email for sender in programme.senders.values()})))]


# --- the database


def check_database(database: Database, now: datetime) -> list[Checkup]:
    """Reachable, of the right schema, with the right secret, and quick enough."""
    if database.dialect == "sqlite" and not database.path.exists():
        return [bad("database", f"{database.name} is not there", "nurture db upgrade")]
    try:
        found, needed = current(database), head()
        if found != needed:
            return [
                bad("database", f"{database.name} has schema {found or 'none'}, not {needed}", "nurture db upgrade")
            ]
        seconds = _write_time(database, now)
        with database.read() as tx:
            revision = latest(tx)
    except (NurtureError, ConfigurationError) as error:
        return [bad("database", str(error), "see NURTURE_DATABASE_URL and NURTURE_SECRET_KEY")]
    checks = [good("database", f"{database.name}, schema {found}")]
    speed = f"a durable write takes {seconds * 1000:.1f} ms"
    if seconds > SLOW_WRITE:
        checks.append(careful("disk", speed, "put the database on a local SSD; sending is as fast as this"))
    else:
        checks.append(good("disk", speed))
    if revision is None:
        checks.append(careful("revision", "nothing is applied", "nurture apply"))
    else:
        checks.append(good("revision", f"{revision.number}, applied {revision.applied_at:%Y-%m-%d %H:%M} UTC"))
    return checks


def _write_time(database: Database, now: datetime) -> float:
    """Seconds for the middle one of five commits."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        database.transact(lambda tx: require_secret(tx, now))
        times.append(time.perf_counter() - began)
    return sorted(times)[2]


# --- the way out


def check_relay(url: str) -> list[Checkup]:
    """Connect, TLS, log in, and hang up; no mail is sent."""
    try:
        relay = Relay.parse(url)
    except ConfigurationError as error:
        return [bad("relay", str(error), "see NURTURE_SMTP_URL")]
    try:
        asyncio.run(_greet(relay))
    except NoSession as refusal:
        attempt = refusal.attempt
        return [bad("relay", f"{relay}: at {attempt.phase}: {attempt.text}", _relay_fix(str(attempt.phase)))]
    except TimeoutError:
        return [bad("relay", f"{relay} does not answer within {RELAY_WAIT:.0f} s", _relay_fix("connect"))]
    login = "logged in" if relay.username else "no login"
    return [good("relay", f"{relay}, {relay.security.value}, {login}")]


async def _greet(relay: Relay) -> None:
    async with asyncio.timeout(RELAY_WAIT):
        session = await open_session(relay, None if relay.security is Security.OFF else tls_context(relay))
        await session.quit()


def _relay_fix(phase: str) -> str:
    return {
        "connect": "check host and port in NURTURE_SMTP_URL, and that this network lets port 25, 465 or 587 out",
        "tls": "check the host's certificate; a private authority is trusted with ?ca=FILE",
        "auth": "check user and password in NURTURE_SMTP_URL; signs like @ / # are percent-encoded",
    }.get(phase, "ask the relay's operator")


def check_domain(domain: str, found: Records, dkim_selector: str | None, dkim_domain: str | None) -> list[Checkup]:
    """What receivers look up about the sender: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489)."""
    if found.unanswered:
        return [careful("sender's domain", f"{domain}: {found.unanswered}", "check the name servers, then ask again")]
    return [_spf(domain, found), _dkim(found, dkim_selector, dkim_domain), _dmarc(domain, found)]


def _spf(domain: str, found: Records) -> Checkup:
    if len(found.spf) > 1:
        return bad(
            "SPF", f"{domain} has {len(found.spf)} SPF records; more than one counts as none", "join them in one"
        )
    if not found.spf:
        return bad("SPF", f"{domain} has none", "publish v=spf1 with your relay's include, and -all or ~all")
    if found.spf[0].rstrip().endswith("+all"):
        return bad("SPF", f"{found.spf[0]} lets everybody send", "end it with -all or ~all")
    return good("SPF", found.spf[0])


def _dkim(found: Records, selector: str | None, domain: str | None) -> Checkup:
    if selector is None or domain is None:
        return careful(
            "DKIM", "nurture does not sign", "let the relay sign, or set NURTURE_DKIM_DOMAIN and its two fellows"
        )
    if not found.dkim:
        return bad("DKIM", f"{selector}._domainkey.{domain} is not published", "publish the public key there")
    return good("DKIM", f"{selector}._domainkey.{domain} is published")


def _dmarc(domain: str, found: Records) -> Checkup:
    if not found.dmarc:
        return bad("DMARC", f"_dmarc.{domain} has none", "publish at least v=DMARC1; p=none; rua=mailto:...")
    return good("DMARC", found.dmarc[0])
