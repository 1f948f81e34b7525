"""An event: a dated fact from outside, or from feedback; the only way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

Properties = Mapping[str, Any]
NOTHING: Properties = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Event:
    """`at` is when it happened (never later than it was received); `id` orders events that share an instant."""

    id: int
    name: str
    at: datetime
    properties: Properties = field(default=NOTHING)
