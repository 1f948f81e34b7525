"""`nurture schema`: the JSON Schemas that editors complete and check campaign files by."""

from __future__ import annotations

from pathlib import Path

import click

from nurture.cli.init import as_schema_file
from nurture.cli.lazy import Command
from nurture.cli.output import plural, show

KINDS = ("campaign", "project", "segments", "person", "test", "behaviour", "caps", "events", "webhooks")


@click.command(cls=Command)
@click.argument("kind", type=click.Choice(KINDS), default="campaign", metavar="[KIND]")
@click.option("--write", is_flag=True, help="Write all of them to .nurture/, where the files of this project look.")
def schema(kind: str, write: bool) -> None:
    """Print the JSON Schema of a kind of file, for editors.

    KIND is campaign (if not given), project, segments, person, test, behaviour, caps, events or webhooks. After an
    upgrade of nurture, write them again with --write.
    """
    from nurture.language.json_schema import schema as schema_of

    if not write:
        show(as_schema_file(schema_of(kind)).decode().rstrip())
        return
    folder = Path(".nurture")
    folder.mkdir(exist_ok=True)
    for each in KINDS:
        (folder / f"{each}.schema.json").write_bytes(as_schema_file(schema_of(each)))
    show(f"{plural(len(KINDS), 'schema')} in {folder}/ are up to date.")
