r"""A proxy in front of a database that hangs up, dawdles or trickles, exactly when a test says so.

    with CuttingProxy(socket_of(url)) as proxy:
        ...                                   # connect to proxy.url(url) instead
        proxy.cut_at(b"COMMIT\0", reaches=True) # the next COMMIT gets there, and its answer does not get back

It sits between two Unix sockets named as PostgreSQL's are, one thread for each connection.
"""

from __future__ import annotations

import select
import socket
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import make_url

CHUNK = 65_536
NAME = ".s.PGSQL.5432"


@dataclass(frozen=True, slots=True)
class Cut:
    """`pattern` in what the client says hangs up: behind it (`reaches`), or before anything of it has gone on."""

    pattern: bytes
    reaches: bool


class CuttingProxy:
    """`delay` seconds before each chunk and `rate` bytes a second (0: no limit) may be set at any time."""

    def __init__(self, url: str) -> None:
        self._target = str(Path(str(make_url(url).query["host"])) / NAME)
        self._folder = tempfile.TemporaryDirectory(prefix="nurture-proxy-")
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(Path(self._folder.name) / NAME))
        self._server.listen(64)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._planned: list[Cut] = []
        self.delay = 0.0
        self.rate = 0
        self.cuts = 0

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(10)
        self._server.close()
        self._folder.cleanup()

    def url(self, url: str) -> str:
        """The same database, through the proxy."""
        return make_url(url).update_query_dict({"host": self._folder.name}).render_as_string(hide_password=False)

    def cut_at(self, pattern: bytes, *, reaches: bool, times: int = 1) -> None:
        """Hang up on whoever says `pattern` next; `times` of them."""
        with self._lock:
            self._planned += [Cut(pattern, reaches)] * times

    def _accept(self) -> None:
        while not self._ended.is_set():
            if select.select([self._server], [], [], 0.05)[0]:
                client, _ = self._server.accept()
                thread = threading.Thread(target=self._carry, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as upstream:
            try:
                upstream.connect(self._target)
                while not self._ended.is_set():
                    for ready in select.select([client, upstream], [], [], 0.05)[0]:
                        data = ready.recv(CHUNK)
                        if not data or (ready is client and self._is_cut(data, upstream)):
                            return
                        self._dawdle(len(data))
                        (upstream if ready is client else client).sendall(data)
            except OSError:  # either side has gone, which is what a proxy sees all day
                return

    def _is_cut(self, data: bytes, upstream: socket.socket) -> bool:
        with self._lock:
            cut = next((cut for cut in self._planned if cut.pattern in data), None)
            if cut is None:
                return False
            self._planned.remove(cut)
            self.cuts += 1
        if cut.reaches:
            upstream.sendall(data)
            upstream.recv(CHUNK)
        return True

    def _dawdle(self, size: int) -> None:
        seconds = self.delay + (size / self.rate if self.rate else 0)
        if seconds:
            self._ended.wait(seconds)
