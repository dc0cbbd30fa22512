"""Validates input: JSON bodies and query strings become msgspec types; errors name the field."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ogel.kernel.errors import Invalid, Malformed
from ogel.kernel.text import pattern, words_of

_MAX_PARAMETERS = 50
_SHOWN_CHARACTERS = 100

# msgspec writes "Expected `str`, got `int` - at `$.url`", and "… - at `key` in `$.headers`" for a key.
_LOCATED = re.compile(r"(?P<message>.*?)(?: - at (?:`key` in )?`\$(?P<path>[^`]*)`)?", re.DOTALL)
# Ids that every client can send as a header and a person can read in a log.
IDEMPOTENCY_KEY_PATTERN = pattern(r"^[\x21-\x7e]{1,255}(?!\n)$", "1 to 255 visible ASCII characters")
_REGEX = re.compile(r"Expected `str` matching regex (?P<literal>.+)", re.DOTALL)
_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)


def decode_body(decoder: msgspec.json.Decoder[Any], body: bytes | msgspec.Raw, root: str = "body") -> Any:
    """
    Decodes a body. `root` is its path in errors (`body[3]` for an item). Raises Malformed when it is not JSON, Invalid
    when it does not have the decoder's type.
    """
    if body == b"":
        raise Malformed("The body is empty; JSON is expected.")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(root, error) from error
    except RecursionError as error:
        raise Malformed("The body is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise Malformed("The body is not valid UTF-8.") from error
    except msgspec.DecodeError as error:
        raise Malformed(f"The body is not valid JSON: {error}.") from error


# The client's pairs in their order, for routes whose parameters have no fixed names.
Pairs = Sequence[tuple[str, str]]


def decode_query(
    wanted: Any, query_string: bytes, *, strict: bool = True, besides: Collection[str] = ()
) -> Any:
    """
    Decodes a query. `wanted` is a msgspec struct with `forbid_unknown_fields`, `Pairs` for all parameters as they came,
    or None when the route takes none. `besides` are those that other code reads. Without `strict`, unknown parameters
    are ignored and the first value of a name counts.
    """
    if not query_string or (wanted is None and not strict):
        return _nothing(wanted)
    pairs = _pairs(query_string.decode("latin-1"))
    if wanted is Pairs:
        return [pair for pair in pairs if pair[0] not in besides]
    given = _strictly(pairs, "query") if strict else _leniently(pairs, wanted)
    for name in besides:
        given.pop(name, None)
    if wanted is None:
        for name in given:
            raise Invalid.field(f"query.{_shown(name)}", "is not a known parameter")
        return None
    return _converted(given, wanted)


def _converted(given: Mapping[str, str], wanted: Any, root: str = "query") -> Any:
    try:
        return msgspec.convert(given, wanted, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(root, error) from error


def check_idempotency_key(value: str | None) -> str | None:
    if value is not None and not re.search(IDEMPOTENCY_KEY_PATTERN, value):
        raise Invalid.field("header.Idempotency-Key", f"takes {words_of(IDEMPOTENCY_KEY_PATTERN)}")
    return value


def decode_form(wanted: Any, body: bytes, *, strict: bool = True) -> Any:
    """Decodes application/x-www-form-urlencoded into a msgspec struct; `strict` as for a query."""
    try:
        # What is not escaped is UTF-8 (URL standard, §5.1).
        pairs = _pairs(body.decode(), "form")
    except UnicodeDecodeError as error:
        raise Malformed("The form is not valid UTF-8.") from error
    if wanted is Pairs:
        return pairs
    given = _strictly(pairs, "body") if strict else _leniently(pairs, wanted)
    return _converted(given, wanted, "body")


def _nothing(wanted: Any) -> Any:
    if wanted is None:
        return None
    return () if wanted is Pairs else _converted({}, wanted)


def _pairs(encoded: str, what: str = "query string") -> list[tuple[str, str]]:
    try:
        return parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise Malformed(f"The {what} has more than {_MAX_PARAMETERS} parameters.") from error


def _strictly(pairs: Pairs, root: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise Invalid.field(f"{root}.{_shown(name)}", "is given more than once")
        if value.lower() == "null":
            # msgspec would ignore it as a missing value.
            raise Invalid.field(f"{root}.{_shown(name)}", "takes no null: leave it out")
        given[name] = value
    return given


def _leniently(pairs: Pairs, wanted: Any) -> dict[str, str]:
    known: Sequence[str] = wanted.__struct_encode_fields__
    return {name: value for name, value in reversed(pairs) if name in known}


def invalid(root: str, error: msgspec.ValidationError) -> Invalid:
    """Translates msgspec's message and path into ours: `$[3].type` of a body is `body[3].type`."""
    located = _LOCATED.fullmatch(str(error))
    message, path = (located["message"], located["path"] or "") if located else (str(error), "")
    if regex := _REGEX.fullmatch(message):
        message = f"takes {words_of(ast.literal_eval(regex['literal']))}"
    field = _FIELD.fullmatch(message)
    if field is None:
        return Invalid.field(f"{root}{path}", message)
    known = "is required" if field["what"] == "missing required" else "is not a known field"
    return Invalid.field(f"{root}{path}.{_shown(field['name'])}", known)


def _shown(name: str) -> str:
    """Returns the client's own text, shortened."""
    return name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}…"
