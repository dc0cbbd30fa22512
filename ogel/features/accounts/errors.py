"""What goes wrong with accounts, with the codes that programs go by."""

from __future__ import annotations

from ogel.kernel.errors import FieldError, OgelError, Unauthenticated


class AccountError(OgelError):
    """
    `code` is one of Supabase Auth's error codes (`invalid_credentials`), so that its clients know what to do; `status`
    is the one that it is answered with.
    """

    title = "Not possible for this account"

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message, errors=errors, retry_after_seconds=retry_after_seconds)
        self.status = status
        self.code = code


class BadToken(Unauthenticated):
    """An access token that is not good, or not any more. `code` is Supabase Auth's."""

    def __init__(self, reason: str, code: str = "bad_jwt") -> None:
        super().__init__(reason)
        self.code = code


class IdTokenRefused(AccountError):
    """It is told as OAuth does (RFC 6749 §5.2): `reason`, and the message to describe it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(400, "validation_failed", message)
        self.reason = reason
