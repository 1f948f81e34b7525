"""The template files of a project, found by name. Nothing outside the given sources can be reached."""

from __future__ import annotations

from collections.abc import Mapping

from nurture.rendering.front_matter import FrontMatter, split
from nurture.rendering.problems import CompileError, did_you_mean
from nurture.yaml_text import NOT_UTF8

ROOT = "email_templates/"
SUFFIXES = (".html", ".md", ".txt")
MAX_TEMPLATE = 256 * 1024


class Library:
    """`email_templates/...` of the sources. Names are `cart/reminder`; files are `cart/reminder.html`."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._files = {
            path.removeprefix(ROOT): text
            for path, text in sources.items()
            if path.startswith(ROOT) and path.endswith(SUFFIXES)
        }

    def names(self) -> list[str]:
        """All templates that can be sent: those outside folders and files that begin with `_`, sorted."""
        return sorted({_stem(file) for file in self._files if not _is_shared(file)})

    def file_of(self, name: str) -> str:
        """The file of a template: `.html`, else `.md`, else a lone `.txt`. Raises CompileError."""
        for suffix in SUFFIXES:
            if name + suffix in self._files and not _is_shared(name):
                return name + suffix
        hint = did_you_mean(name, self.names()) or "templates are files in email_templates/, named without extension"
        raise CompileError("there is no such template", name, None, hint)

    def twin_of(self, file: str) -> str | None:
        """The hand-written text twin beside an HTML or Markdown file."""
        twin = _stem(file) + ".txt"
        return twin if twin != file and twin in self._files else None

    def layout_file(self, layout: str, file: str, line: int) -> str:
        """The file of the layout a front matter names."""
        path = f"_layouts/{layout}.html"
        if path not in self._files:
            known = sorted(_stem(other).split("/", 1)[1] for other in self._files if other.startswith("_layouts/"))
            hint = did_you_mean(layout, known) or f"layouts: {', '.join(known) or 'none yet'}"
            raise CompileError(f"there is no layout `{layout}`", file, line, hint)
        return path

    def text(self, path: str, file: str, line: int) -> str:
        """The text of another file that `file` names in `line`. Raises CompileError."""
        if path not in self._files:
            known = sorted(self._files)
            hint = did_you_mean(path, known) or "paths are relative to email_templates/, for example _parts/button.html"
            raise CompileError(f"there is no template file `{path}`", file, line, hint)
        if len(self._files[path]) > MAX_TEMPLATE:
            raise CompileError("the file is larger than 256 KiB", path, 1, "mails above 102 KB are clipped: shorten it")
        if NOT_UTF8 in self._files[path]:
            place = self._files[path].count("\n", 0, self._files[path].index(NOT_UTF8)) + 1
            raise CompileError("the file has bytes that are not UTF-8", path, place, "save the file as UTF-8")
        return self._files[path]

    def parsed(self, path: str, file: str, line: int) -> FrontMatter:
        """Front matter and body of a file."""
        return split(self.text(path, file, line), path)


def _stem(file: str) -> str:
    return file.rsplit(".", 1)[0]


def _is_shared(file: str) -> bool:
    return any(part.startswith("_") for part in file.split("/"))
