"""Live reload: an event for every save, so that the page that is open shows what the file says now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from watchfiles import awatch

from nurture.web.studio.desk import Desk

STILL_HERE = 2_000  # ms between signs of life
SETTLED = 60  # ms without another change; an editor writes, renames and sets times in one go


def mount(router: APIRouter, desk: Desk) -> None:
    @router.get("/changes")
    async def changes(request: Request) -> StreamingResponse:  # noqa: ARG001
        app = desk.site.app
        folders = [app.root / "campaigns", app.root / "email_templates", app.inbox_folder / "new"]
        watched = [folder.resolve() for folder in folders if folder.is_dir()]
        return StreamingResponse(_events(watched, app.inbox_folder.resolve()), media_type="text/event-stream")


async def _events(folders: list[Path], inbox: Path) -> AsyncIterator[str]:
    """Server-sent events: `files` or `inbox`, without data that matters."""
    yield "retry: 1000\n\n"
    if not folders:
        return
    watch = awatch(
        *folders, step=20, debounce=SETTLED, rust_timeout=STILL_HERE, yield_on_timeout=True, watch_filter=None
    )
    async for found in watch:
        kinds = sorted({"inbox" if Path(path).is_relative_to(inbox) else "files" for _, path in found})
        yield "".join(f"event: {kind}\ndata: 1\n\n" for kind in kinds) or ": still here\n\n"
