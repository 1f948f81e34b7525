"""The functions templates may call."""

from __future__ import annotations

import re
from typing import Any

from jinja2.utils import pass_context

from nurture.rendering.environment import BadValue

_NAMES = re.compile(r"[A-Za-z0-9][\w-]*/[a-z0-9][a-z0-9_-]*")


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


@pass_context
def answer_url(context: Any, survey: Any = "", answer: Any = "") -> str:
    """The address at which she gives this answer to a survey of the project."""
    base = context.resolve("answers_url")
    if not isinstance(base, str):
        raise BadValue("answer_url() needs `surveys:` in campaigns/_project.yaml")
    if not isinstance(survey, str) or not isinstance(answer, (str, int)) or not _NAMES.fullmatch(f"{survey}/{answer}"):
        raise BadValue(f"answer_url() needs a survey and an answer of it, not {survey!r:.40} and {answer!r:.40}")
    return f"{base}/{survey}/{answer}"


FUNCTIONS: dict[str, Any] = {"asset": asset, "answer_url": answer_url}
PERSONAL = frozenset({"answer_url"})  # what they give depends on the mail
