"""Values that are made by the million."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

_Value = TypeVar("_Value")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_Value]) -> type[_Value]:
    """A slotted dataclass whose fields nobody assigns: the type checker holds that, so that no call has to.

    `dataclass(frozen=True)` holds it at run time, and a value takes three times as long to make: for what there are a
    few of, use that.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
