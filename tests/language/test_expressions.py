from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nurture.domain.conditions import Condition, Facts
from nurture.errors import ExpressionError
from nurture.language.expressions import Names, parse_condition, parse_expression
from nurture.testing.expressions import NOW

NAMES = Names(
    contact=frozenset({"plan", "first_name"}),
    event=frozenset({"checkout_id", "value"}),
    start=frozenset({"checkout_id"}),
    events=frozenset({"Checkout Started", "Product Viewed"}),
    segments=frozenset({"loyal-customers"}),
    stages=frozenset({"awareness", "purchase", "retention"}),
    steps=frozenset({"reminder", "sweetener", "welcome/hello"}),
    offers=frozenset({"thanks"}),
    aliases={"customer": "purchase"},
)


def refused(text: str, names: Names | None = None) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_condition(text, names)
    return caught.value


# `^` stands for the column of the fault and is not part of the expression.
MISTAKES = [
    # the signs of other languages
    ("contact.plan ^= 'pro'", "a single `=`", "write `==`"),
    ("(contact.plan ^= 'pro')", "a single `=`", "write `==`"),
    ("contact.vip ^&& contact.paid", "`&&`", "write `and`"),
    ("contact.vip ^|| contact.paid", "`||`", "write `or`"),
    ("^!contact.vip", "`!`", "write `not`"),
    ("contact.vip and ^!did('Seen')", "`!`", "write `not`"),
    ("contact.plan ^=== 'pro'", "three signs", "write `==`"),
    ("contact.plan ^!== 'pro'", "three signs", "write `==` or `!=`"),
    ("contact.plan ^<> 'pro'", "`<>`", "write `!=`"),
    ("contact.seats ^=> 3", "wrong way round", "`>=`"),
    ("contact.a == 1 ^AND contact.b == 2", "small", "`and`"),
    ("contact.a^? == 1", "`?`", "exists(x)"),
    ("contact.a == ^null", "`null`", "is None"),
    ("contact.vip == ^true", "`true`", "write True"),
    ("^false", "`false`", "write False"),
    ("contact.a == ^None", "nothing equals None", "write `is None`"),
    ("contact.a != ^None", "nothing equals None", "write `is not None`"),
    ("contact.a is ^'x'", "`is` asks only for None", "write `==`"),
    ("contact.a is not ^True", "`is` asks only for None", "write `!=`"),
    ("contact.a & ^contact.b", "only + - * /", "write `and`"),
    ("contact.a | ^contact.b", "only + - * /", "write `or`"),
    ("contact.a ** ^2 > 4", "only + - * /", None),
    ("contact.a % ^2 == 0", "only + - * /", None),
    ("^~contact.a", "`~`", "write `not`"),
    ("^+contact.a > 1", "`+` cannot stand", None),
    # Python that is not ours
    ("^contact.vip if contact.a else False", "`if ... else`", "`and`"),
    ("^lambda: True", "defined", None),
    ("^[x for x in contact.tags]", "`for`", "where="),
    ("(^x := 3)", "`:=`", "`==`"),
    ("contact.a == ^f'{contact.b}'", "f-texts", None),
    ("contact.a in ^{'x', 'y'}", "square brackets", "[...]"),
    ("contact.a == ^{}", "{...}", None),
    ("contact.a == ^b'x'", "not part of the language", None),
    ("contact.a == ^1j", "not part of the language", None),
    ("contact.a == ^...", "not part of the language", None),
    ("^contact.plan.lower() == 'pro'", "`.lower()`", "lower(x)"),
    ("^contact.plan.startswith('p')", "`.startswith()`", "starts_with(x, 'abc')"),
    ("^__import__('os').system('x')", "`.system()`", None),
    ("^open('x')", 'no function "open"', None),
    ("^did('Seen')()", "cannot be called", None),
    ("contact.tags[^1:2] == 'a'", "in [ ]", None),
    ("contact.tags[^-1] == 'a'", "in [ ]", None),
    ("contact.tags[^contact.n] == 'a'", "in [ ]", None),
    ("contact.vip ^# always", "comment", "line of its own"),
    ("contact.plan == ^\u2018pro\u2019", "printer's quote", "straight"),
    ("contact.plan in ['a' ^'b']", "side by side", "comma"),
    ("contact.plan == ^'pro", "never closed", "close it with '"),
    ("^(contact.a == 1", "never closed", None),
    ("contact.a ==^", "ends too soon", "must follow"),
    ("contact.a and^", "ends too soon", "must follow"),
    ("contact.^from == 'x'", "cannot be written with a dot", "['from']"),
    ("contact.a == 1 ^b", "cannot be read", None),
    ("^", "empty", "for instance"),
    ("^   ", "empty", "for instance"),
    # names
    ("^plan == 'pro'", 'unknown name "plan"', "contact.plan"),
    ("contact.plan == ^pro", 'unknown name "pro"', "'pro'"),
    ("^contct.plan == 'pro'", 'unknown name "contct"', "did you mean contact?"),
    ("^days_since > 3", "`days_since` is a function", "days_since(...)"),
    ("^ordrs() > 1", 'no function "ordrs"', "did you mean orders?"),
    ("^contact", "contact what?", "contact.name"),
    ("^event == 3", "event what?", "event.name"),
    ("^now.year == 3", "now has no parts", None),
    ("^orders().total == 3", "has no properties", None),
    # arguments
    ("did(^Seen)", "needs the name of an event in quotes", "did('Seen')"),
    ("^did()", "takes one argument", "did('Order Completed'"),
    ("^did('a', 'b')", "takes one argument", None),
    ("^did(*contact.a)", "takes one argument", None),
    ("did('a', ^lst='3 days')", "knows no `lst=`", "did you mean last?"),
    ("days_since(contact.a, ^last='3 days') > 1", "knows no `last=`", "for instance"),
    ("did('a', ^**contact.a)", "knows no", None),
    ("did('a', last=^30)", "duration in quotes", "last='30 days'"),
    ("did('a', last=^'30')", "30", "last='30 days'"),
    ("did('a', last=^'-3 days')", "-3 days", "last='30 days'"),
    ("did('a', last=^'3 business days')", "plain days", "weeks"),
    ("did('a', last=^'101 years')", "longer than", None),
    ("did('a', last=^'0 days')", "0 days", None),
    ("did('a', where=^count('b') > 1)", "cannot stand inside where=", "one event"),
    ("did('a', where='^segment(\"b\")')", "cannot stand inside where=", "one event"),
    ("did('a', where='event.b ^= 1')", "a single `=`", "write `==`"),
    ("did('a', where='event.b == ^c')", 'unknown name "c"', "'c'"),
    ("did('a', where=^3)", "3 is a number, not a yes or no", None),
    ("did('a', where='^')", "empty", None),
    ("starts_with(contact.a, ^contact.b)", "start in quotes", None),
    ("starts_with(contact.a, ^'')", "start in quotes", None),
    ("segment(^contact.a)", "needs the name of a segment in quotes", None),
    # kinds
    ("^orders()", "orders() is a number, not a yes or no", "orders() >= 1"),
    ("contact.a and ^last('Seen')", "last('Seen') is an event, not a yes or no", "did('Seen')"),
    ("not ^'a'", "is text, not a yes or no", None),
    ("^contact.email or contact.vip", "contact.email is text", None),
    ("^now", "now is a time, not a yes or no", None),
    ("^['a']", "is a list, not a yes or no", None),
    ("^last('Seen') > 3", "is an event and cannot be compared", "days_since(last('Seen'))"),
    ("^['a'] == contact.tags", "a list cannot be compared", "len(...)"),
    ("orders() == ^'3'", "they can never be equal", None),
    ("contact.created_at > ^5", "they can never be equal", "days_since"),
    ("contact.created_at > ^'yesterday'", "is not a date", "'2026-12-24'"),
    ("^did('a') < did('b')", "no order", "== or !="),
    ("contact.plan in ^'pro'", "needs a list on its right", "starts_with"),
    ("contact.plan in ^orders()", "needs a list on its right", None),
    ("contact.plan in ^[]", "the list is empty", "len(x) == 0"),
    ("contact.plan in ['a', ^contact.b]", "a list holds texts", "`or`"),
    ("contact.plan in ['a', ^None]", "None", None),
    ("orders() in ^['a', 'b']", "nothing in the list is", None),
    ("^last('Seen') in ['a']", "cannot be looked for", None),
    ("^'a' + contact.b == 'ab'", "'a' is text, and `+` needs numbers", None),
    ("^now - contact.a > 3", "now is a time, and `-` needs numbers", "days_since"),
    ("exists(^orders())", "never missing", None),
    ("exists(^'a')", "never missing", None),
    ("^now is None", "never missing", None),
    ("days_since(^now) > 1", "always 0", None),
    ("days_since(^'Order Completed') > 1", "is not a date", "days_since(last('Order Completed'))"),
    ("days_since(^orders()) > 1", "needs a time or an event", None),
    ("len(^now) > 1", "len() needs", None),
    ("lower(^orders()) == 'a'", "lower() needs text", None),
    # what could not be foreseen
    ("days_since(contact.a) * ^days_since(contact.b) > 1", "grows with time", None),
    ("1 / ^days_since(contact.a) > 1", "grows with time", None),
    ("^days_since(contact.a) + 1 > days_since(contact.b)", "both sides", "stands still"),
    ("^days_since(contact.a) in [1, 2]", "cannot be looked for", None),
    # bounds
    ("contact.a == ^1e999", "too large", None),
    ("contact.a == ^10000000000000000000", "too large", "quote it"),
    ("^contact" + ".a" * 11, "more than 10 parts", None),
    ("^" + "not " * 60 + "contact.a", "nested more than 40 deep", "segments"),
    ("^contact.a" + " + contact.a" * 60 + " > 1", "nested more than 40 deep", "segments"),
    ("^contact.a == '" + "x" * 2000 + "'", "2015 characters", "segments"),
]


@pytest.mark.parametrize(("marked", "message", "hint"), MISTAKES)
def test_a_mistake_is_refused_with_its_column_and_a_hint(marked: str, message: str, hint: str | None):
    text, column = marked.replace("^", "", 1), marked.index("^")
    error = refused(text)
    told = f"{error} | {error.hint}"
    assert error.column == column, told
    assert message in str(error), told
    assert hint is None or hint in (error.hint or ""), told


@pytest.mark.parametrize(
    ("marked", "message", "hint"),
    [
        ("contact.^first_nam == 'Ana'", 'no contact attribute "first_nam"', "did you mean first_name?"),
        ("event.^checkout == 1", 'no event property "checkout"', "did you mean checkout_id?"),
        ("start.^value == 1", 'no start property "value"', "there is checkout_id"),
        ("^plan == 'pro'", 'unknown name "plan"', "did you mean contact.plan?"),
        ("did(^'Checkout started')", 'no event "Checkout started"', "did you mean Checkout Started?"),
        ("count(^'checkout started') > 1", 'no event "checkout started"', "did you mean Checkout Started?"),
        ("segment(^'loyal')", 'no segment "loyal"', "loyal-customers"),
        ("in_stage(^'retenton')", 'no stage "retenton"', "did you mean retention?"),
        ("received(^'remindr')", 'no step "remindr"', "did you mean reminder?"),
        ("opened(^'welcome/helo')", 'no step "welcome/helo"', "did you mean welcome/hello?"),
        ("used(^'thank')", 'no offer "thank"', "did you mean thanks?"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(marked: str, message: str, hint: str):
    error = refused(marked.replace("^", "", 1), NAMES)
    assert (str(error), error.column) == (message, marked.index("^"))
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "contact.plan == 'pro' and contact.email == 'a' and contact.created_at < now",
        "event.value >= 15 and event.checkout_id == start.checkout_id",
        "did('Product Viewed', where=event.anything == 1) and orders() > 0 and did('Email Opened')",
        "segment('loyal-customers') and received('reminder') and clicked('welcome/hello')",
        "used(offer) or used('thanks')",
    ],
)
def test_what_is_named_may_be_used_and_so_may_columns_and_our_own_events(text: str):
    assert isinstance(parse_condition(text, NAMES), Condition)


def test_an_alias_stands_for_its_stage():
    condition = parse_condition("in_stage('customer')", NAMES)
    assert condition.needs.stages == {"purchase"}
    assert condition.holds(Facts(now=NOW, stage="purchase")) is True


def test_only_what_is_at_hand_may_be_named():
    segment = Names(roots=frozenset({"contact"}))
    for root in ("event", "start", "offer"):
        error = refused(f"contact.vip and {root}.x == 1", segment)
        assert error.column == 16
        assert f"there is no {root} at hand here" in str(error)
        assert error.hint == "there is contact"
        refused(f"exists({root})", segment)
    refused("used(offer)", segment)
    assert parse_condition("did('a', where=event.x == 1)", segment).holds(Facts(now=NOW)) is False


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("orders(last='365 days')==0 and start.value>=60", "(orders(last='365 days') == 0) and (start.value >= 60)"),
        ("days_since(last('Order Completed')) > 180", "days_since(last('Order Completed')) > 180"),
        ("event.checkout_id == start.checkout_id", "event.checkout_id == start.checkout_id"),
        ('did("a", where="event.b == \'c\'")', "did('a', where=event.b == 'c')"),
        ("did('a', last='P2D')", "did('a', last='P2D')"),
        ("contact['First Name'] is None", "contact['First Name'] is None"),
        ("start.items[0].price * 2 > -1.5", "(start.items[0].price * 2) > -1.5"),
        ("'vip' in contact.tags", "'vip' in contact.tags"),
        ("contact.country not in ('FI', 'SE')", "contact.country not in ['FI', 'SE']"),
        ("last('a').at > '2026-01-01'", "last('a').at > '2026-01-01'"),
        ("exists(offer) and offer is not None", "exists(offer) and (offer is not None)"),
        ("contact.vip\n  and\tcontact.paid\n", "contact.vip and contact.paid"),
        ("  not contact.vip", "not contact.vip"),
        ("True", "True"),
    ],
)
def test_the_language_reads_what_authors_write(text: str, plain: str):
    condition = parse_condition(text)
    assert str(condition.tree) == plain
    assert condition.source == text.strip()


def test_columns_count_characters_over_line_ends_and_accents():
    assert refused("contact.a == 'äö😀'\n  and contact.b = 1").column == 35
    assert refused("\n  contact.plan == pro").column == 19
    assert refused("contact.näme == 'ä' and ordrs() > 1").column == 24
    assert refused("contact.a == 'ä' and did('b', where='event.ä == c')").column == 48


def test_quotes_hide_signs():
    condition = parse_condition("contact.a == 'x = y && z # ! null'")
    assert condition.holds(Facts(now=NOW, contact={"a": "x = y && z # ! null"})) is True


def test_an_expression_may_have_any_value_but_an_event():
    assert parse_expression("event.total * 2").value(Facts(now=NOW, event={"total": 4})) == 8
    assert parse_expression("lower(contact.a)").value(Facts(now=NOW, contact={"a": "X"})) == "x"
    with pytest.raises(ExpressionError) as caught:
        parse_expression("last('Seen')")
    assert "last('Seen').at" in (caught.value.hint or "")


_WORDS = """contact. event.x now did( last('a') .total ( ) [ ] { } ' " == != = < > and or not in is None True 3 1.5 ,
    last= where= '3 days' # \\ ! & | ? : ; @ := -> ** // % ~ lambda if else for f'' b'' __class__ _ é 0x1f 1e9 ..."""
_words = st.sampled_from([*_WORDS.split(), "\n"])


@settings(max_examples=400, deadline=None)
@given(st.lists(_words, max_size=14).map(" ".join) | st.text(string.printable + "é\u2019\x00", max_size=60))
@example("(" * 300)
@example("-" * 1999)
@example("not " * 499)
@example("contact." + "a." * 900 + "b")
@example("[" * 190 + "]" * 190)
@example("contact.a == '\\N{BULLET}'")
@example("1if True else 2")
@example("contact.\ufb01eld == 1")
def test_no_text_does_anything_but_parse_or_be_refused_inside_itself(text: str):
    fault: ExpressionError | None = None
    try:
        parse_condition(text).holds(Facts(now=NOW, contact={"a": 1}))
    except ExpressionError as error:
        fault = error
    assert fault is None or (str(fault) and 0 <= fault.column <= len(text))
