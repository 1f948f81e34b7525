"""Real servers for tests of what nurture asks of others: each says how it answers, and the rest is here."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from typing import Self


class Serving:
    """A server that works in a thread of its own while it is entered."""

    def __init__(self, server: TCPServer) -> None:
        self._server = server
        self._thread = Thread(target=server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Listener(Serving):
    """Listens on a free port of this machine while it is entered; `answer` speaks for it."""

    def __init__(self) -> None:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.answer(self)

            def do_PATCH(self) -> None:
                listener.answer(self)

            def do_POST(self) -> None:
                listener.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        super().__init__(server)
        self.url = f"http://127.0.0.1:{server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """200 to everything, unless a test wants it otherwise."""
        request.send_response(200)
        request.end_headers()
