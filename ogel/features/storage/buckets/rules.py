"""The rules that a bucket can have, held to their grammar, and objects held to the rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct
from msgspec.structs import replace

from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.errors import invalid_mime_type, too_large
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.types import is_one_type
from ogel.kernel.errors import Invalid
from ogel.kernel.roles import parse_role
from ogel.kernel.text import STORABLE_PATTERN

ACTIONS = ("read", "create", "update", "delete")
# Among the roles of a permission: who wrote the object. Nobody owns one that is yet to be made.
OWNER = "owner"
MOST_ROLES = 50
MOST_TYPES = 100
MOST_LIFECYCLE_RULES = 50

_WORD = r"[a-z0-9!#$&^_.+-]+"
_TYPE = re.compile(rf"\*|(?:\*|{_WORD})/(?:\*|{_WORD})(?:\s*;.*)?", re.IGNORECASE)
_ANY = ("*/*", "*")
_CHECKED = ("file_size_limit", "allowed_mime_types", "permissions", "lifecycle")

Rules = TypeVar("Rules", bound=Struct)


class LifecycleRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Deletes objects whose names begin with `prefix` when their content is that old. All rules of a bucket hold."""

    age_days: Annotated[int, Meta(ge=1, le=36_500)]
    prefix: Annotated[str, Meta(max_length=1024, pattern=STORABLE_PATTERN)] = ""
    action: Literal["delete"] = "delete"


def checked(rules: Rules, most_bytes: int) -> Rules:
    """
    Returns what is to become of a bucket (NewBucket, or what changes of one: fields that are UNSET are not looked at)
    without repetitions. `most_bytes` is what the suite takes of an object. Raises Invalid, which names the field, and
    StorageError InvalidMimeType, EntityTooLarge.
    """
    fields = {name: getattr(rules, name, UNSET) for name in _CHECKED}
    if (limit := fields["file_size_limit"]) and limit is not UNSET and limit > most_bytes:
        raise too_large(most_bytes)
    changes: dict[str, Any] = {}
    if types := fields["allowed_mime_types"] or None:
        changes["allowed_mime_types"] = _checked_types(types)
    if permissions := fields["permissions"] or None:
        changes["permissions"] = _checked_permissions(permissions, "body.permissions")
    if lifecycle := fields["lifecycle"] or None:
        changes["lifecycle"] = _checked_lifecycle(lifecycle, "body.lifecycle")
    return replace(rules, **changes)


def _checked_permissions(permissions: Mapping[str, Sequence[str]], path: str) -> dict[str, list[str]]:
    checked: dict[str, list[str]] = {}
    for action, roles in permissions.items():
        if action not in ACTIONS:
            raise Invalid.field(f"{path}.{action[:50]}", f"is no action; those are {', '.join(ACTIONS)}")
        if len(roles) > MOST_ROLES:
            raise Invalid.field(f"{path}.{action}", f"takes at most {MOST_ROLES} roles")
        for index, role in enumerate(roles):
            _check_role(action, role, f"{path}.{action}[{index}]")
        checked[action] = list(dict.fromkeys(roles))
    return checked


def _check_role(action: str, role: str, path: str) -> None:
    if role == OWNER:
        if action == "create":
            raise Invalid.field(path, "is for objects that there are: who creates one is its owner")
        return
    try:
        parse_role(role)
    except ValueError as error:
        raise Invalid.field(path, str(error)) from None


def _checked_lifecycle(rules: Sequence[object], path: str) -> list[dict[str, Any]]:
    if len(rules) > MOST_LIFECYCLE_RULES:
        raise Invalid.field(path, f"takes at most {MOST_LIFECYCLE_RULES} rules")
    checked = []
    for index, each in enumerate(rules):
        try:
            checked.append(msgspec.to_builtins(msgspec.convert(msgspec.to_builtins(each), LifecycleRule)))
        except msgspec.ValidationError as error:
            raise Invalid.field(f"{path}[{index}]", str(error)) from None
    return checked


def lifecycle_of(found: Sequence[Mapping[str, object]]) -> list[LifecycleRule]:
    """The rules as they are stored; those that nobody can read any more are left out, and delete nothing."""
    rules = []
    for each in found:
        try:
            rules.append(msgspec.convert(each, LifecycleRule))
        except msgspec.ValidationError:
            continue
    return rules


def is_type(pattern: str) -> bool:
    """Whether it may stand among the types that a bucket allows: `image/png`, `image/*`, `*/*`."""
    return len(pattern) <= 255 and _TYPE.fullmatch(pattern) is not None


def _checked_types(patterns: Sequence[str]) -> list[str]:
    for pattern in patterns:
        if not is_type(pattern):
            raise invalid_mime_type(pattern)
    if len(patterns) > MOST_TYPES:
        raise Invalid.field("body.allowed_mime_types", f"takes at most {MOST_TYPES} types")
    return list(dict.fromkeys(patterns))


def allows_type(patterns: Sequence[str] | None, content_type: str) -> bool:
    """
    Whether one of the patterns is of that type; none at all allow each. Parameters (`; charset=utf-8`) and case do not
    count (RFC 9110 §8.3.1); what is not one type is none of them.
    """
    if not patterns:
        return True
    if not is_one_type(content_type):
        return False
    type = _plain(content_type)
    return any(each in (*_ANY, type, f"{type.partition('/')[0]}/*") for each in map(_plain, patterns))


def admitted(bucket: Bucket, facts: Facts) -> Facts:
    """What an object will be, if it may be that in the bucket. Raises StorageError InvalidMimeType."""
    if not allows_type(bucket.allowed_mime_types, facts.content_type):
        raise invalid_mime_type(facts.content_type)
    return facts


def _plain(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
