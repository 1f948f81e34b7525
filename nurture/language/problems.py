"""Problems: findings in the files of a project, each with a place, a code and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Severity(StrEnum):
    """An error stops `apply`; a warning is printed and let through."""

    ERROR = "error"
    WARNING = "warning"


FAMILIES = {
    "N1": "the file and its shape",
    "N2": "names that refer to something",
    "N3": "expressions",
    "N4": "templates and the data they need",
    "N5": "e-mail addresses and senders",
    "N6": "timing and caps",
    "N7": "consent and law",
    "N8": "offers",
}

CODES = {
    "N100": "the file cannot be read as YAML",
    "N101": "text with {{ }} stands without quotes",
    "N102": "version is missing or unknown",
    "N103": "unknown key",
    "N104": "a required key is missing",
    "N105": "a value of the wrong type",
    "N106": "not one of the choices",
    "N107": "a time of day stands without quotes",
    "N108": "keys that cannot stand together, or none where one is needed",
    "N109": "a file that is not read, or is misnamed",
    "N110": "the file is empty or is not a mapping",
    "N111": "a name with signs that names cannot have",
    "N112": "campaigns/_project.yaml is missing",
    "N201": "the same name twice",
    "N202": "unknown lifecycle stage",
    "N203": "unknown template",
    "N204": "unknown segment",
    "N205": "unknown topic",
    "N206": "unknown category",
    "N207": "unknown sender",
    "N208": "unknown step",
    "N209": "unknown team",
    "N210": "unknown webhook",
    "N211": "an event named only here, nearly like another",
    "N212": "unknown campaign or person",
    "N213": "segments that refer to each other in a circle",
    "N214": "a step that nobody can reach",
    "N215": "a contact attribute named only here, nearly like another",
    "N216": "something is made to depend on machines",
    "N217": "unknown survey or answer",
    "N301": "an expression cannot be understood",
    "N302": "text that looks like an expression but is not one",
    "N303": "a property that its event does not bring",
    "N401": "the front matter of a template cannot be read",
    "N402": "a mail without a subject",
    "N403": "a template needs an offer that its step does not give",
    "N404": "a template needs start data that an example person lacks",
    "N405": "a template needs contact data that an example person lacks",
    "N406": "a template's needs that no example person can prove",
    "N407": "a template needs a property that the event does not bring",
    "N501": "not an e-mail address",
    "N502": "a sender address at a public mailbox provider or without a real domain",
    "N601": "not a duration",
    "N602": "not a time of day",
    "N603": "not a span of hours",
    "N604": "unknown time zone",
    "N605": "a late limit that no mail can meet",
    "N606": "a send window that never opens",
    "N607": "quiet hours that leave no room for mail",
    "N608": "a cap that cannot be meant",
    "N609": "holidays that cannot be resolved",
    "N610": "not a percentage",
    "N612": "shares that do not add up",
    "N614": "not a day of the week",
    "N615": "a postponement that outlives the late limit",
    "N616": "a loop without a wait",
    "N617": "not an instant or a distance in time",
    "N618": "a circle of recorded events without a wait",
    "N619": "not a rate, a number of times, or a value that can be drawn",
    "N620": "a mail that always comes too soon for a cap",
    "N621": "a mail for people who have already reached the goal",
    "N622": "two campaigns that always want the same slot",
    "N701": "no postal address",
    "N702": "a marketing campaign without a topic",
    "N703": "a transactional mail that carries an offer",
    "N704": "a form whose event grants no consent",
    "N705": "a form whose campaign is no confirmation",
    "N801": "unknown offer",
    "N802": "not a discount",
    "N803": "not a code rule",
    "N804": "a tier that nobody can get",
    "N805": "an offer that no step gives",
    "N806": "a mail with an offer outside the capped categories",
    "N807": "an offer that ends before its reminder",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `line` and `column` are 1-based; `hint` says what to do; `source` is the line it stands in.

    `fix` is a replacement of the text `fix[0]` in that line by `fix[1]`, where the repair is beyond doubt.
    """

    code: str
    severity: Severity
    file: str
    line: int
    column: int
    message: str
    hint: str | None = None
    excerpt: tuple[tuple[int, str], ...] = ()
    fix: tuple[str, str] | None = None

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By file, line and column, without repeats."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.column, p.code, p.message)))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known name a word was probably meant to be."""
    names = sorted(known)
    folded = {name.casefold(): name for name in reversed(names)}
    if word.casefold() in folded and folded[word.casefold()] != word:
        return folded[word.casefold()]
    close = get_close_matches(word, names, n=1, cutoff=0.65)
    if not close:
        close = [folded[name] for name in get_close_matches(word.casefold(), folded, n=1, cutoff=0.65)]
    return close[0] if close and close[0] != word else None


def sure_of(word: str, known: Iterable[str]) -> str | None:
    """The known name that differs by one slip of the finger, if there is only one: enough to repair it unasked."""
    near = [name for name in set(known) if name != word and is_one_slip(word, name)]
    return near[0] if len(near) == 1 else None


def is_one_slip(one: str, other: str) -> bool:
    """Whether a letter was left out, added, swapped with its neighbour or exchanged for another."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1 or len(short) < 3:
        return False
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start + 1 : start + 2] + short[start : start + 1]
    return short[start + 1 :] == long[start + 1 :] or (
        swapped == long[start : start + 2] and short[start + 2 :] == long[start + 2 :]
    )


def suggestion(word: str, known: Iterable[str], kind: str) -> str:
    """A hint for an unknown name: the likeliest one, or all there are."""
    names = sorted(known)
    if nearest := did_you_mean(word, names):
        return f"did you mean {nearest}?"
    if not names:
        return f"no {kind} is defined"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"there is {shown}"
