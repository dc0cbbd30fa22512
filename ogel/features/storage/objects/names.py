"""Names of objects and buckets: text of any script, held to what every door and every store can say."""

from __future__ import annotations

import re
from unicodedata import normalize

from ogel.features.storage.errors import StorageError, invalid_bucket_name

MOST_BYTES = 1024
MOST_BUCKET_CHARACTERS = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f]")


def is_storable(text: str) -> bool:
    """Whether there can be rows with that text: it has no NUL, and no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def sought(name: str) -> str | None:
    """Returns a name as objects have it; None: no object can have it."""
    return normalize("NFC", name) if is_storable(name) else None


def checked_bucket_name(name: str) -> str:
    """
    Returns the name in Unicode's form C. Raises StorageError InvalidBucketName: it is empty or longer than 100
    characters, `.` or `..`, begins or ends with a space, or has a slash or control characters.
    """
    name = normalize("NFC", name)
    if (
        not 0 < len(name) <= MOST_BUCKET_CHARACTERS
        or name in (".", "..")
        or name != name.strip()
        or "/" in name
        or not is_storable(name)
        or _CONTROL.search(name)
    ):
        raise invalid_bucket_name()
    return name


def checked_name(name: str) -> str:
    """
    Returns the name in Unicode's form C. Raises StorageError InvalidKey: it is empty or longer than 1,024 bytes, begins
    with a slash, has control characters, or a segment `.` or `..`.
    """
    name = normalize("NFC", name)
    try:
        length = len(name.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        length = 0
    if (
        not 0 < length <= MOST_BYTES
        or name.startswith("/")
        or _CONTROL.search(name)
        or any(segment in (".", "..") for segment in name.split("/"))
    ):
        raise StorageError(400, "InvalidKey", f"Invalid key: {name[:100]}")
    return name
