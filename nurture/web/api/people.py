"""People: say who they are, look them up, hand over what is stored, take their word about mail, forget them."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from nurture.domain.consent import FEWER_MAILS, RESUBSCRIBED, UNSUBSCRIBED
from nurture.domain.contact import Contact
from nurture.domain.event import plain
from nurture.engine.ingest import IncomingEvent, ingest
from nurture.engine.keys import Scope
from nurture.intake.json_text import is_storable
from nurture.intake.segment import IDENTIFIED
from nurture.storage import contacts as rows
from nurture.storage.names import now_called
from nurture.web.api.desk import CONFLICT, MOST_ID, NOT_FOUND, PROBLEMS, Desk, IdempotencyKey, PersonId
from nurture.web.api.models import ConsentIn, FewerMailsIn, Named, PeopleOut, PersonIn, PersonOut, Taken
from nurture.web.problem import Refusal

SOURCE = "api"
MOST_ON_A_PAGE = 500
TAGS: list[Any] = ["people"]


def mount(router: APIRouter, desk: Desk) -> None:
    _mount_reading(router, desk)
    _mount_writing(router, desk)


def _mount_reading(router: APIRouter, desk: Desk) -> None:
    site = desk.site

    @router.get("/people", summary="List people, page by page", tags=TAGS, responses=PROBLEMS)
    async def list_people(
        request: Request,
        cursor: Annotated[str | None, Query(max_length=100, description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)] = 100,
        stage: Annotated[str | None, Query(max_length=100)] = None,
    ) -> PeopleOut:
        await desk.key(request, Scope.READ)
        after = _read_cursor(cursor)
        if stage is not None and not is_storable(stage):
            raise Refusal(422, "The stage holds a NUL or half a character.")
        found = await site.threads.run(_page, desk, stage, after, limit + 1)
        more = len(found) > limit
        return PeopleOut(
            people=[PersonOut.of(contact) for contact in found[:limit]],
            next=_write_cursor(found[limit - 1].id) if more else None,
        )

    @router.post("/people/find", summary="Look somebody up", tags=TAGS, responses=NOT_FOUND)
    async def find_person(request: Request, named: Named) -> PersonOut:
        """By address or your id, which are in the body: addresses in URLs end up in logs."""
        await desk.key(request, Scope.READ)
        return PersonOut.of(await site.threads.run(_find, desk, named))

    @router.get("/people/{person}", summary="Somebody, by our number", tags=TAGS, responses=NOT_FOUND)
    async def get_person(request: Request, person: PersonId) -> PersonOut:
        await desk.key(request, Scope.READ)
        return PersonOut.of(await site.threads.run(_get, desk, person))

    @router.get("/people/{person}/export", summary="Everything stored about her", tags=TAGS, responses=NOT_FOUND)
    async def export_person(request: Request, person: PersonId) -> dict[str, Any]:
        """Every row, table by table, as she may ask for it."""
        await desk.key(request, Scope.READ)
        return await site.threads.run(_export, desk, person)


def _mount_writing(router: APIRouter, desk: Desk) -> None:
    site = desk.site

    @router.post("/people", summary="Say who somebody is", tags=TAGS, responses={**PROBLEMS, **CONFLICT},
                 response_model=PersonOut)  # fmt: skip
    async def put_person(request: Request, said: PersonIn, idempotency_key: IdempotencyKey = None) -> Response:
        """Find or make her by `external_id`, else by `email`, and take what is said. 201 if she is new."""
        key = await desk.key(request, Scope.PEOPLE)

        async def work() -> tuple[int, Any]:
            created, contact = await site.threads.run(_put, desk, said)
            site.wake()
            return 201 if created else 200, PersonOut.of(contact).model_dump(mode="json")

        return await desk.once(request, key, idempotency_key, said, work)

    @router.post("/people/{person}/consent", summary="Take her word about mail", tags=TAGS, status_code=202,
                 responses={**NOT_FOUND, **CONFLICT}, response_model=Taken)  # fmt: skip
    async def put_consent(
        request: Request, person: PersonId, said: ConsentIn, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """A yes or no, to all marketing mail or to one topic, kept with its proof. A no holds from its commit on."""
        key = await desk.key(request, Scope.PEOPLE)

        async def work() -> tuple[int, Any]:
            await site.threads.run(_consent, desk, person, said)
            site.wake()
            return 202, Taken().model_dump()

        return await desk.once(request, key, idempotency_key, said, work)

    @router.post("/people/{person}/fewer-mails", summary="Take her wish for fewer mails", tags=TAGS, status_code=202,
                 responses={**NOT_FOUND, **CONFLICT}, response_model=Taken)  # fmt: skip
    async def put_fewer_mails(
        request: Request, person: PersonId, said: FewerMailsIn, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """A frequency cap of her own, beside those of the project."""
        key = await desk.key(request, Scope.PEOPLE)

        async def work() -> tuple[int, Any]:
            told = {} if said.days is None else {"days": said.days}
            await site.threads.run(_tell, desk, person, FEWER_MAILS, told)
            site.wake()
            return 202, Taken().model_dump()

        return await desk.once(request, key, idempotency_key, said, work)

    @router.delete("/people/{person}", summary="Forget her", tags=TAGS, status_code=204, responses=NOT_FOUND)
    async def erase_person(request: Request, person: PersonId) -> Response:
        """Everything goes but a keyed hash of her address, so that nobody mails it again."""
        await desk.key(request, Scope.ADMIN)
        await site.threads.run(_erase, desk, person)
        return Response(status_code=204)


# --- in threads


def _page(desk: Desk, stage: str | None, after: int, limit: int) -> list[Contact]:
    with desk.site.app.database.read() as tx:
        return rows.search(tx, stage=stage, after=after, limit=limit)


def _get(desk: Desk, person: int) -> Contact:
    with desk.site.app.database.read() as tx:
        found = rows.get(tx, now_called(tx, person)[0])
    if found is None:
        raise Refusal(404, "There is nobody with this number.")
    return found


def _find(desk: Desk, named: Named) -> Contact:
    with desk.site.app.database.read() as tx:
        found = rows.find_named(tx, email=named.email, external_id=named.external_id)
    if found is None:
        raise Refusal(404, "There is nobody of this name.")
    return found


def _export(desk: Desk, person: int) -> dict[str, Any]:
    with desk.site.app.database.read() as tx:
        found = rows.export(tx, now_called(tx, person)[0])
    if found is None:
        raise Refusal(404, "There is nobody with this number.")
    told: dict[str, Any] = plain(found)
    return told


def _put(desk: Desk, said: PersonIn) -> tuple[bool, Contact]:
    site = desk.site
    event = IncomingEvent(
        name=IDENTIFIED,
        email=said.email,
        external_id=said.external_id,
        traits=said.attributes,
        zone=said.zone,
        locale=said.locale,
        message_id=f"api-{secrets.token_hex(12)}",
        source=SOURCE,
    )
    result = ingest(site.app.database, [event], site.now, trusted=True)
    if result.rejected:
        raise Refusal(422, f"This cannot be taken: {result.rejected[0][1]}.")
    return bool(result.created), _find(desk, said)


def _consent(desk: Desk, person: int, said: ConsentIn) -> None:
    site = desk.site
    if said.topic is not None and said.topic not in site.app.applied().programme.topics:
        raise Refusal(422, "There is no such topic in the applied campaigns.")
    proof = {"topic": said.topic, "source": said.source, "wording": said.wording}
    told = {name: value for name, value in proof.items() if value is not None}
    _tell(desk, person, RESUBSCRIBED if said.granted else UNSUBSCRIBED, told)


def _tell(desk: Desk, person: int, name: str, properties: dict[str, Any]) -> None:
    """An event of hers, of which the API is the witness. Raises Refusal (404)."""
    event = IncomingEvent(
        name=name,
        contact_id=_get(desk, person).id,
        properties=properties,
        message_id=f"api-{secrets.token_hex(12)}",
        source=SOURCE,
    )
    ingest(desk.site.app.database, [event], desk.site.now, trusted=True)


def _erase(desk: Desk, person: int) -> None:
    site = desk.site

    def work(tx: Any) -> bool:
        return rows.erase(tx, now_called(tx, person)[0], site.now)

    if not site.app.database.transact(work):
        raise Refusal(404, "There is nobody with this number.")


# --- cursors


def _write_cursor(last: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": last}).encode()).decode().rstrip("=")


def _read_cursor(cursor: str | None) -> int:
    """Where a page begins. Raises Refusal (422) for what we did not write."""
    if cursor is None:
        return 0
    try:
        data = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        after = data["after"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refusal(422, "This cursor is not one of ours.") from None
    if type(after) is not int or not 0 <= after <= MOST_ID:
        raise Refusal(422, "This cursor is not one of ours.")
    return after
