"""
Every error a caller can meet, with the HTTP status it is answered with.

OgelError ├── Malformed 400 the request cannot be read at all (bad JSON, bad cursor) ├── Unauthenticated 401 no key, or
a key we do not know ├── Forbidden 403 a known key without the needed scope ├── NotFound 404 ├── Conflict 409 the thing
is not in a state that allows this ├── TooLarge 413 ├── Invalid 422 readable, but a field is wrong; `errors` names each
├── RateLimited 429 ├── Unavailable 503 something we depend on is away; safe to repeat └── ConfigError (never over HTTP:
a process with wrong settings does not start)
"""

from __future__ import annotations

from typing import NamedTuple


class FieldError(NamedTuple):
    """One wrong input. `path` is where it stands: `body.url`, `query.limit`, `body[3].type`."""

    path: str
    message: str


class OgelError(Exception):
    """
    Base of all errors. Its message is sent to the caller; details that only an operator may see go into `__cause__`.
    """

    status = 500
    title = "Internal error"

    def __init__(
        self, message: str, *, errors: tuple[FieldError, ...] = (), retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds

    @property
    def kind(self) -> str:
        """What programs know it by, in words that begin with capitals."""
        return type(self).__name__


class Malformed(OgelError):
    status = 400
    title = "Malformed request"


class Unauthenticated(OgelError):
    status = 401
    title = "Authentication required"


class Forbidden(OgelError):
    status = 403
    title = "Not allowed"


class NotFound(OgelError):
    status = 404
    title = "Not found"


class Conflict(OgelError):
    status = 409
    title = "Conflict"


class TooLarge(OgelError):
    status = 413
    title = "Too large"


class Invalid(OgelError):
    status = 422
    title = "Invalid input"

    @classmethod
    def field(cls, path: str, message: str) -> Invalid:
        return cls(f"{path}: {message}", errors=(FieldError(path, message),))


class RateLimited(OgelError):
    status = 429
    title = "Too many requests"


class Unavailable(OgelError):
    status = 503
    title = "Temporarily unavailable"


class ConfigError(OgelError):
    """A setting is missing or wrong. The message is one line that says which, what it got and what it takes."""


class Restart(Exception):
    """
    Raised to restart in place, which is no error: the process has stopped its work and runs its command line again
    under the same pid.
    """
