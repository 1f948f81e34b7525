"""Is this process well, and may it be given work? For load balancers, orchestrators and monitors; nobody is named.

`/livez` fails where starting this process again would help; `/readyz` where somebody or something else must act first.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from nurture.engine.standing import lag_in_words
from nurture.web.glance import Glance, Seen
from nurture.web.metrics import MEDIA_TYPE, exposition
from nurture.web.site import Site

STANDSTILL = 120.0  # seconds without a round of the pump; a database may be waited for, but not so long
FRESH, STALE = 1.0, 10.0  # seconds for which a look at the database serves readiness, and metrics


@dataclass(frozen=True, slots=True)
class Check:
    """One of the things that readiness is made of."""

    ok: bool
    found: str


def mount(web: FastAPI, site: Site) -> None:
    glance = Glance(site)

    @web.get("/livez", include_in_schema=False)
    async def livez() -> PlainTextResponse:
        await site.threads.run(lambda: None)
        still = _still(site)
        if still > STANDSTILL:
            return PlainTextResponse(f"the pump has stood still for {still:.0f} seconds\n", 503)
        return PlainTextResponse("alive\n")

    @web.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        checks = _checks(site, glance, await glance(FRESH))
        ready = all(check.ok for check in checks.values())
        reasons = [check.found for check in checks.values() if not check.ok]
        told = {"ready": ready, "reasons": reasons, "checks": {name: asdict(one) for name, one in checks.items()}}
        return JSONResponse(told, 200 if ready else 503)

    @web.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(exposition(site, await glance(STALE)), media_type=MEDIA_TYPE)


def _still(site: Site) -> float:
    """Seconds since the pump of this process came round; 0 where there is none, as in `nurture serve`."""
    return site.app.vitals.since_round(site.app.clock.monotonic()) or 0.0


def _checks(site: Site, glance: Glance, seen: Seen) -> dict[str, Check]:
    if seen.error is not None:
        return {"database": Check(ok=False, found=seen.error)}
    checks = {"database": Check(ok=True, found="answers")}
    if seen.standing is None:
        fix = f"the schema is {seen.schema or 'none'}, this nurture needs {glance.needed}: run nurture db upgrade"
        return {**checks, "schema": Check(ok=False, found=fix)}
    standing, still = seen.standing, _still(site)
    stopped = standing.stopped is not None
    checks["schema"] = Check(ok=True, found=seen.schema or "")
    checks["revision"] = Check(
        bool(standing.revision), str(standing.revision or "nothing is applied: run nurture apply")
    )
    checks["hold"] = Check(standing.hold is None, f"on hold: {standing.hold}" if standing.hold is not None else "no")
    if site.app.vitals.round_at is not None:
        found = (
            f"came round {still:.0f} seconds ago" if still <= STANDSTILL else f"has stood still for {still:.0f} seconds"
        )
        checks["pump"] = Check(still <= STANDSTILL, f"the pump {found}")
    # Told, and no reason to turn events away: they are taken in, and wait.
    checks["sending"] = Check(ok=True, found="stopped by hand; nurture start-sending" if stopped else "goes on")
    checks["relay"] = Check(ok=True, found=standing.relay_trouble or "takes mail")
    checks["lag"] = Check(ok=True, found=lag_in_words(standing))
    return checks
