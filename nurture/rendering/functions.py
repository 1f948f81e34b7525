"""The functions templates may call."""

from __future__ import annotations

from typing import Any

from jinja2.utils import pass_context

from nurture.rendering.environment import BadValue


@pass_context
def asset(context: Any, name: Any = "") -> str:
    """The address of a picture: `assets_url` of brand.yaml and the name."""
    brand = context.resolve("brand")
    base = brand.get("assets_url") if isinstance(brand, dict) else None
    if not base:
        raise BadValue("asset() needs `assets_url: https://...` in email_templates/brand.yaml")
    if not isinstance(name, str) or not name or ".." in name.split("/"):
        raise BadValue(f"asset() needs the name of a file, not {name!r:.40}")
    return f"{str(base).rstrip('/')}/{name.lstrip('/')}"


FUNCTIONS: dict[str, Any] = {"asset": asset}
