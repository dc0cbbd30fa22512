"""Checks what a request was signed with, and tells who acts."""

from __future__ import annotations

import base64
import hmac
from datetime import timedelta

from ogel.features.storage.errors import access_denied
from ogel.features.storage.s3.credentials import Signed, SignedWith
from ogel.features.storage.s3.errors import (
    expired,
    no_valid_date,
    signature_does_not_match,
    too_skewed,
    unknown_access_key,
    wrong_lifetime,
)
from ogel.features.storage.s3.signature import is_same, signature_of, time_of
from ogel.features.storage.s3_keys.service import S3KeyService
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.credentials import Authenticate, Credential, key_or_token

_SKEW = timedelta(minutes=15)
# Of presigned URLs, as S3 has it.
MOST_SECONDS = 7 * 86_400


class Authentication:
    """
    A key of ours acts for itself. With a session's token, whose user acts, it need not be one of ours: any text as the
    access key id, and the same text as the secret; what proves who asks is the token.
    """

    def __init__(self, keys: S3KeyService, authenticate_token: Authenticate) -> None:
        self._keys = keys
        self._authenticate_token = authenticate_token

    async def authenticate(self, credential: Credential, caller: Caller) -> Principal | None:
        """Raises StorageError for a signature that is wrong or out of time, and for an unknown key."""
        assert isinstance(credential, Signed)
        _check_time(credential)
        if credential.token is not None:
            return await self._of_session(credential, credential.token, caller)
        key = await self._keys.find(credential.value, caller.ip)
        if key is None:
            raise unknown_access_key()
        _check(credential, key.secret)
        return key.principal

    async def of_form(self, credential: SignedWith, policy: str, caller: Caller) -> Principal:
        """Of a form, which is signed by its policy. Raises as `authenticate` does."""
        if time_of(credential.amz_date) is None or not credential.amz_date.startswith(credential.scope.day):
            raise no_valid_date()
        key = await self._keys.find(credential.value, caller.ip)
        if key is None and credential.token is None:
            raise unknown_access_key()
        secret = credential.value if key is None else key.secret
        if not is_same(signature_of(credential.key(secret), policy), credential.signature):
            raise signature_does_not_match()
        if credential.token is None:
            assert key is not None
            return key.principal
        principal = await self._authenticate_token(key_or_token(credential.token), caller)
        if principal is None:
            raise access_denied()
        return principal

    async def of_old_form(self, key_id: str, policy: str, signature: str, caller: Caller) -> Principal:
        """Of a form that is signed as before version 4: many libraries make no others."""
        key = await self._keys.find(key_id, caller.ip)
        if key is None:
            raise unknown_access_key()
        expected = hmac.digest(key.secret.encode(), policy.encode(), "sha1")
        if not is_same(base64.b64encode(expected).decode(), signature):
            raise signature_does_not_match()
        return key.principal

    async def signing_key(self, credential: SignedWith, caller: Caller) -> bytes:
        """What the pieces of the body are signed with, of a credential that was authenticated."""
        key = await self._keys.find(credential.value, caller.ip)
        if key is not None:
            return credential.key(key.secret)
        if credential.token is None:
            raise unknown_access_key()
        return credential.key(credential.value)

    async def _of_session(self, credential: Signed, token: str, caller: Caller) -> Principal | None:
        key = await self._keys.find(credential.value, caller.ip)
        _check(credential, credential.value if key is None else key.secret)
        return await self._authenticate_token(key_or_token(token), caller)


def _check_time(credential: Signed) -> None:
    signed_at = time_of(credential.amz_date)
    if signed_at is None or not credential.amz_date.startswith(credential.scope.day):
        raise no_valid_date()
    age = utc_now() - signed_at
    if credential.expires_seconds is None:
        if abs(age) > _SKEW:
            raise too_skewed()
        return
    if not 0 < credential.expires_seconds <= MOST_SECONDS:
        raise wrong_lifetime(MOST_SECONDS)
    if age < -_SKEW:
        raise too_skewed()
    if age.total_seconds() > credential.expires_seconds:
        raise expired()


def _check(credential: Signed, secret: str) -> None:
    key = credential.key(secret)
    if not is_same(credential.expected(key), credential.signature):
        asked = credential.as_asked_of_a_proxy()
        if asked is None or not is_same(asked.expected(key), credential.signature):
            raise signature_does_not_match()
    if credential.unsigned_headers:
        raise access_denied()
