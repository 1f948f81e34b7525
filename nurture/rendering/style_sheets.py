"""Premailer that reads a style sheet once: all mails of a layout share theirs, and reading it is most of the work."""

from __future__ import annotations

from typing import Any

from premailer import Premailer

_KEPT_SHEETS = 64
_sheets: dict[tuple[str, int], tuple[Any, Any]] = {}


class Inliner(Premailer):  # type: ignore[misc]
    """Not for two threads at once."""

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> tuple[Any, Any]:
        key = (css_body, ruleset_index)
        if key not in _sheets:
            rules, leftover = super()._parse_style_rules(css_body, ruleset_index)
            if not all(isinstance(each, tuple) for each in leftover):
                return rules, leftover  # rules of @media are objects that premailer changes
            if len(_sheets) >= _KEPT_SHEETS:
                _sheets.clear()
            _sheets[key] = (rules, leftover)
        rules, leftover = _sheets[key]
        return list(rules), list(leftover)
