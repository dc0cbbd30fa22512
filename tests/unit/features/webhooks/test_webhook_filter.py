"""Filters: what each operator says of each kind of value, what is refused and where, and that none ever fails."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogel.features.webhooks.fanout.document import Document, Unreadable
from ogel.features.webhooks.fanout.filter import (
    MAX_BYTES,
    MAX_CONDITIONS,
    MAX_DEPTH,
    FilterError,
    compiled,
    fits,
    parse,
)
from ogel.features.webhooks.fanout.operators import OPERATORS
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event

DATA = {
    "amount": 100,
    "price": 1.5,
    "zero": 0,
    "status": "paid",
    "empty": "",
    "yes": True,
    "no": False,
    "nothing": None,
    "tags": ["urgent", 7, True, None, ["inner"], {"a": 1}],
    "items": [{"sku": "A-1"}, {"sku": "B-2"}],
    "by.dot": {"back\\slash": 1},
    "7": "seven",
    "big": 123456789012345678901234567890,
}


def event(data: Any = DATA, subject: str | None = "order/17") -> Event:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Event("evt_1", "order.created", raw, subject, utc_now())


def holds(written: dict[str, Any], of: Event | None = None) -> bool:
    return parse(written)(Document(of or event()))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # A value stands for equality, of the same JSON type.
        ({"data.status": "paid"}, True),
        ({"data.status": "open"}, False),
        ({"data.amount": 100}, True),
        ({"data.amount": 100.0}, True),
        ({"data.amount": "100"}, False),
        ({"data.big": 123456789012345678901234567890}, True),
        ({"data.big": 123456789012345678901234567891}, False),
        ({"data.yes": True}, True),
        ({"data.yes": 1}, False),
        ({"data.zero": False}, False),
        ({"data.zero": 0}, True),
        ({"data.no": 0}, False),
        ({"data.nothing": None}, True),
        ({"data.missing": None}, False),
        ({"data.tags": None}, False),
        ({"data.empty": ""}, True),
        ({"data.status": {"eq": "paid"}}, True),
        # Paths.
        ({"type": "order.created"}, True),
        ({"subject": "order/17"}, True),
        ({"id": "evt_1"}, True),
        ({"data.items.0.sku": "A-1"}, True),
        ({"data.items.1.sku": "A-1"}, False),
        ({"data.items.2.sku": {"exists": False}}, True),
        ({"data.items.00.sku": {"exists": True}}, False),
        ({"data.items.-1.sku": {"exists": True}}, False),
        ({"data.items.sku": {"exists": True}}, False),
        ({"data.status.0": {"exists": True}}, False),
        ({"data.7": "seven"}, True),
        ({r"data.by\.dot.back\\slash": 1}, True),
        ({"data.by.dot": {"exists": True}}, False),
        ({"data": {"exists": True}}, True),
        # The opposites hold for what is missing or of another type.
        ({"data.status": {"ne": "open"}}, True),
        ({"data.status": {"ne": "paid"}}, False),
        ({"data.missing": {"ne": "paid"}}, True),
        ({"data.amount": {"ne": "100"}}, True),
        ({"data.missing": {"nin": ["a"]}}, True),
        ({"data.status": {"nin": ["a", "paid"]}}, False),
        ({"data.status": {"in": ["a", "paid"]}}, True),
        ({"data.amount": {"in": ["100", True, 100.0]}}, True),
        ({"data.yes": {"in": [1, 1.0, "true"]}}, False),
        ({"data.missing": {"in": [None]}}, False),
        ({"data.tags": {"in": ["urgent"]}}, False),
        # Order: numbers with numbers, strings with strings.
        ({"data.amount": {"gt": 99.5}}, True),
        ({"data.amount": {"gt": 100}}, False),
        ({"data.amount": {"gte": 100, "lt": 101}}, True),
        ({"data.amount": {"gte": 100, "lt": 100}}, False),
        ({"data.amount": {"lte": 100}}, True),
        ({"data.amount": {"gt": "1"}}, False),
        ({"data.status": {"gt": 1}}, False),
        ({"data.status": {"gt": "open", "lt": "q"}}, True),
        ({"data.yes": {"gte": 0}}, False),
        ({"data.nothing": {"gte": 0}}, False),
        ({"data.missing": {"lt": 0}}, False),
        # Existence: null is a value.
        ({"data.nothing": {"exists": True}}, True),
        ({"data.nothing": {"exists": False}}, False),
        ({"data.missing": {"exists": False}}, True),
        # Strings and arrays.
        ({"data.status": {"starts_with": "pa"}}, True),
        ({"data.status": {"starts_with": "id"}}, False),
        ({"data.status": {"ends_with": "id"}}, True),
        ({"data.amount": {"starts_with": "1"}}, False),
        ({"data.status": {"contains": "ai"}}, True),
        ({"data.status": {"contains": 1}}, False),
        ({"data.tags": {"contains": "urgent"}}, True),
        ({"data.tags": {"contains": "urg"}}, False),
        ({"data.tags": {"contains": 7.0}}, True),
        ({"data.tags": {"contains": 1}}, False),
        ({"data.tags": {"contains": True}}, True),
        ({"data.tags": {"contains": False}}, False),
        ({"data.tags": {"contains": None}}, True),
        ({"data.items": {"contains": "A-1"}}, False),
        ({"data.missing": {"contains": "x"}}, False),
        # Together.
        ({"data.status": "paid", "data.amount": 100}, True),
        ({"data.status": "paid", "data.amount": 1}, False),
        ({"any": [{"data.status": "open"}, {"data.amount": 100}]}, True),
        ({"any": [{"data.status": "open"}, {"data.amount": 1}]}, False),
        ({"all": [{"data.status": "paid"}, {"data.amount": 100}]}, True),
        ({"all": [{"data.status": "paid"}, {"data.amount": 1}]}, False),
        ({"not": {"data.status": "paid", "data.amount": 1}}, True),
        ({"not": {"data.status": "paid"}}, False),
        ({"data.status": "open", "any": [{"data.amount": 100}]}, False),
        ({"not": {"any": [{"data.a": 1}, {"not": {"data.amount": 100}}]}}, True),
    ],
)
def test_what_an_event_fits(written: dict[str, Any], expected: bool) -> None:
    assert holds(written) is expected


def test_a_subject_that_is_not_there_is_missing() -> None:
    without = event(subject=None)
    assert not holds({"subject": None}, without)
    assert holds({"subject": {"exists": False}}, without)


@pytest.mark.parametrize("data", [None, True, 3, "text", [], ["a"], {}])
def test_data_of_any_kind_can_be_asked(data: Any) -> None:
    assert not holds({"data.status": "paid"}, event(data))
    assert holds({"data": {"exists": True}}, event(data))


def test_data_itself_can_be_compared() -> None:
    assert holds({"data": "text"}, event("text"))
    assert holds({"data.1": "b"}, event(["a", "b"]))


@pytest.mark.parametrize(
    ("written", "path", "words"),
    [
        ({}, "", "at least one"),
        ({"amount": 1}, ".amount", "starts with"),
        ({"data.": 1}, ".data.", "no path"),
        ({".data": 1}, "..data", "no path"),
        ({"": 1}, ".", "no path"),
        ({"data..a": 1}, ".data..a", "no path"),
        ({"data.a\\": 1}, ".data.a\\", "no path"),
        ({"data.a\\b": 1}, ".data.a\\b", "no path"),
        ({"type.x": 1}, ".type.x", "starts with"),
        ({"data." + "x" * 300: 1}, ".data." + "x" * 95 + "…", "305 characters"),
        ({"data.a": {}}, ".data.a", "operator"),
        ({"data.a": [1, 2]}, ".data.a", '{"in": […]}'),
        ({"data": {"status": "paid"}}, ".data.status", "with dots"),
        ({"data.a": {"$gte": 1}}, ".data.a.$gte", "is no operator"),
        ({"data.amount": {"gte": None}}, ".data.amount.gte", "takes a number or a string"),
        ({"data.amount": {"gte": True}}, ".data.amount.gte", "takes a number or a string"),
        ({"data.amount": {"lt": [1]}}, ".data.amount.lt", "takes a number or a string"),
        ({"data.a": {"eq": {"b": 1}}}, ".data.a.eq", "takes a string"),
        ({"data.a": {"ne": [1]}}, ".data.a.ne", "takes a string"),
        ({"data.a": {"in": "abc"}}, ".data.a.in", "takes a list"),
        ({"data.a": {"in": []}}, ".data.a.in", "takes a list"),
        ({"data.a": {"nin": [[1]]}}, ".data.a.nin", "takes a list"),
        ({"data.a": {"exists": 1}}, ".data.a.exists", "true or false"),
        ({"data.a": {"starts_with": ""}}, ".data.a.starts_with", "not empty"),
        ({"data.a": {"ends_with": 1}}, ".data.a.ends_with", "not empty"),
        ({"data.a": {"contains": {}}}, ".data.a.contains", "takes a string"),
        ({"data.a": {"contains": ""}}, ".data.a.contains", "not empty"),
        ({"any": []}, ".any", "at least one"),
        ({"any": {"data.a": 1}}, ".any", "takes a list"),
        ({"all": "data.a"}, ".all", "takes a list"),
        ({"any": [{"data.a": 1}, {}]}, ".any[1]", "at least one"),
        ({"any": [{"data.a": 1}, {"data.b": {"gt": {}}}]}, ".any[1].data.b.gt", "takes a number"),
        ({"not": [{"data.a": 1}]}, ".not", "takes an object"),
        ({"not": {"not": {"data.a": {"gx": 1}}}}, ".not.not.data.a.gx", "is no operator"),
    ],
)
def test_what_is_no_filter_is_refused_where_it_is_wrong(
    written: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(FilterError) as refused:
        parse(written)
    assert refused.value.path == path
    assert words in refused.value.message


def test_limits_are_taken_whole_and_no_more() -> None:
    nested: dict[str, Any] = {"data.amount": 100}
    for _ in range(MAX_DEPTH):
        nested = {"all": [nested]}
    assert holds(nested)
    with pytest.raises(FilterError, match="deeply"):
        parse({"not": nested})

    many: dict[str, Any] = {f"data.{n}": {"ne": 0} for n in range(MAX_CONDITIONS)}
    assert holds(many)
    with pytest.raises(FilterError, match="50 conditions"):
        parse({**many, "data.more": {"ne": 0}})

    around = len(b'{"data.x":""}')
    assert not holds({"data.x": "x" * (MAX_BYTES - around)})
    with pytest.raises(FilterError, match="8193 bytes"):
        parse({"data.x": "x" * (MAX_BYTES - around + 1)})


def test_a_stored_filter_is_compiled_once() -> None:
    text = json.dumps({"data.compiled": "once"})
    assert compiled(text) is compiled(str(json.dumps({"data.compiled": "once"})))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 131_072 + b"]" * 131_072,
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
        b"[" + b"[]," * 80_000 + b"1]",
        b"[" + b"1," * 131_000 + b"1]",
        b'"' + b"a" * 262_142 + b'"',
        b"not json",
        b'"\xff"',
        b"1e999",
        b"9" * 5000,
    ],
    ids=["arrays", "objects", "wide", "numbers", "string", "text", "bytes", "infinite", "digits"],
)
def test_no_data_makes_it_fail(data: bytes) -> None:
    """What cannot be read, or not be judged by this version, is delivered."""
    hostile = Document(event(data))
    questions = [{name: _any_value(name)} for name in OPERATORS]
    for question in questions:
        for path in ("data", "data.0", "data.a.a.a", "data" + ".0" * 60):
            assert fits(json.dumps({path: question}), hostile) in (True, False)
    if data in (b"not json", b'"\xff"'):
        with pytest.raises(Unreadable):
            parse({"data": 1})(hostile)
        assert fits('{"data": 1}', hostile)


def test_a_filter_that_another_version_wrote_lets_everything_through() -> None:
    assert fits('{"data.a": {"from_the_future": 1}}', Document(event()))
    assert fits("[]", Document(event()))
    assert fits(None, Document(event()))


def _any_value(operator: str) -> Any:
    return {"in": ["a", 1], "nin": ["a", 1], "exists": True}.get(operator, "a")


scalars = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, "", "a", "ab", "1"])
)
names = st.sampled_from(["a", "b", "0", "1", "a.b", "\\"])
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
paths = st.lists(names, max_size=3).map(
    lambda parts: ".".join(["data", *(part.replace("\\", r"\\").replace(".", r"\.") for part in parts)])
)
numbers_or_strings = st.integers(-3, 3) | st.sampled_from([1.5, "a", "ab"])
operators = (
    st.tuples(st.sampled_from(["eq", "ne"]), scalars)
    | st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), numbers_or_strings)
    | st.tuples(st.sampled_from(["in", "nin"]), st.lists(scalars, min_size=1, max_size=3))
    | st.tuples(st.just("exists"), st.booleans())
    | st.tuples(st.sampled_from(["starts_with", "ends_with"]), st.sampled_from(["a", "b", "ab"]))
    | st.tuples(st.just("contains"), scalars.filter(lambda value: value != ""))
)
conditions = scalars | st.lists(operators, min_size=1, max_size=2).map(dict)
simple = st.dictionaries(paths | st.just("subject"), conditions, min_size=1, max_size=2)


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=2)
    return inner | st.fixed_dictionaries(
        {}, optional={"any": some, "all": some, "not": inner, "data.a": conditions}
    ).filter(bool)


filters = combined(combined(combined(simple)))
SETTINGS = settings(derandomize=True, database=None, deadline=None)


@SETTINGS
@given(filters, documents, st.none() | st.sampled_from(["a", "ab"]))
def test_it_agrees_with_the_rules_written_out(written: Any, data: Any, subject: str | None) -> None:
    assert parse(written)(Document(event(data, subject))) is says(written, data, subject)


@SETTINGS
@given(
    st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
)
def test_anything_is_a_filter_or_refused(written: Any) -> None:
    with contextlib.suppress(FilterError):
        parse(written)


NOWHERE = object()


def says(written: dict[str, Any], data: Any, subject: str | None) -> bool:
    """The rules once more, as plainly as possible."""
    results = []
    for key, value in written.items():
        if key == "not":
            results.append(not says(value, data, subject))
        elif key in ("any", "all"):
            parts = [says(each, data, subject) for each in value]
            results.append(any(parts) if key == "any" else all(parts))
        else:
            found = NOWHERE if subject is None else subject
            if key != "subject":
                found = walk(data, split(key)[1:])
            asked = value if isinstance(value, dict) else {"eq": value}
            results += [judge(name, wanted, found) for name, wanted in asked.items()]
    return all(results)


def split(key: str) -> list[str]:
    parts, escaped = [""], False
    for character in key:
        if escaped or character not in "\\.":
            parts[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append("")
    return parts


def walk(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step in ("0", "1") and int(step) < len(value):
            value = value[int(step)]
        else:
            return NOWHERE
    return value


def kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return repr(value)
    return {int: "number", float: "number", str: "string"}.get(type(value), "other")


def same(one: Any, other: Any) -> bool:
    return kind(one) == kind(other) != "other" and bool(one == other)


def judge(name: str, wanted: Any, found: Any) -> bool:
    alike = kind(found) == kind(wanted) and kind(found) in ("number", "string")
    match name:
        case "eq" | "ne":
            return same(found, wanted) is (name == "eq")
        case "in" | "nin":
            return any(same(found, each) for each in wanted) is (name == "in")
        case "exists":
            return (found is not NOWHERE) is wanted
        case "gt":
            return alike and bool(found > wanted)
        case "gte":
            return alike and bool(found >= wanted)
        case "lt":
            return alike and bool(found < wanted)
        case "lte":
            return alike and bool(found <= wanted)
        case "starts_with":
            return isinstance(found, str) and found[: len(wanted)] == wanted
        case "ends_with":
            return isinstance(found, str) and found[-len(wanted) :] == wanted
        case "contains" if isinstance(found, list):
            return any(same(each, wanted) for each in found)
        case "contains":
            return isinstance(found, str) and isinstance(wanted, str) and found.find(wanted) >= 0
    raise AssertionError(name)
