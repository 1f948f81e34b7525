"""The renderer of one revision: a template's name and a person's data in, subject and encoded bodies out."""

from __future__ import annotations

import copy
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
from babel.core import Locale, UnknownLocaleError

from nurture.domain.timing import zone_of
from nurture.errors import TemplateError
from nurture.rendering.encoding import decoded, quoted_printable
from nurture.rendering.environment import BadValue
from nurture.rendering.filters import FilterError
from nurture.rendering.front_matter import Need
from nurture.rendering.functions import FUNCTIONS
from nurture.rendering.inlining import inline_css
from nurture.rendering.library import Library
from nurture.rendering.problems import TemplateProblem
from nurture.rendering.template import Draft, Piece, Template, compiled, draft, line_piece
from nurture.rendering.twin import text_twin

MAX_SUBJECT = 150
_KEPT_TEMPLATES = 256
_NO_MASK = re.compile(r"(?!)()")
_NOT_IN_A_LINE = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")

_cache: OrderedDict[str, Template] = OrderedDict()
_cache_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Rendered:
    """One mail's content. The bodies are kept as they go out: quoted-printable, CRLF line ends, ASCII.

    `html_part` is empty for a template that is plain text only. `template_hash` names what it was made of.
    """

    subject: str
    preheader: str
    html_part: str
    text_part: str
    template_hash: str = ""

    @property
    def html(self) -> str:
        """The HTML body as text, with LF line ends."""
        return decoded(self.html_part)

    @property
    def text(self) -> str:
        """The plain text body, with LF line ends."""
        return decoded(self.text_part)

    @property
    def html_bytes(self) -> int:
        """The size of `html` in UTF-8, counted without decoding it."""
        part = self.html_part
        escapes, breaks = part.count("="), part.count("=\r\n")
        return len(part) - 2 * (escapes - breaks) - 3 * breaks - (part.count("\r\n") - breaks)

    @classmethod
    def of(cls, *, subject: str, text: str, html: str = "", preheader: str = "") -> Rendered:
        """Content that was written by hand, not by a template."""
        return cls(one_line(subject), one_line(preheader), quoted_printable(html), quoted_printable(text))


class Renderer:
    """Built once per revision; safe to use from several threads.

    Templates are compiled when they are first asked for, and kept by the hash of everything they are made of, so that
    the next revision compiles only what changed.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        *,
        brand: Mapping[str, Any],
        postal_address: str,
        senders: Mapping[str, Any] | None = None,
        topics: Mapping[str, Any] | None = None,
        default_locale: str = "en",
        default_zone: str = "UTC",
        currency: str = "EUR",
        tracked: tuple[bool, bool] = (False, False),
    ) -> None:
        self._library = Library(sources)
        self.senders = senders or {}
        self.topics = topics or {}
        locale = _locale(default_locale, "en")
        direction = "rtl" if locale.text_direction == "rtl" else "ltr"
        lang = str(locale).replace("_", "-")
        self._constants = {"brand": _plain(brand), "postal_address": postal_address, "lang": lang, "dir": direction}
        self._default_locale = default_locale
        self._default_zone = default_zone
        self._currency = currency
        self._slowly = ""
        self._clicks, self._opens = tracked
        self._tracked: dict[str, Template] = {}
        self._templates: dict[str, Template] = {}
        self._subjects: dict[tuple[str, str], Piece] = {}

    def names(self) -> list[str]:
        """All templates that can be sent, sorted."""
        return self._library.names()

    def template(self, name: str) -> Template:
        """A compiled template. Raises TemplateError."""
        known = self._templates.get(name)
        if known is None:
            source = draft(self._library, name, self._constants)
            if self._slowly:
                known = compiled(source, self._constants, slowly=self._slowly)
            else:
                known = _cached(source.hash, lambda: compiled(source, self._constants))
            self._templates[name] = known
        return known

    def tracked_template(self, name: str) -> Template:
        """The same for people who agreed to be tracked. Raises TemplateError."""
        known = self._tracked.get(name)
        if known is None:
            source, clicks, opens = draft(self._library, name, self._constants), self._clicks, self._opens
            digest = f"{source.hash} {clicks} {opens}"
            known = _cached(digest, lambda: compiled(source, self._constants, clicks=clicks, opens=opens))
            self._tracked[name] = known
        return known

    def slowly(self) -> Renderer:
        """The same, but every mail is rendered first and styled afterwards: the yardstick, hundreds of times slower."""
        other = copy.copy(self)
        other._slowly, other._templates = "it was asked for", {}  # noqa: SLF001 - one of us
        return other

    @property
    def postal_address(self) -> str:
        """The address every marketing mail must show."""
        return str(self._constants["postal_address"])

    @property
    def brand(self) -> Mapping[str, Any]:
        """What brand.yaml says."""
        return dict(self._constants["brand"])

    def draft(self, name: str) -> Draft:
        """A template read and flattened, as the checks see it. Raises TemplateError."""
        return draft(self._library, name, self._constants)

    def check(self, *, transactional: frozenset[str] = frozenset()) -> list[TemplateProblem]:
        """Every problem of every template; those named `transactional` need no unsubscribe link."""
        from nurture.rendering.checks import check_all

        return check_all(self, transactional=transactional)

    def render(
        self,
        name: str,
        context: Mapping[str, Any],
        *,
        subject: str | None = None,
        tracked: Mapping[str, str] | None = None,
    ) -> Rendered:
        """One person's mail. `subject`, if given, is a Jinja source that replaces the template's own.

        `tracked`: what her links and her picture begin with, if she agreed to be tracked.

        Raises TemplateError: unknown template, data that is missing or cannot be shown, more than 1 MiB.
        """
        template = self.template(name) if tracked is None else self.tracked_template(name)
        _require(template, context)
        data = self._data(context)
        if tracked is not None:
            data.update(tracked)
        subject_piece = template.subject_piece if subject is None else self._subject(template, subject)
        if subject_piece is None:
            raise TemplateError(
                f"{template.file}: no subject; write `subject: ...` in its front matter", template.file, 1
            )
        line = _cut(one_line(_run(subject_piece, data)))
        if not line:
            raise TemplateError(f"{template.file}: the subject is empty for this person", template.file, None)
        data["subject"] = line
        data["preheader"] = one_line(_run(template.preheader_piece, data)) if template.preheader_piece else ""
        html, text = self._bodies(template, data)
        return Rendered(line, data["preheader"], html, text, template.hash)

    def _bodies(self, template: Template, data: dict[str, Any]) -> tuple[str, str]:
        text = _run(template.text, data) if template.text is not None else None
        if template.html is None:
            return "", text or ""
        html = _run(template.html, data)
        if template.slow_because is None:
            return html, text or ""
        inlined = inline_css(html, template.file)
        return quoted_printable(inlined), text or quoted_printable(text_twin(inlined, _NO_MASK))

    def _data(self, context: Mapping[str, Any]) -> dict[str, Any]:
        contact = context.get("contact") or {}
        return {
            **context,
            **FUNCTIONS,
            **self._constants,
            "locale__": _locale(contact.get("locale"), self._default_locale),
            "zone__": _zone(contact.get("zone"), self._default_zone),
            "currency__": self._currency,
        }

    def _subject(self, template: Template, source: str) -> Piece:
        key = (template.name, source)
        known = self._subjects.get(key)
        if known is None:
            known = line_piece(source, f"{template.file} (subject of the step)", 1)
            assert known is not None
            if len(self._subjects) >= 1000:
                self._subjects.clear()
            self._subjects[key] = known
        return known


def one_line(text: str) -> str:
    """Text without line ends, control characters and lone surrogates, blanks collapsed."""
    return _NOT_IN_A_LINE.sub(" ", text).strip()


def _cut(subject: str) -> str:
    return subject if len(subject) <= MAX_SUBJECT else subject[: MAX_SUBJECT - 1].rstrip() + "…"


def _cached(digest: str, make: Callable[[], Template]) -> Template:
    with _cache_lock:
        known = _cache.get(digest)
        if known is not None:
            _cache.move_to_end(digest)
            return known
    made = make()
    with _cache_lock:
        _cache[digest] = made
        while len(_cache) > _KEPT_TEMPLATES:
            _cache.popitem(last=False)
    return made


def _run(piece: Piece, data: dict[str, Any]) -> str:
    if piece.constant is not None:
        return piece.constant
    try:
        return piece.program.run(data)
    except Exception as error:  # an expression on hostile data fails in any way Python can
        ours = isinstance(error, (jinja2.TemplateError, BadValue, FilterError))
        story = str(error) if ours else f"{type(error).__name__}: {error}"
        file, line = piece.place(error)
        raise TemplateError(_placed(story, file, line), file, line) from error


def _placed(story: str, file: str, line: int | None) -> str:
    return f"{file}, line {line}: {story}" if line else f"{file}: {story}"


def _require(template: Template, context: Mapping[str, Any]) -> None:
    """Data the front matter asks for is there and not blank: never `Hi ,`."""
    if template.wanted.is_in(context):
        return
    for need in template.needs:
        if not need.optional and (why := _lacking(need, context)):
            file = f"{template.file}, line {need.line}"
            message = f"{file}: needs `{need}`, which {why}; if that may be, write `{need}?` and a default"
            raise TemplateError(message, template.file, need.line)


def _lacking(need: Need, context: Mapping[str, Any]) -> str | None:
    values: list[Any] = [context]
    for name in need.path:
        found: list[Any] = []
        for value in values:
            if name == "[]":
                if not isinstance(value, (list, tuple)):
                    return "is no list for this person"
                found.extend(value)
            elif isinstance(value, Mapping) and value.get(name) is not None:
                found.append(value[name])
            else:
                return "is missing for this person"
        values = found
    if not values:
        return "is an empty list for this person"
    return "is blank for this person" if any(isinstance(v, str) and not v.strip() for v in values) else None


@lru_cache(maxsize=512)
def _locale(name: str | None, default: str) -> Locale:
    """The locale of a contact, else the default; people's data may hold anything."""
    for candidate in (name, default, "en"):
        if isinstance(candidate, str) and len(candidate) <= 35:
            try:
                return Locale.parse(candidate.strip().replace("-", "_"))
            except (ValueError, TypeError, UnknownLocaleError):
                continue
    raise AssertionError("the locale `en` is always there")


@lru_cache(maxsize=1024)
def _zone(name: str | None, default: str) -> Any:
    return zone_of(name if isinstance(name, str) else None, default)


def _plain(value: Any) -> Any:
    """Plain dicts and lists of a mapping, which is all the sandbox reads."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
