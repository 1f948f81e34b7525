"""What tables are made of: the metadata they share, and the kinds of their columns, checks and indexes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData, Text, text
from sqlmodel import Field, SQLModel

from nurture.storage.types import BigId, Json, UTCDateTime

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(SQLModel):
    """All tables share this metadata, whose names of constraints are fixed so that migrations can speak of them."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)


def one_of(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def length_of(column: str, most: int) -> CheckConstraint:
    return CheckConstraint(f"length({column}) BETWEEN 1 AND {most}", name=column)


def partial_index(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def text_column(**options: Any) -> Any:
    return Field(sa_type=Text, **options)


def instant_column(**options: Any) -> Any:
    return Field(sa_type=UTCDateTime, **options)


def json_column(**options: Any) -> Any:
    return Field(sa_type=Json, **options)


def id_column() -> Any:
    return Field(default=None, sa_type=BigId, primary_key=True)


def number_column(**options: Any) -> Any:
    return Field(sa_type=BigId, **options)


def owner_column(*, key: bool = False) -> Any:
    """The column `contact_id`."""
    return Field(
        sa_type=BigId,
        primary_key=key,
        sa_column_args=[ForeignKey("contacts.id", ondelete="CASCADE")],
        sa_column_kwargs={"autoincrement": False} if key else {},
    )


def key_column(**options: Any) -> Any:
    """A whole number that is part of the primary key and given by us."""
    return Field(sa_type=BigId, primary_key=True, sa_column_kwargs={"autoincrement": False}, **options)
