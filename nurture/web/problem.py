"""Errors as RFC 9457 problem details: a title, a sentence about what to do, and never what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from nurture.errors import ConfigurationError, NurtureError, StorageError

MEDIA_TYPE = "application/problem+json"
BUSY_SECONDS = 5


class Refusal(HTTPException):
    """A request that is answered by a problem. `errors` are told one by one, each a plain object."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.errors = errors


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[Mapping[str, Any]] = ()
) -> JSONResponse:
    """The answer to a request that cannot be done."""
    content: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    content["detail"] = detail
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(content, status, dict(headers or {}), MEDIA_TYPE)


def wants_page(request: Request) -> bool:
    """Whether a browser asks, for somebody who reads."""
    first = request.headers.get("accept", "").split(",")[0].split(";")[0].strip()
    return first == "text/html"


def busy(detail: str = "The database cannot be reached or is busy. Try again.") -> JSONResponse:
    """503 with the time to wait."""
    return problem(503, detail, headers={"Retry-After": str(BUSY_SECONDS)})


def answer_errors(web: FastAPI) -> None:
    """Every error of every route becomes a problem."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if wants_page(request):
            from nurture.web.html import page

            title = HTTPStatus(error.status_code).phrase
            return page("error.html", error.status_code, title=title, detail=error.detail)
        errors = error.errors if isinstance(error, Refusal) else ()
        return problem(error.status_code, error.detail, headers=error.headers, errors=errors)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = [
            {"at": "/".join(str(part) for part in each["loc"]), "what": str(each["msg"])[:200]}
            for each in error.errors()[:20]
        ]
        return problem(422, "The request is not as this route needs it; `errors` names each place.", errors=errors)

    async def impossible(_: Request, error: Exception) -> JSONResponse:
        return problem(422, str(error))

    async def away(_: Request, __: Exception) -> JSONResponse:
        return busy()

    web.add_exception_handler(HTTPException, refused)
    web.add_exception_handler(RequestValidationError, invalid)
    web.add_exception_handler(NurtureError, impossible)
    web.add_exception_handler(StorageError, away)
    web.add_exception_handler(ConfigurationError, away)
