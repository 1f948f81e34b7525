"""One POST to a system outside: never into our own network, never to where it is sent on, never for long.

The name is resolved once, every address it has is looked at, and the connection goes to the address that was looked at:
a name that means something else a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

TIMEOUT, WHOLE = 10.0, 20.0  # seconds: for one read or write, and for all of it
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_WELL_KNOWN_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenError(Exception):
    """An address that is not called; the message says why."""


def address_of(host: str, port: int, allowed: Sequence[Network] = ()) -> str:
    """The address to call. Raises ForbiddenError if any address of the name is not public and not allowed, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))
    for text in addresses:
        address = ipaddress.ip_address(text)
        if not is_public(address) and not any(address in network for network in allowed):
            raise ForbiddenError(
                "its name leads into a private network; if that is meant, allow it: NURTURE_WEBHOOK_NETWORKS"
            )
    return addresses[0]


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is somebody else's machine; an IPv4 address inside an IPv6 one counts as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _WELL_KNOWN_NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if int(address) >> 32 == 0:  # ::/96, IPv4-compatible: long gone, and never public
            return False
    return address.is_global and not address.is_multicast


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[Network] = ()) -> str | None:
    """None once it was taken (2xx); else what went wrong, without the address, which may hold a secret."""
    connection: _Pinned | None = None
    late = threading.Timer(WHOLE, lambda: connection.cut() if connection is not None else None)
    late.daemon = True
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        connection = _Pinned(host, port, address_of(host, port, allowed), secure=secure)
        late.start()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {**headers, "User-Agent": "nurture", "Connection": "close"})
        status = connection.getresponse().status
    except ForbiddenError as error:
        return str(error)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: it could not be reached, or did not answer as HTTP does"
    finally:
        late.cancel()
        if connection is not None:
            connection.close()
    return None if 200 <= status < 300 else f"answered {status}"


class _Pinned(http.client.HTTPConnection):
    """To one address; the name is asked for in TLS and in the Host header."""

    def __init__(self, host: str, port: int, address: str, *, secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self._address, self._secure = address, secure
        self.default_port = 443 if secure else 80

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), TIMEOUT)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """Whoever answers byte by byte is not listened to for ever."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)  # closing alone would not wake who reads
