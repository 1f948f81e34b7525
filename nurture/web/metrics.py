"""`/metrics` in Prometheus' text format: what this process counted, and what the database says of the whole.

Counters are this process's own, so scrape every daemon. What every daemon says of itself in its sign of life, twice a
minute, stands beside them: so those without HTTP (`--workers`, other hosts) are seen as well. What is marked as of the
database is the same wherever it is scraped, and at most ten seconds old. Docs: the table in docs/operations.md is made
from `METRICS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nurture import __version__
from nurture.domain.breaker import BreakerState
from nurture.engine.standing import Standing, findings
from nurture.web.glance import Seen
from nurture.web.site import Site

MEDIA_TYPE = CONTENT_TYPE_LATEST
_STATES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
Samples = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as the documentation tells of it. `of` is whose it is: this process, or the database all share."""

    name: str
    of: str
    meaning: str
    labels: tuple[str, ...] = ()

    def family(self, samples: Samples) -> Metric:
        made = (CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily)(
            self.name, self.meaning, labels=self.labels
        )
        for labels, value in samples.items():
            made.add_metric(labels, value)
        return made


PROCESS, DATABASE = "process", "database"
METRICS = (
    Described("nurture_build_info", PROCESS, "always 1; the version stands in its label", ("version",)),
    Described("nurture_turns_total", PROCESS, "people decided about"),
    Described("nurture_turns_failed_total", PROCESS, "people who could not be decided about, and are tried again"),
    Described("nurture_rounds_total", PROCESS, "rounds of the pump; about one a second while nothing is due"),
    Described("nurture_rounds_failed_total", PROCESS, "rounds that failed: the database, mostly"),
    Described("nurture_round_age_seconds", PROCESS, "since the pump last came round"),
    Described("nurture_mails_total", PROCESS, "attempts to send by what came of them", ("outcome",)),
    Described("nurture_mails_in_flight", PROCESS, "mails in the hands of this process"),
    Described("nurture_calls_total", PROCESS, "webhooks and alerts that were taken"),
    Described(
        "nurture_rescued_total", PROCESS, "mails that dead daemons left behind, by what became of them", ("fate",)
    ),
    Described("nurture_http_requests_total", PROCESS, "requests answered", ("method", "route", "status")),
    Described("nurture_database_up", DATABASE, "1 if the database answers and has the schema this version needs"),
    Described("nurture_database_bytes", DATABASE, "its size"),
    Described("nurture_revision", DATABASE, "number of the revision in force, 0 for none"),
    Described("nurture_lag_seconds", DATABASE, "how long the oldest due turn or mail has been waiting"),
    Described("nurture_due", DATABASE, "people who are due and were not decided about yet"),
    Described("nurture_mails_ready", DATABASE, "mails that may go and have not been claimed"),
    Described("nurture_mails_held", DATABASE, "mails in the hands of any daemon"),
    Described("nurture_events_unprocessed", DATABASE, "events that no turn has seen"),
    Described("nurture_calls_waiting", DATABASE, "webhooks and alerts to be made"),
    Described("nurture_daemons", DATABASE, "daemons heard of in the last two minutes"),
    Described(
        "nurture_daemon_turns_total", DATABASE, "people each daemon has decided about, by its sign of life", ("daemon",)
    ),
    Described(
        "nurture_daemon_mails_total", DATABASE, "attempts of each daemon by what came of them", ("daemon", "outcome")
    ),
    Described("nurture_campaigns_paused", DATABASE, "campaigns paused, by hand or for refusals"),
    Described("nurture_domains_paused", DATABASE, "mailbox providers paused for refusals"),
    Described("nurture_on_hold", DATABASE, "1 while nothing may move until somebody confirms"),
    Described("nurture_sending_stopped", DATABASE, "1 after nurture stop-sending"),
    Described("nurture_relay_breaker_state", DATABASE, "0 closed (mail flows), 1 probing, 2 open", ("relay",)),
    Described("nurture_needs_a_person", DATABASE, "1 for each thing nurture status asks somebody to do", ("what",)),
)
_BY_NAME = {one.name: one for one in METRICS}


def exposition(site: Site, seen: Seen) -> bytes:
    """All metrics as text."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Collected([*_of_process(site), *_of_database(seen)]))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _metric(name: str, samples: Samples | float) -> Metric:
    return _BY_NAME[name].family({(): samples} if isinstance(samples, int | float) else samples)


def _of_process(site: Site) -> Iterable[Metric]:
    vitals = site.app.vitals
    yield _metric("nurture_build_info", {(__version__,): 1})
    requests: Samples = {
        (method, route, str(status)): count for (method, route, status), count in site.requests.items()
    }
    yield _metric("nurture_http_requests_total", requests)
    age = vitals.since_round(site.app.clock.monotonic())
    if age is None:  # no pump here
        return
    yield _metric("nurture_round_age_seconds", age)
    yield _metric("nurture_turns_total", vitals.turns)
    yield _metric("nurture_turns_failed_total", vitals.failed_turns)
    yield _metric("nurture_rounds_total", vitals.rounds)
    yield _metric("nurture_rounds_failed_total", vitals.failed_rounds)
    yield _metric("nurture_mails_total", {(outcome,): count for outcome, count in sorted(vitals.mails.items())})
    yield _metric("nurture_mails_in_flight", vitals.in_flight)
    yield _metric("nurture_calls_total", vitals.calls)
    yield _metric("nurture_rescued_total", {("released",): vitals.released, ("unknown",): vitals.unknown})


def _of_database(seen: Seen) -> Iterable[Metric]:
    standing = seen.standing
    yield _metric("nurture_database_up", standing is not None)
    if standing is None:
        return
    queue = standing.queue
    yield _metric("nurture_database_bytes", seen.bytes)
    yield _metric("nurture_revision", standing.revision)
    yield _metric("nurture_lag_seconds", standing.lag.total_seconds())
    yield _metric("nurture_due", queue.due)
    yield _metric("nurture_mails_ready", queue.ready)
    yield _metric("nurture_mails_held", queue.held)
    yield _metric("nurture_events_unprocessed", queue.unprocessed)
    yield _metric("nurture_calls_waiting", queue.calls)
    yield _metric("nurture_daemons", len(standing.alive))
    yield _metric("nurture_daemon_turns_total", {(one.owner,): one.said.get("turns", 0) for one in standing.alive})
    mails: Samples = {
        (one.owner, outcome): number for one in standing.alive for outcome, number in one.said.get("mails", {}).items()
    }
    yield _metric("nurture_daemon_mails_total", mails)
    yield _metric("nurture_campaigns_paused", len(standing.paused))
    yield _metric("nurture_domains_paused", len(standing.domains))
    yield _metric("nurture_on_hold", standing.hold is not None)
    yield _metric("nurture_sending_stopped", standing.stopped is not None)
    yield _metric("nurture_relay_breaker_state", _breakers(standing))
    yield _metric("nurture_needs_a_person", {(one.code,): 1 for one in findings(standing)})


def _breakers(standing: Standing) -> Samples:
    if standing.breakers:
        return {(name,): _STATES[one.state] for name, one in sorted(standing.breakers.items())}
    return {("relay",): _STATES[BreakerState.OPEN if standing.relay_trouble is not None else BreakerState.CLOSED]}
