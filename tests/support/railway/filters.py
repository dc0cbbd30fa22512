"""Railway's words for choosing lines: `@level:error`, `@service:<id>`, `@httpStatus:>=500`, `"text"`, `-` for not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLError

_WORD = re.compile(r'(-?)(?:@(\w+):("[^"]*"|\S+)|"([^"]*)"|(\S+))')
_COMPARED = re.compile(r"(>=|<=|>|<)?(\d+)(?:\.\.(\d+))?")


def chooses(text: str, known: Mapping[str, str]) -> Callable[[Mapping[str, Any]], bool]:
    """All words have to fit. `known`: which field of a line each `@name` is about."""
    tests = []
    for negated, name, value, quoted, plain in _WORD.findall(text):
        if plain == "AND":
            continue
        if plain == "OR" or (name and name not in known):
            raise GraphQLError("Problem processing request")
        test = _field(known[name], value.strip('"')) if name else _holds(quoted or plain)
        tests.append((test, bool(negated)))
    return lambda line: all(test(line) is not negated for test, negated in tests)


def _holds(words: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda line: words.lower() in str(line.get("message", line.get("path", ""))).lower()


def _field(name: str, wanted: str) -> Callable[[Mapping[str, Any]], bool]:
    def fits(line: Mapping[str, Any]) -> bool:
        value = line[name]
        if not isinstance(value, int):
            return bool(re.fullmatch(re.escape(wanted).replace(r"\*", ".*"), str(value), re.IGNORECASE))
        compared = _COMPARED.fullmatch(wanted)
        if compared is None:
            return False
        operator, number, last = compared[1], int(compared[2]), compared[3]
        if last is not None:
            return number <= value <= int(last)
        return {">=": value >= number, "<=": value <= number, ">": value > number, "<": value < number}.get(
            operator or "", value == number
        )

    return fits
