"""The operators of filters: each takes what the filter says, and gives the question to ask of an event's value.

A question is never an error: what is missing, or of another type, is just not equal, not greater, not in the list. `ne`
and `nin` are the exact opposites of `eq` and `in`, so they hold for what is missing. Numbers are compared as numbers
(`1` is `1.0`), strings by code point, and never one with the other.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from ogel.features.webhooks.fanout.document import MISSING, Document, identity

Question = Callable[[Document, Any], bool]
Operator = Callable[[Any], Question]
"""Raises ValueError with what it takes."""


def equal(wanted: Any) -> Question:
    if isinstance(wanted, dict | list):
        raise ValueError('takes a string, a number, true, false or null; one of several is {"in": […]}')
    same = identity(wanted)
    return lambda _, value: type(value) not in (list, dict) and identity(value) == same


def _one_of(wanted: Any) -> Question:
    if not isinstance(wanted, list) or not wanted or any(isinstance(each, dict | list) for each in wanted):
        raise ValueError("takes a list of strings, numbers, true, false or null")
    among = frozenset(identity(each) for each in wanted)
    return lambda _, value: type(value) not in (list, dict) and identity(value) in among


def _opposite(of: Operator) -> Operator:
    def opposite(wanted: Any) -> Question:
        question = of(wanted)
        return lambda document, value: not question(document, value)

    return opposite


def _ordered(compare: Callable[[Any, Any], bool]) -> Operator:
    def ordered(wanted: Any) -> Question:
        if isinstance(wanted, str):
            return lambda _, value: type(value) is str and compare(value, wanted)
        if isinstance(wanted, int | float) and not isinstance(wanted, bool):
            return lambda _, value: type(value) in (int, float) and compare(value, wanted)
        raise ValueError("takes a number or a string")

    return ordered


def _exists(wanted: Any) -> Question:
    if not isinstance(wanted, bool):
        raise ValueError("takes true or false")
    return lambda _, value: (value is not MISSING) is wanted


def _affix(matches: Callable[[str, str], bool]) -> Operator:
    def affix(wanted: Any) -> Question:
        if not isinstance(wanted, str) or not wanted:
            raise ValueError("takes a string that is not empty")
        return lambda _, value: type(value) is str and matches(value, wanted)

    return affix


def _contains(wanted: Any) -> Question:
    """Whether a string contains the value, or an array has it as an item."""
    if isinstance(wanted, dict | list) or wanted == "":
        raise ValueError("takes a string that is not empty, a number, true, false or null")
    same = identity(wanted)

    def question(document: Document, value: Any) -> bool:
        if type(value) is list:
            return same in document.members(value)
        return type(value) is str and isinstance(wanted, str) and wanted in value

    return question


OPERATORS: Mapping[str, Operator] = {
    "eq": equal,
    "ne": _opposite(equal),
    "gt": _ordered(operator.gt),
    "gte": _ordered(operator.ge),
    "lt": _ordered(operator.lt),
    "lte": _ordered(operator.le),
    "in": _one_of,
    "nin": _opposite(_one_of),
    "exists": _exists,
    "starts_with": _affix(str.startswith),
    "ends_with": _affix(str.endswith),
    "contains": _contains,
}
