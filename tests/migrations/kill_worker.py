"""Begins the upgrade of the database whose address it is given, and waits in the middle of it to be killed."""

from __future__ import annotations

import sys
import threading
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from nurture.storage import schema
from nurture.storage.database import Database


@event.listens_for(Engine, "after_cursor_execute")
def wait(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
    if "CREATE TABLE enrolments" in statement:
        print("half way", flush=True)
        threading.Event().wait()


schema.upgrade(Database(sys.argv[1]))
