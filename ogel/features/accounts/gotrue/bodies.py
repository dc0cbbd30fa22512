"""Bodies as clients of GoTrue send them: names in any case, null for what is left out, and whatever else they like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from ogel.features.accounts.errors import AccountError

# For `Route.body`; `read` makes a struct of it. JSON's null is an empty object.
Json = dict[str, Any]
OPTIONAL_JSON = Json | None

Body = TypeVar("Body")


class MetaSecurity(msgspec.Struct, frozen=True):
    captcha_token: str | None = None


class Guarded(msgspec.Struct, frozen=True, kw_only=True):
    """Base of bodies that a captcha may have to come with."""

    gotrue_meta_security: MetaSecurity = MetaSecurity()

    @property
    def captcha_token(self) -> str | None:
        return self.gotrue_meta_security.captcha_token


def read(kind: type[Body], body: Mapping[str, Any] | None) -> Body:
    """`kind` is a struct whose fields all have defaults. Raises AccountError `bad_json` for a value of another type."""
    given = {name.lower(): value for name, value in (body or {}).items() if value is not None}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise bad_json(str(error)) from error


def bad_json(why: str) -> AccountError:
    return AccountError(400, "bad_json", f"Could not parse request body as JSON: {why}")
