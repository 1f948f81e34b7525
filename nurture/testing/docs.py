"""The parts of the documentation that are made from the code: `python -m nurture.testing.docs` writes them.

A document holds regions `<!-- generated: NAME [ARGUMENT] -->` ... `<!-- end -->`. The tests fail when one is stale.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from nurture.testing import doc_words

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "docs/language.md",
    "docs/operations.md",
    "docs/simulation.md",
    "docs/integrations.md",
    "docs/caps-and-slots.md",
)
_REGION = re.compile(r"(<!-- generated: ([a-z]+)(?: (\w+))? -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The document with every region as the code would have it today. Raises KeyError for what has no words yet."""
    return _REGION.sub(lambda found: f"{found[1]}{GENERATORS[found[2]](found[3] or '')}\n{found[5]}", text)


def regions(text: str) -> list[tuple[str, str]]:
    """Name and argument of every region of a document."""
    return [(found[2], found[3] or "") for found in _REGION.finditer(text)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


# --- keys of files


def models() -> dict[str, Mapping[str, Any]]:
    """Name of every model of a file to its JSON Schema, in the order in which files lead to them."""
    from nurture.language.json_schema import schema
    from nurture.language.schema import FILE_KINDS

    found: dict[str, Mapping[str, Any]] = {}
    for kind, model in FILE_KINDS.items():
        made = schema(kind)
        found[model.__name__] = made
        found.update(made.get("$defs", {}))
    return found


def _keys(model: str) -> str:
    made = models()[model]
    required = set(made.get("required", ()))
    rows = []
    for name, node in made["properties"].items():
        need = "required" if name in required else _default(node)
        rows.append((f"`{name}`", _value(node), need, _sentence(node.get("description", ""))))
    return table(("key", "value", "if left out", "meaning"), rows)


def _sentence(text: str) -> str:
    return " ".join(text.split())


def _default(node: Mapping[str, Any]) -> str:
    default = node.get("default")
    if default in (None, [], {}, ""):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(node: Mapping[str, Any]) -> str:
    """What may stand there, in a few words."""
    if "const" in node:
        return f"`{str(node['const']).lower()}`"
    if "enum" in node:
        return " ".join(f"`{choice}`" for choice in node["enum"])
    if "examples" in node:
        return _examples(node)
    if "$ref" in node:
        return "mapping"
    if "anyOf" in node or "oneOf" in node:
        return _choices([*node.get("anyOf", ()), *node.get("oneOf", ())])
    match node.get("type"):
        case "array":
            inner = _value(node.get("items", {}))
            return inner if inner == "steps" else f"list of {inner}s" if inner in _PLURALS else f"list of {inner}"
        case "object":
            return "mapping"
        case "integer" | "number":
            low, high = node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum")
            return f"{low} to {high}" if low is not None and high is not None else "number"
        case "boolean":
            return "`true` `false`"
        case "string":
            return "text"
    return "anything"


_PLURALS = {"text", "mapping", "name"}


def _examples(node: Mapping[str, Any]) -> str:
    examples = node["examples"]
    if "number" in node.get("type", ()):
        return "expression"
    if str(node.get("pattern", "")).startswith("^[a-z0-9]"):
        return "name"
    return ", ".join(f"`[{', '.join(map(str, one))}]`" if isinstance(one, list) else f"`{one}`" for one in examples[:3])


def _choices(nodes: Sequence[Mapping[str, Any]]) -> str:
    words = list(dict.fromkeys("steps" if _is_step(node) else _value(node) for node in nodes))
    return "steps" if "steps" in words else " or ".join(words)


def _is_step(node: Mapping[str, Any]) -> bool:
    return str(node.get("$ref", "")).endswith("Step") or node.get("const") == "end"


# --- lists of names


def _functions(_: str) -> str:
    from nurture.language.expression_functions import FUNCTIONS

    rows = [
        (f"`{name}`", f"`{function.example}`", " ".join(f"`{one}=`" for one in sorted(function.named)),
         doc_words.FUNCTIONS[name])
        for name, function in FUNCTIONS.items()
    ]  # fmt: skip
    return table(("function", "for instance", "takes", "gives"), rows)


def _filters(_: str) -> str:
    from nurture.rendering.filters import FILTERS

    rows = []
    for name in FILTERS:
        if not name.endswith("__"):
            example, words = doc_words.FILTERS[name]
            rows.append((f"`{name}`", f"`{{{{ {example} }}}}`", words))
    return table(("filter", "for instance", "shows"), rows)


def codes() -> dict[str, str]:
    """Every problem code with its meaning."""
    from nurture.language.problems import CODES
    from nurture.rendering.problems import CODES as TEMPLATE_CODES

    return dict(sorted({**CODES, **TEMPLATE_CODES}.items()))


def _problems(_: str) -> str:
    from nurture.language.problems import FAMILIES

    return table(
        ("code", "family", "meaning"), [(f"`{code}`", FAMILIES[code[:2]], words) for code, words in codes().items()]
    )


def _worded(names: Iterable[StrEnum], words: Mapping[str, str], head: str) -> str:
    return table((head, "meaning"), [(f"`{name.value}`", words[name.value]) for name in names])


def _reasons(_: str) -> str:
    from nurture.domain.ledger import Reason

    return _worded(Reason, doc_words.REASONS, "reason")


def _endings(_: str) -> str:
    from nurture.domain.enrolment import LeftBy

    return _worded(LeftBy, doc_words.ENDINGS, "`left_by`")


def _settings(_: str) -> str:
    from nurture.settings import PREFIX, Settings

    rows = []
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = default.get_secret_value() if hasattr(default, "get_secret_value") else default
        text = "" if shown in (None, []) else str(shown).lower() if isinstance(shown, bool) else str(shown)
        rows.append((f"`{PREFIX}{name.upper()}`", f"`{text}`" if text else "", field.description or ""))
    return table(("setting", "if not set", "meaning"), rows)


def _commands(_: str) -> str:
    from nurture.cli.main import COMMANDS, SECTIONS

    rows = [
        (f"**{section}**" if number == 0 else "", f"`nurture {name}`", COMMANDS[name][1])
        for section, names in SECTIONS.items()
        for number, name in enumerate(names)
    ]
    return table(("", "command", "what it does"), rows)


def _metrics(_: str) -> str:
    from nurture.web.metrics import METRICS

    rows = [(f"`{one.name}`", ", ".join(f"`{label}`" for label in one.labels), one.of, one.meaning) for one in METRICS]
    return table(("metric", "labels", "of", "meaning"), rows)


def _week(_: str) -> str:
    from nurture.testing.week import words

    return words()


GENERATORS: dict[str, Callable[[str], str]] = {
    "keys": _keys,
    "functions": _functions,
    "filters": _filters,
    "problems": _problems,
    "reasons": _reasons,
    "endings": _endings,
    "settings": _settings,
    "commands": _commands,
    "metrics": _metrics,
    "week": _week,
}


def main() -> None:
    """Write every document anew; say which have changed."""
    for name in DOCUMENTS:
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{name} is written anew\n")


if __name__ == "__main__":
    main()
