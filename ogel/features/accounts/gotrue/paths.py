"""Ids in paths, as GoTrue reads them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ogel.features.accounts.errors import AccountError
from ogel.runtime.http.route import Call


def id_in(call: Call[Any, Any], name: str) -> UUID:
    """Raises AccountError for anything but a UUID."""
    try:
        return UUID(call.path[name])
    except ValueError as error:
        raise AccountError(404, "validation_failed", f"{name} must be an UUID") from error
