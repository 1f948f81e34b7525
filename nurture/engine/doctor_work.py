"""The doctor's second half, whether work goes on: clocks, space, backups, holds, daemons, the way in from the web."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from nurture.engine.doctor import Checkup, Health, bad, careful, good
from nurture.engine.hold import last_backup
from nurture.engine.standing import Standing, findings, in_words, lag_in_words, look
from nurture.storage.database import Database
from nurture.storage.figures import server_clock, size

CLOCKS_APART = timedelta(seconds=1)
CLOCKS_FAR_APART = timedelta(seconds=30)
BACKUP_DUE = timedelta(days=2)
LEAST_SPACE = 500 << 20  # bytes
WEB_WAIT = 10.0  # seconds

# What keeps mail from going is bad; what somebody did on purpose, or has not begun yet, is to think about.
_ON_PURPOSE = {"stopped", "daemons"}


def check_work(database: Database, now: datetime) -> Iterator[Checkup]:
    """Of a database that answers and has the right schema."""
    standing = look(database, now)
    server = server_clock(database)
    if server is not None:
        yield check_server_clock(now, server)
    yield from _space(database)
    yield _backup(database, now)
    yield from _going(standing)


def check_server_clock(now: datetime, server: datetime) -> Checkup:
    """Leases go by the server's clock, everything else by this machine's."""
    apart = abs(now - server)
    if apart <= CLOCKS_APART:
        return good("server's clock", f"{apart.total_seconds() * 1000:.0f} ms from this machine's")
    told = f"{apart.total_seconds():.0f} s from this machine's"
    fix = "let NTP set both (timedatectl set-ntp true)"
    return bad("server's clock", told, fix) if apart > CLOCKS_FAR_APART else careful("server's clock", told, fix)


def _space(database: Database) -> Iterator[Checkup]:
    if database.dialect != "sqlite":
        return
    with database.read() as tx:
        needed = size(tx)
    free = shutil.disk_usage(database.path.parent).free
    told = f"{free / 1e9:,.1f} GB free beside a database of {needed / 1e6:,.1f} MB"
    if free < LEAST_SPACE:
        yield bad("space", told, "make room, or move the database: without space nothing can be decided or sent")
    elif free < 2 * needed:
        yield careful("space", told, "make room: backups and upgrades copy the whole file")
    else:
        yield good("space", told)


def _backup(database: Database, now: datetime) -> Checkup:
    if database.dialect != "sqlite":
        return good("backup", "left to PostgreSQL's own tools; see docs/operations.md")
    made = last_backup(database)
    if made is None:
        return careful("backup", "none was ever made", "nurture db backup, every night, to another disk")
    told = f"the last was made {in_words(now - made)} ago"
    return (
        good("backup", told) if now - made <= BACKUP_DUE else careful("backup", told, "nurture db backup, every night")
    )


def _going(standing: Standing) -> Iterator[Checkup]:
    """What status would say, without what other checks say already."""
    names = {"hold": "hold", "stopped": "sending", "lag": "lag", "daemons": "daemons", "relay": "relay's answers",
             "domain_paused": "refusals", "campaign_paused": "refusals"}  # fmt: skip
    found = [one for one in findings(standing) if one.code in names]
    for one in found:
        health = Health.CAREFUL if one.code in _ON_PURPOSE else Health.BAD
        yield Checkup(names[one.code], health, one.found, one.fix)
    silent = [one for one in standing.daemons if not one.is_alive(standing.at)]
    for lost in silent:
        told = f"{lost.owner} on {lost.said.get('host', '?')} is silent for {in_words(standing.at - lost.at)}"
        yield careful("daemons", told, "if it did not end on purpose, see its log; its mails were taken over")
    if not found and not silent:
        count = len(standing.alive)
        yield good("daemons", f"{count} at work; {lag_in_words(standing)}" if count else lag_in_words(standing))


def check_base_url(base_url: str, now: datetime) -> Checkup:
    """Whether links in mails lead somewhere, and whether that server and we agree on the time (its Date header)."""
    try:
        with urllib.request.urlopen(f"{base_url}/livez", timeout=WEB_WAIT) as answer:  # noqa: S310 - by the setting
            code, date = answer.status, answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        code, date = error.code, error.headers.get("Date")
        error.close()
    except (OSError, ValueError) as error:
        fix = "links in mails lead there, unsubscribing among them: check its name, its certificate and its proxy"
        return bad("base url", f"{base_url} does not answer ({getattr(error, 'reason', error)})", fix)
    if code >= 500:
        return bad("base url", f"{base_url} answers {code}", "is nurture run --http at work behind the proxy?")
    theirs = _date(date)
    if theirs is not None and abs(theirs - now) > CLOCKS_FAR_APART:
        told = f"{base_url} says it is {theirs:%H:%M:%S} UTC, this machine says {now:%H:%M:%S}"
        return careful("base url", told, "let NTP set both clocks")
    return good("base url", f"{base_url} answers")


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except ValueError:
        return None
