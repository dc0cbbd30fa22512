"""What is written of people: it goes into every list, event and backup, so that it has an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ogel.features.accounts.errors import AccountError

MOST_BYTES = 64 * 1024


def merged(before: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the metadata with what was given; null removes a name. Raises AccountError when it is too much."""
    if given is None:
        return dict(before)
    metadata = {name: value for name, value in {**before, **given}.items() if value is not None}
    if len(msgspec.json.encode(metadata)) > MOST_BYTES:
        said = f"Metadata take at most {MOST_BYTES} bytes of JSON"
        raise AccountError(400, "validation_failed", said)
    return metadata
