"""Where the starter programme lies: at the root of a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

from nurture.errors import ConfigurationError

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """A shipped folder: `campaigns`, `email_templates`, `deploy`. Raises ConfigurationError if it is not there."""
    for place in (_PACKAGE / "_shipped" / name, _PACKAGE.parent / name, _PACKAGE.parent / "docs" / name):
        if place.is_dir():
            return place
    raise ConfigurationError(f"this installation of nurture has no {name}; install the package again")


def project() -> Path:
    """The folder that holds the shipped `campaigns` and `email_templates`: a project to run as it is."""
    return folder("campaigns").parent


def starter() -> dict[str, bytes]:
    """Every file of the starter programme by its path in a project, sorted."""
    files: dict[str, bytes] = {}
    for name in ("campaigns", "email_templates"):
        place = folder(name)
        for path in sorted(place.rglob("*")):
            relative = path.relative_to(place)
            if path.is_file() and not any(part.startswith((".", "__")) for part in relative.parts):
                files[f"{name}/{relative.as_posix()}"] = path.read_bytes()
    return files
