"""A studio over the files of a folder, on a real server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from nurture.testing.house import House, sources
from nurture.testing.site import Served, serving
from nurture.web.site import Face

CAMPAIGN = """\
campaign: hello
start: {event: Signed Up}
steps:
  - wait: 2 days
  - {id: welcome, send: hello}
"""
PERSON = "version: 1\nperson: ana\nemail: ana@people.example\n"


@dataclass
class Studio:
    """`files` are on disk: what is written there is what the pages show."""

    house: House
    served: Served

    @property
    def client(self) -> httpx.Client:
        return self.served.client

    @property
    def token(self) -> str:
        return self.text("/studio/mails").partition('data-token="')[2].partition('"')[0]

    def text(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
        assert answer.status_code == status, (answer.text, self.house.journal.lines)
        return answer.text

    def write(self, path: str, text: str) -> None:
        target = self.house.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def post(self, path: str, token: str | None = None, **form: str) -> httpx.Response:
        return self.client.post(path, data=form, headers={"X-Studio-Token": self.token if token is None else token})


@pytest.fixture
def database_url(tmp_path: Path, _sqlite_template: Path) -> str:
    """One kind is enough: no page of the studio asks what is not asked elsewhere, of both."""
    return f"sqlite:///{shutil.copy(_sqlite_template, tmp_path / 'studio.db')}"


@pytest.fixture
def studio_of(database, tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """`studio_of(settings...)`: the studio of a small project, which is applied, too."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(**settings: str) -> Studio:
            house = House(database, tmp_path, sources(CAMPAIGN), **settings)
            house.apply()
            studio = Studio(house, stack.enter_context(serving(house.app, {Face.STUDIO})))
            for path, text in {**house.files, "campaigns/people/ana.yaml": PERSON}.items():
                studio.write(path, text)
            return studio

        yield make


@pytest.fixture
def studio(studio_of: Callable[..., Studio]) -> Studio:
    return studio_of()
