"""A name server of a few TXT records (RFC 1035), for programs that ask the DNS and cannot be told anything else."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from typing import Self

_TXT, _IN = 16, 1
_MISSING = 3


class TextRecords:
    """Answers on port 53 of `address`, which needs root: TXT records by name; any other name does not exist."""

    def __init__(self, records: Mapping[str, str], address: str) -> None:
        self._records = {name.lower(): text for name, text in records.items()}
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.sendto(b"", self._sock.getsockname())
        self._thread.join()
        self._sock.close()

    def _serve(self) -> None:
        while query := self._sock.recvfrom(512):
            data, asker = query
            if not data:
                return
            self._sock.sendto(self._answer(data), asker)

    def _answer(self, query: bytes) -> bytes:
        labels, place = [], 12
        while length := query[place]:
            labels.append(query[place + 1 : place + 1 + length].decode("latin-1"))
            place += 1 + length
        question, (kind,) = query[12 : place + 5], struct.unpack("!H", query[place + 1 : place + 3])
        text = self._records.get(".".join(labels).lower()) if kind == _TXT else None
        if text is None:
            return query[:2] + struct.pack("!5H", 0x8580 | _MISSING, 1, 0, 0, 0) + question
        strings = b"".join(
            bytes([len(part)]) + part.encode() for part in (text[at : at + 255] for at in range(0, len(text), 255))
        )
        record = b"\xc0\x0c" + struct.pack("!HHIH", _TXT, _IN, 60, len(strings)) + strings
        return query[:2] + struct.pack("!5H", 0x8580, 1, 1, 0, 0) + question + record
