"""Static checks of templates: what can be seen before any mail is rendered; and of mails, once they are.

Codes: N45x templates and their data, N55x what mail programs do with it, N75x what the law wants in it.
N456, N457 and N576 are told by `engine/proof`, N458 and N459 by `engine/everybody`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nurture.errors import TemplateError
from nurture.rendering.data_contract import ALWAYS_THERE, OURS, covering, uses_of
from nurture.rendering.front_matter import ROOTS
from nurture.rendering.inlining import base_rules
from nurture.rendering.page import Finding, Page
from nurture.rendering.pictures import Pictures, check_pictures
from nurture.rendering.places import Place, Where
from nurture.rendering.problems import TemplateProblem, did_you_mean
from nurture.rendering.readers import for_readers
from nurture.rendering.segments import Kind, Segment, lex
from nurture.rendering.template import PLAIN, Draft, Template

if TYPE_CHECKING:
    from jinja2 import nodes

    from nurture.rendering.renderer import Rendered, Renderer

SIZE_ERROR = 102_000
SIZE_WARNING = 60_000
SUBJECT_WARNING = 70
SUBJECT_SHOWN_VALUE = 8

_TAG = re.compile(
    r"""<(img|a|area|link|script|form|iframe|object|embed|base)\b((?:[^>"']|"[^"]*"|'[^']*')*)>""", re.IGNORECASE
)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_DOCTYPE = re.compile(r"\s*<!DOCTYPE html", re.ASCII)
_STYLE = re.compile(r"<style\b([^>]*)>(.*?)</style", re.IGNORECASE | re.DOTALL)
_ACTIVE = frozenset({"script", "form", "iframe", "object", "embed", "base"})
_LINK_STARTS = ("https://", "mailto:", "tel:", "sms:", "#", "\x00")


def check_all(renderer: Renderer, *, transactional: frozenset[str] = frozenset()) -> list[TemplateProblem]:
    """The problems of all templates, in order of file and line."""
    problems = [
        problem
        for name in renderer.names()
        for problem in check_template(renderer, name, marketing=name not in transactional)
    ]
    return sorted(set(problems), key=lambda problem: (problem.file, problem.line, problem.code, problem.message))


def check_template(
    renderer: Renderer, name: str, *, marketing: bool = True, pictures: Pictures | None = None
) -> list[TemplateProblem]:
    """The problems of one template. `marketing` mail must carry an unsubscribe link and a postal address.

    `pictures` are the files of the project; None if they are not known.
    """
    try:
        source = renderer.draft(name)
        template = renderer.template(name)
    except TemplateError as error:
        hint = getattr(error, "hint", None)
        message = getattr(error, "bare", None) or str(error)
        return [TemplateProblem("N450", "error", name, _path(error.template), error.line or 1, message, hint)]
    page = Page.of(source.document, template)
    findings = [*_head(template), *_data(source, template), *_markup(page), *_styles(template), *_weight(template)]
    findings += for_readers(page, template)
    findings += check_pictures(page, template, pictures, renderer.brand.get("assets_url"))
    if marketing:
        findings += _law(source, template, str(renderer.postal_address))
    return [
        TemplateProblem(found.code, found.severity, name, _path(found.file), found.line, found.message, found.hint)
        for found in findings
    ]


GROUPS = {
    "compatibility": ("N554", "N555", "N559", "N562"),
    "accessibility": ("N556", "N563", "N564", "N565", "N566", "N567", "N568", "N572"),
    "links": ("N557", "N558", "N569", "N570", "N573", "N576"),
    "weight": ("N560", "N561", "N571", "N574", "N575"),
    "inbox": ("N551", "N552", "N553"),
    "law": ("N750", "N751", "N752", "N753"),
    "data": ("N450", "N451", "N452", "N453", "N454", "N455", "N456", "N457", "N458", "N459"),
}


def check_mail(renderer: Renderer, name: str, *, marketing: bool = True) -> dict[str, list[TemplateProblem]]:
    """The problems of one template by group (the keys of `GROUPS`, all of them); for a page that shows them."""
    found = check_template(renderer, name, marketing=marketing)
    return {group: [problem for problem in found if problem.code in codes] for group, codes in GROUPS.items()}


def check_rendered(rendered: Rendered) -> list[str]:
    """What is wrong with one rendered mail, as sentences; empty if nothing is."""
    found = []
    size = len(rendered.html.encode())
    if size > SIZE_ERROR:
        found.append(f"the HTML has {size:,} bytes; Gmail cuts mails at 102 KB")
    if len(rendered.subject) > SUBJECT_WARNING:
        found.append(f"the subject has {len(rendered.subject)} characters; phones show 40 to 70")
    parts = (rendered.subject, rendered.preheader, rendered.html, rendered.text)
    if any("{{" in part or "{%" in part for part in parts):
        found.append("template tags are left in the mail")
    if not rendered.text.strip():
        found.append("the plain text is empty")
    return found


def _path(file: str) -> str:
    return file if file.startswith("email_templates/") else f"email_templates/{file}"


def _head(template: Template) -> Iterator[Finding]:
    front, file = template.front, template.file
    if template.slow_because:
        message = f"the styles must be inlined anew for every mail, which is slow: {template.slow_because}"
        yield Finding("N451", "warning", file, 1, message, "keep class and id constant, and statements out of styles")
    if front.subject is None:
        yield Finding(
            "N551", "warning", file, 1, "no subject", "write `subject: ...` here, or in every step that sends it"
        )
    else:
        line = front.line_of("subject")
        size = sum(
            len(part.source) if part.kind is Kind.TEXT else SUBJECT_SHOWN_VALUE
            for part in lex(front.subject, file)
            if part.kind is not Kind.DO
        )
        if size > SUBJECT_WARNING:
            message = f"the subject has about {size} characters; phones show 40 to 70"
            yield Finding("N552", "warning", file, line, message, "put what matters first, and shorten it")
    if front.preheader is None and template.html is not None:
        hint = "write `preheader: ...`: 40 to 110 characters that go on where the subject ends"
        yield Finding(
            "N553", "warning", file, 1, "no preheader: mail programs will show the first words they find", hint
        )


def reads(renderer: Renderer, name: str, subject: str | None = None) -> frozenset[tuple[str, str]] | None:
    """What a mail can say of a person: ("contact", "first_name") and the like; None if that cannot be told.

    `subject` as in `Renderer.render`. Raises TemplateError.
    """
    template = renderer.template(name)
    tags = _tags(renderer.draft(name), template)
    uses, _ = uses_of(_tree([*(tag.tag() for tag in tags), subject or ""]))
    paths = [*(use.path for use in uses), *(need.path for need in template.needs)]
    return frozenset((path[0], path[1]) for path in paths) if all(len(path) > 1 for path in paths) else None


def _tags(source: Draft, template: Template) -> list[Segment]:
    parts = [*source.document, *(source.text or ())]
    for key, text in (("preheader", template.preheader), ("subject", template.subject)):
        if text is not None:
            line = template.front.line_of(key)
            parts += [Segment(part.kind, part.source, template.file, line) for part in lex(text, template.file)]
    return [part for part in parts if part.kind is not Kind.TEXT]


def _tree(tags: list[str]) -> nodes.Template:
    """One tag a line, so that the line of a finding is the number of its tag."""
    return PLAIN.parse("\n".join([" ".join(tag.split("\n")) for tag in tags]))


def _data(source: Draft, template: Template) -> Iterator[Finding]:
    tags = _tags(source, template)
    uses, unknown = uses_of(_tree([tag.tag() for tag in tags]))
    for name, line in unknown:
        tag = tags[line - 1]
        hint = did_you_mean(name, [*ROOTS, *OURS]) or f"data begins with {', '.join(ROOTS)}"
        yield Finding("N455", "error", tag.file, tag.line, f"nothing is called `{name}`", hint)
    met: set[str] = set()
    for use in uses:
        tag = tags[use.line - 1]
        needs = covering(use, template.needs)
        met.update(map(str, needs))
        if len(use.path) < 2 or use.path in ALWAYS_THERE:
            continue
        if not needs:
            hint = f"add {use} to needs in {template.file}; with ? if it may be missing"
            yield Finding("N452", "error", tag.file, tag.line, f"`{use}` is used but not declared in needs", hint)
        elif all(need.optional for need in needs) and not use.guarded:
            message = f"`{use}` may be missing and has no default here"
            hint = f"write `{tag.source.split('|')[0].strip()} | default('...')`, or an if around it"
            yield Finding("N453", "error", tag.file, tag.line, message, hint)
    for need in template.needs:
        if str(need) not in met:
            message = f"`{need}` is declared but not used"
            yield Finding("N454", "warning", template.file, need.line, message, "delete it from needs")


def _markup(page: Page) -> Iterator[Finding]:
    if not page.segments:
        return
    if not _DOCTYPE.match(page.text.lstrip("\x00 \n\r\t")):
        file, line = page.place(max(page.text.lower().find("<!doctype"), 0))
        hint = "begin with <!DOCTYPE html>, in capitals: the inliner drops any other, and mails break without it"
        yield Finding("N554", "error", file, line, "the document type is missing or in lower case", hint)
    for found in _TAG.finditer(page.text):
        element, attributes = found[1].lower(), {}
        for name, double, single in _ATTRIBUTE.findall(found[2]):
            attributes[name.lower()] = double or single
        yield from _element(element, attributes, *page.place(found.start()))


def _element(element: str, attributes: dict[str, str], file: str, line: int) -> Iterator[Finding]:
    if element in _ACTIVE or (element == "link" and "stylesheet" in attributes.get("rel", "")):
        hint = "mail programs drop it, and some refuse the mail"
        yield Finding("N555", "error", file, line, f"<{element}> in a mail", hint)
        return
    if element == "img" and "alt" not in attributes:
        hint = 'say what it shows, or alt="" if it only decorates'
        yield Finding("N556", "error", file, line, "a picture without alt text", hint)
    target = attributes.get("src" if element == "img" else "href")
    if target is None:
        return
    if target.lower().startswith("http://"):
        hint = "write https://"
        yield Finding(
            "N557", "error" if element == "img" else "warning", file, line, f"an unsafe link: {target:.60}", hint
        )
    elif target and not target.lower().startswith(_LINK_STARTS):
        hint = "mails have no site to be relative to: write https://..."
        yield Finding("N558", "error", file, line, f"a link that leads nowhere: {target:.60}", hint)


def _styles(template: Template) -> Iterator[Finding]:
    whole = "".join([segment.source if segment.kind is Kind.TEXT else "x" for segment, _ in template.segments])
    whole = re.sub(r"<!--\[if.*?<!\[endif\]-->", "", whole, flags=re.DOTALL | re.IGNORECASE)
    for attributes, css in _STYLE.findall(whole):
        if "data-premailer" in attributes:
            continue
        for selector, declarations in base_rules(css):
            if "!important" in declarations:
                message = f"`!important` in the rule `{selector}`: inlined, it beats every media and dark rule"
                hint = 'take it out, or move the rule into @media or the data-premailer="ignore" block'  # fmt: skip
                yield Finding("N559", "warning", template.file, 1, message, hint)


def _weight(template: Template) -> Iterator[Finding]:
    if template.html_size > SIZE_ERROR:
        message = f"the HTML has {template.html_size:,} bytes before any data; Gmail cuts mails at 102 KB"
        yield Finding("N560", "error", template.file, 1, message, "shorten it: the unsubscribe link would be cut away")
    elif template.html_size > SIZE_WARNING:
        message = f"the HTML has {template.html_size:,} bytes before any data; 60,000 load well on phones"
        yield Finding("N561", "warning", template.file, 1, message, "shorten it, or use fewer styles")


def _law(source: Draft, template: Template, address: str) -> Iterator[Finding]:
    hint = 'put <a href="{{ unsubscribe_url }}">Unsubscribe</a> into the layout'
    if source.document and not any(_links_out(segment, place) for segment, place in template.segments):
        yield Finding("N750", "error", template.file, 1, "no unsubscribe link in the HTML", hint)
    if (
        not any(_mentions(segment, "unsubscribe_url") for segment in template.text_segments)
        and not template.slow_because
    ):
        yield Finding("N751", "error", template.file, 1, "no unsubscribe link in the text", "add {{ unsubscribe_url }}")
    texts = template.text_segments
    written = " ".join("".join([part.source if part.kind is Kind.TEXT else "\x00" for part in texts]).split())
    if texts and not any(_mentions(part, "postal_address") for part in texts) and (
        not address or " ".join(address.split()) not in written
    ):  # fmt: skip
        message = "no postal address in the text"
        yield Finding("N753", "error", template.file, 1, message, "add {{ postal_address }} to the .txt file")
    hint = "put {{ postal_address }} into the layout"
    static = "".join([s.source for s, _ in template.segments if s.kind is Kind.TEXT])
    if source.document and not any(_mentions(part, "postal_address") for part in source.document) and (
        not address or address not in static
    ):  # fmt: skip
        yield Finding("N752", "error", template.file, 1, "no postal address in the HTML", hint)


def _links_out(segment: Segment, place: Place) -> bool:
    return place.where is Where.VALUE and place.attribute == "href" and _mentions(segment, "unsubscribe_url")


def _mentions(segment: Segment, name: str) -> bool:
    return segment.kind is Kind.PRINT and re.search(rf"\b{name}\b", segment.source) is not None
