"""HubSpot's CRM API v3 for contacts, as far as it is documented and we use it: search with paging, update by address.

`contacts` is its database; `answers` are given in turn instead of its own (429, 502, ...).
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from nurture.testing.listener import Listener

TOKEN = "pat-eu1-of-a-test"
SEARCH, CONTACTS = "/crm/v3/objects/contacts/search", "/crm/v3/objects/contacts/"


class HubSpotServer(Listener):
    """Only who bears TOKEN is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, dict[str, Any]] = {}
        self.answers: list[int] = []
        self.searches: list[dict[str, Any]] = []
        self.updates: list[tuple[str, dict[str, Any]]] = []

    def add(self, number: int, modified: str, **properties: Any) -> None:
        self.contacts[str(number)] = {**properties, "lastmodifieddate": modified}

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            self._say(request, 401, {"status": "error", "category": "INVALID_AUTHENTICATION"})
        elif self.answers and (code := self.answers.pop(0)) != 200:
            self._say(request, code, {"status": "error"}, {"Retry-After": "10"} if code == 429 else {})
        elif request.command == "POST" and request.path == SEARCH:
            self._search(request, body)
        elif request.command == "PATCH" and request.path.startswith(CONTACTS):
            self._update(request, body)
        else:
            self._say(request, 404, {"status": "error"})

    def _search(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        self.searches.append(body)
        ((changed,),) = [group["filters"] for group in body["filterGroups"]]
        since, first = int(changed["value"]), int(body.get("after", 0))
        if first + body["limit"] > 10_000:  # "The search endpoints are limited to 10,000 total results"
            self._say(request, 400, {"status": "error"})
            return
        found = sorted(
            (properties["lastmodifieddate"], number)
            for number, properties in self.contacts.items()
            if _milliseconds(properties["lastmodifieddate"]) >= since
        )
        page = found[first : first + body["limit"]]
        results = [
            {
                "id": number,
                "properties": {name: self.contacts[number].get(name) for name in body["properties"]},
                "archived": False,
            }
            for _, number in page
        ]
        answer: dict[str, Any] = {"total": len(found), "results": results}
        if first + len(page) < len(found):
            answer["paging"] = {"next": {"after": str(first + len(page))}}
        self._say(request, 200, answer)

    def _update(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        parts = urlsplit(request.path)
        email = unquote(parts.path.removeprefix(CONTACTS))
        by_email = parse_qs(parts.query).get("idProperty") == ["email"]
        number = next((n for n, each in self.contacts.items() if by_email and each.get("email") == email), None)
        if number is None:
            self._say(request, 404, {"status": "error", "category": "OBJECT_NOT_FOUND"})
            return
        self.updates.append((email, body["properties"]))
        self.contacts[number].update(body["properties"])
        self._say(request, 200, {"id": number, "properties": self.contacts[number]})

    def _say(
        self, request: BaseHTTPRequestHandler, code: int, data: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        request.send_response(code)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(json.dumps(data).encode())


def _milliseconds(text: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(text).timestamp() * 1000)
