"""The error tree. Configuration errors stand apart: they always stop the program and are never swallowed."""

from __future__ import annotations


class NurtureError(Exception):
    """Something nurture can explain; the message says what is wrong and what to do next."""


class ConfigurationError(Exception):
    """The settings, the database or the secrets do not allow starting. One message lists every problem."""


class ExpressionError(NurtureError):
    """An expression cannot be parsed or typed. `column` is the 0-based offset of the fault in the text."""

    def __init__(self, message: str, column: int = 0, hint: str | None = None) -> None:
        super().__init__(message)
        self.column = column
        self.hint = hint


class TemplateError(NurtureError):
    """A template cannot be compiled or rendered. `line` is 1-based in the template source, None if unknown."""

    def __init__(self, message: str, template: str, line: int | None = None) -> None:
        super().__init__(message)
        self.template = template
        self.line = line


class StorageError(NurtureError):
    """The database refused, is at the wrong revision, or may not be written."""


class ConflictError(NurtureError):
    """The database has moved on in a way that makes the request unsafe; nothing was changed."""
