"""The workshop: the files on disk as they are now, and as they last were without a mistake."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from nurture.app import App
from nurture.engine.check import Known, check
from nurture.engine.revisions import Applied, assemble
from nurture.errors import ConfigurationError, StorageError
from nurture.language.compile import compile_project
from nurture.language.problems import Problem
from nurture.language.source import STORIES
from nurture.rendering.pictures import pictures_in
from nurture.storage.database import Database
from nurture.storage.schema import require_current


@dataclass(frozen=True, slots=True)
class Files:
    """`applied` is what is shown: these files, or the last sound ones while `errors` stand in these; None without any.

    `broken` says why nothing could be read at all.
    """

    sources: Mapping[str, str]
    applied: Applied | None
    errors: tuple[Problem, ...] = ()
    broken: str | None = None


class Workshop:
    """Looks at the disk whenever it is asked: there is no state that could be out of date. Used from threads."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._lock = threading.Lock()
        self._files: Files | None = None
        self._known: Known = {}
        self._checked: tuple[Mapping[str, str], tuple[Problem, ...]] | None = None

    def files(self) -> Files:
        """The files as they are. Compiled once, and again only when one has changed."""
        with self._lock:
            return self._read()

    def problems(self) -> tuple[Problem, ...]:
        """Everything `nurture validate` would say. Slow the first time: every template is compiled."""
        with self._lock:
            files = self._read()
            if files.broken is not None:
                return ()
            if self._checked is None or self._checked[0] != files.sources:
                self._checked = (files.sources, check(files.sources, self._known, pictures_in(self.app.root)).problems)
            return self._checked[1]

    def known(self) -> tuple[tuple[Problem, ...], bool]:
        """What is known of the files without compiling templates, and whether that is everything."""
        with self._lock:
            files = self._read()
            if self._checked is not None and self._checked[0] == files.sources:
                return self._checked[1], True
            compiled = files.applied.compiled.problems if files.applied is not None else ()
            return tuple(compiled if not files.errors else files.errors), False

    def database(self) -> Database | None:
        """The database, if there is one that this nurture understands."""
        app = self.app
        if app.settings.secret_key is None:
            return None
        url = app.settings.database_url.get_secret_value()
        try:
            if "database" not in app.__dict__ and url.startswith("sqlite") and not _sqlite_is_there(app, url):
                return None
            if app.database.dialect == "sqlite" and not app.database.path.exists():
                return None
            require_current(app.database)
        except (StorageError, ConfigurationError, OSError):
            return None
        return app.database

    def _read(self) -> Files:
        before = self._files
        try:
            sources = self.app.files()
        except (ConfigurationError, OSError) as error:
            return Files({}, before.applied if before is not None else None, broken=str(error))
        if before is None or before.sources != sources:
            self._files = _compiled(sources, before.applied if before is not None else None)
        assert self._files is not None
        return self._files


def _compiled(sources: Mapping[str, str], last: Applied | None) -> Files:
    try:
        # Stories change nothing that is shown, and to read them takes as long as all the rest; `problems` reads them.
        return Files(sources, assemble({path: text for path, text in sources.items() if not path.startswith(STORIES)}))
    except ConfigurationError as error:
        errors = compile_project(sources).errors
        return Files(sources, last, errors, None if errors else str(error))


def _sqlite_is_there(app: App, url: str) -> bool:
    path = url.partition(":///")[2].partition("?")[0]
    return bool(path) and (app.root / path).exists()
