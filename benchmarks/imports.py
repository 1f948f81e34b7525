"""A million contacts from a CSV file, by `nurture import`, against looking each up and adding it through an ORM."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sqlmodel import Field, Session, SQLModel, create_engine, select

from benchmarks import shop
from benchmarks.children import run
from benchmarks.databases import KINDS, database
from benchmarks.figures import Figure

LIMITS = {"SQLite": 15, "PostgreSQL": 20}


class OrmContact(SQLModel, table=True):
    """What the other way writes: the same columns of a person, and nothing else."""

    __tablename__ = "orm_contact"
    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True)
    first_name: str
    last_name: str
    zone: str


def measure(*, quick: bool = False) -> list[Figure]:
    rows, few = (20_000, 500) if quick else (1_000_000, 5_000)
    figures = []
    for kind in KINDS:
        with database(kind) as (folder, url):
            app = shop.open_app(folder, url)
            shop.prepare(app, 1, shop.SMALL)
            app.close()
            write(folder / "people.csv", rows)
            command = [sys.executable, "-m", "nurture", "import", "people.csv", "--consent", "a form", "--yes"]
            wall = run(command, environ=shop.environ(url), cwd=folder).wall
            orm = _orm(url.replace("postgresql:", "postgresql+psycopg:"), few)
        whole = wall * 1_000_000 / rows
        how = "`nurture import` from start to end, checks included, wall clock" + (f"; from {rows:,}" if quick else "")
        figures += [
            Figure(
                f"import of 1,000,000 contacts, upsert by e-mail, {kind}", whole, "s", at_most=LIMITS[kind], how=how
            ),
            Figure(
                f"import against looking up and adding through SQLModel, {kind}",
                orm / (wall / rows), "times", at_least=40,
                against=f"{1e6 * wall / rows:,.1f} us against {1e6 * orm:,.0f} us a row",
                how="a commit every 1,000 rows",
            ),
        ]  # fmt: skip
    return figures


def write(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("email,first_name,last_name,zone\n")
        for number in range(rows):
            name = shop.FIRST_NAMES[number % len(shop.FIRST_NAMES)]
            file.write(
                f"person{number * 7919 % rows:07d}@d{number % 500}.example.net,{name},Nordqvist,Europe/Helsinki\n"
            )


def _orm(url: str, rows: int) -> float:
    """Seconds a row."""
    engine = create_engine(url)
    SQLModel.metadata.create_all(engine, [SQLModel.metadata.tables["orm_contact"]])
    begun = time.perf_counter()
    with Session(engine) as session:
        for number in range(rows):
            email = f"person{number:07d}@d{number % 500}.example.net"
            if session.exec(select(OrmContact).where(OrmContact.email == email)).first() is None:
                session.add(OrmContact(email=email, first_name="Ann", last_name="N", zone="Europe/Helsinki"))
            if number % 1000 == 999:
                session.commit()
        session.commit()
    taken = time.perf_counter() - begun
    engine.dispose()
    return taken / rows
