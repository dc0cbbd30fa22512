"""
`POST` of a form: how web pages upload with a policy that a server of the operator's signed. Its fields say what may be
uploaded by whoever has it.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct, structs

from ogel.features.storage.errors import StorageError, access_denied
from ogel.features.storage.objects.object import StoredObject
from ogel.features.storage.objects.writing import ObjectWriter
from ogel.features.storage.s3.asked import Asked, check_bucket
from ogel.features.storage.s3.authentication import Authentication
from ogel.features.storage.s3.buckets import xml
from ogel.features.storage.s3.credentials import SignedWith, credential_of, signature_in
from ogel.features.storage.s3.errors import invalid_argument, invalid_request, malformed_signature
from ogel.features.storage.s3.headers import facts_of
from ogel.features.storage.s3.signature import ALGORITHM
from ogel.features.storage.s3.xml import document
from ogel.features.storage.s3_keys.key import S3
from ogel.kernel.clock import utc_now
from ogel.runtime.http.multipart_body import Part, PartLimits, parts
from ogel.runtime.http.route import Redirect, Reply

_LIMITS = PartLimits(most_parts=64)
_MOST_FIELD_BYTES = 20 * 1024
_MOST_FIELDS_BYTES = 64 * 1024
_MOST_CONDITIONS = 100
_RANGE = "content-length-range"
# Fields that no condition need name.
_FREE = ("policy", "file", "x-amz-signature", "awsaccesskeyid", "signature")


class _Policy(Struct):
    expiration: str
    conditions: list[Any]


class FormOperations:
    def __init__(self, authentication: Authentication, writer: ObjectWriter) -> None:
        self._authentication = authentication
        self._writer = writer

    async def post(self, asked: Asked) -> object:
        """Raises StorageError InvalidArgument, AccessDenied, EntityTooLarge, EntityTooSmall, and what `put` raises."""
        if asked.call.body.content_type != "multipart/form-data":
            raise access_denied()
        fields: dict[str, str] = {}
        async for part in parts(asked.call.body, _LIMITS):
            if part.name.lower() == "file":
                return await self._store(asked, fields, part)
            fields[part.name.lower()] = (await part.read(_MOST_FIELD_BYTES)).decode("utf-8", "replace")
            if sum(map(len, fields.values())) > _MOST_FIELDS_BYTES:
                raise invalid_request("The fields of the form are too long.")
        raise invalid_argument("The form has no field `file`.")

    async def _store(self, asked: Asked, fields: Mapping[str, str], file: Part) -> object:
        key = fields.get("key", "").replace("${filename}", file.filename or "")
        fields = {**fields, "key": key, "bucket": asked.bucket}
        if "policy" not in fields:
            raise access_denied()
        if not key:
            raise invalid_argument("The form has no field `key`.")
        if "awsaccesskeyid" in fields:
            key_id, signature = fields["awsaccesskeyid"], fields.get("signature", "")
            principal = await self._authentication.of_old_form(
                key_id, fields["policy"], signature, asked.caller
            )
        else:
            principal = await self._authentication.of_form(_signed(fields), fields["policy"], asked.caller)
        check_bucket(principal, asked.bucket)
        least, most = _checked(_policy(fields["policy"]), fields)
        headers = {name.encode(): value.encode() for name, value in fields.items()}
        stored = await self._writer.put(
            structs.replace(asked.caller, principal=principal),
            asked.bucket,
            key,
            _within(file, least, most),
            facts_of(headers),
            length=None,
            upsert=True,
        )
        return _answer(fields, stored)


def _signed(fields: Mapping[str, str]) -> SignedWith:
    if fields.get("x-amz-algorithm") != ALGORITHM:
        raise malformed_signature(f"The field x-amz-algorithm is not {ALGORITHM}.")
    key_id, scope = credential_of(fields.get("x-amz-credential", ""))
    return SignedWith(
        S3,
        key_id,
        amz_date=fields.get("x-amz-date", ""),
        scope=scope,
        signature=signature_in(fields.get("x-amz-signature", "")),
        token=fields.get("x-amz-security-token"),
    )


def _policy(encoded: str) -> _Policy:
    try:
        return msgspec.json.decode(base64.b64decode(encoded, validate=True), type=_Policy)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise StorageError(
            400, "InvalidPolicyDocument", "The policy is not base64 of JSON with expiration and conditions."
        ) from error


def _checked(policy: _Policy, fields: Mapping[str, str]) -> tuple[int, int | None]:
    """
    Returns how many bytes the file has at least and at most. Raises StorageError AccessDenied where a field is not as
    the policy says, or not in it, and when the policy is over.
    """
    try:
        expires = datetime.fromisoformat(policy.expiration)
    except ValueError as error:
        raise StorageError(400, "InvalidPolicyDocument", "The expiration is no time.") from error
    if expires.replace(tzinfo=expires.tzinfo or UTC) < utc_now():
        raise _against("Policy expired.")
    if len(policy.conditions) > _MOST_CONDITIONS:
        raise StorageError(
            400, "InvalidPolicyDocument", f"A policy has {_MOST_CONDITIONS} conditions at most."
        )
    named, least, most = set[str](), 0, None
    for condition in policy.conditions:
        match condition:
            case dict() if condition:
                for name, value in condition.items():
                    named.add(name.lower())
                    _check("eq", name, value, fields)
            case [str(kind), int(low), int(high)] if kind.lower() == _RANGE and 0 <= low <= high:
                least, most = low, high
            case [str(kind), str(name), value] if kind.lower() in ("eq", "starts-with"):
                named.add(name.lower().removeprefix("$"))
                _check(kind.lower(), name.removeprefix("$"), value, fields)
            case _:
                raise StorageError(400, "InvalidPolicyDocument", "A condition is none that there is.")
    for name in fields:
        if name not in named and name not in _FREE and not name.startswith("x-ignore-"):
            raise _against(f"Extra input field: {name[:100]}.")
    return least, most


def _check(kind: str, name: str, value: object, fields: Mapping[str, str]) -> None:
    given = fields.get(name.lower(), "")
    text = str(value)
    if not (given == text if kind == "eq" else given.startswith(text)):
        raise _against(f"Policy Condition failed: {name[:100]}.")


def _against(what: str) -> StorageError:
    return StorageError(403, "AccessDenied", f"Invalid according to Policy: {what}", "Unauthorized")


async def _within(file: Part, least: int, most: int | None) -> AsyncIterator[bytes]:
    size = 0
    async for piece in file:
        size += len(piece)
        if most is not None and size > most:
            message = f"Your proposed upload exceeds the maximum allowed size: {most} bytes."
            raise StorageError(400, "EntityTooLarge", message)
        yield piece
    if size < least:
        message = f"Your proposed upload is smaller than the minimum allowed size: {least} bytes."
        raise StorageError(400, "EntityTooSmall", message)


def _answer(fields: Mapping[str, str], stored: StoredObject) -> object:
    location = f"/{stored.bucket_id}/{quote(stored.name)}"
    told: Sequence[tuple[str, str]] = [
        ("bucket", stored.bucket_id),
        ("key", stored.name),
        ("etag", stored.etag),
    ]
    if url := fields.get("success_action_redirect") or fields.get("redirect"):
        if not url.startswith(("https://", "http://")):
            raise invalid_argument("success_action_redirect is no URL of a web page.")
        more = "&".join(f"{name}={quote(value, safe='')}" for name, value in told)
        return Redirect(f"{url}{'&' if '?' in url else '?'}{more}", 303)
    status = fields.get("success_action_status")
    body = b""
    if status == "201":
        body = document(
            "PostResponse",
            [
                ("Location", location),
                *((name.capitalize().replace("Etag", "ETag"), value) for name, value in told),
            ],
        )
    answered = int(status) if status in ("200", "201") else 204
    headers = {"etag": stored.etag, "location": location}
    return Reply(xml(body) if body else None, answered, headers)
