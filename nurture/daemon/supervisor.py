"""systemd, where it started us: READY, STOPPING, STATUS and the watchdog over its datagram socket (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Supervisor:
    """Says nothing where nobody listens, and never fails: being watched must not hurt."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        micros = environ.get("WATCHDOG_USEC", "")
        self.watchdog = int(micros) / 1e6 if micros.isdigit() and self._address else None
        """Seconds after which silence counts as death; None if nobody watches."""

    def ready(self) -> None:
        self._tell("READY=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell("STATUS=" + " ".join(text.split()))

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
                channel.sendto(state.encode(), self._address)
        except OSError:
            pass
