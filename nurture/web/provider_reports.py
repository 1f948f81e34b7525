"""/webhooks/mail/{provider}: what mail providers report. Who sent it is checked on the octets, before they are read."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from nurture.engine.provider_reports import ProviderReports, UnreachableError
from nurture.intake.feedback.providers import Provider
from nurture.intake.feedback.signatures import ForgedError
from nurture.web.access import WRONG_PER_MINUTE, Rates
from nurture.web.body import read_body, read_json
from nurture.web.problem import Refusal, busy
from nurture.web.site import Site

MAX_REPORT = 8 << 20  # SparkPost sends up to 10,000 events at once


def mount(web: FastAPI, site: Site) -> None:
    app = site.app
    secrets = {each: getattr(app.settings, f"webhook_{each}") for each in Provider}
    given = {each: secret.get_secret_value() for each, secret in secrets.items() if secret is not None}
    if not given:
        return
    site.limits.update({f"/webhooks/mail/{each}": MAX_REPORT for each in given})
    rates, found = Rates(), list[ProviderReports]()

    @web.post("/webhooks/mail/{provider}", include_in_schema=False)
    async def take(request: Request, provider: str) -> Response:
        if provider not in given:
            raise Refusal(404, "There is nothing here.")
        if not found:
            found.append(ProviderReports(app.database, app.keyring, given, storm=app.storm_rule))
        reports, which = found[0], Provider(provider)
        client = f"{provider} {request.client.host if request.client else ''}"
        rates.look(client, WRONG_PER_MINUTE, app.clock.monotonic())
        headers = dict(request.headers)
        try:
            reports.look(which, headers)
            body = await read_body(request.scope, request.receive, MAX_REPORT)
            programme = (await site.threads.run(app.applied)).programme
            effects = await site.threads.run(reports.take, which, headers, body, programme, site.now)
        except ForgedError as error:
            rates.take(client, WRONG_PER_MINUTE, app.clock.monotonic())
            site.journal.warning("report refused", provider=provider, why=str(error))
            raise Refusal(401 if "password" in str(error) else 403, f"This report cannot be taken: {error}.") from None
        except UnreachableError as error:
            site.journal.warning("report not taken", provider=provider, why=str(error))
            return busy("The signature cannot be checked now. Try again.")
        except (ValueError, RecursionError):
            read_json(body)  # tells what is wrong with it
            raise Refusal(400, "What the report holds is not JSON.") from None
        if effects:
            site.journal.info("reported", provider=provider, **{k.replace(" ", "_"): n for k, n in effects.items()})
            site.wake()
        return JSONResponse({"taken": effects.total()})
