"""What goes wrong at the door of S3's clients, and errors as they read them: XML without a namespace."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Scope

from ogel.features.storage.errors import StorageError
from ogel.features.storage.s3.xml import document
from ogel.kernel.errors import OgelError
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.route import Reply, Text

# Of errors that are not about storage, by status.
_CODES: Mapping[int, str] = {
    400: "InvalidRequest",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "OperationAborted",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    413: "EntityTooLarge",
    415: "InvalidMimeType",
    416: "InvalidRange",
    422: "InvalidArgument",
    429: "SlowDown",
    501: "NotImplemented",
    503: "SlowDown",
}
# S3's names for what others have as something else.
_RENAMED: Mapping[str, str] = {
    "KeyAlreadyExists": "PreconditionFailed",
    "ResourceNotEmpty": "BucketNotEmpty",
}


def render_error(error: OgelError, scope: Scope) -> Reply:
    """`<Error><Code/><Message/><Resource/><RequestId/></Error>`; who has not said who it is gets 403."""
    code = error.code if isinstance(error, StorageError) else _CODES.get(error.status, "InternalError")
    unknown = error.status == 401
    body = document(
        "Error",
        [
            ("Code", _RENAMED.get(code, code)),
            ("Message", "Missing signature" if unknown else error.message),
            ("Resource", _resource(scope["path"])),
            ("RequestId", exchange_of(scope).request_id),
        ],
        namespace=None,
    )
    return Reply(Text(body, "application/xml"), 403 if unknown else error.status)


def _resource(path: str) -> str:
    """`BUCKET/KEY`"""
    bucket, slash, key = path.removeprefix("/storage/v1").removeprefix("/s3").removeprefix("/").partition("/")
    return bucket + slash + key if key else bucket


def malformed_signature(message: str) -> StorageError:
    return StorageError(400, "AuthorizationHeaderMalformed", message)


def old_signature() -> StorageError:
    message = (
        "Signatures of version 2 are not taken: sign with AWS4-HMAC-SHA256 "
        "(boto3: Config(signature_version='s3v4'))."
    )
    return StorageError(400, "InvalidRequest", message)


def unknown_access_key() -> StorageError:
    return StorageError(403, "InvalidAccessKeyId", "The access key id is not known here.")


def signature_does_not_match() -> StorageError:
    return StorageError(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    )


def too_skewed() -> StorageError:
    message = "The time of the request and the server's are more than 15 minutes apart."
    return StorageError(403, "RequestTimeTooSkewed", message)


def no_valid_date() -> StorageError:
    message = "The time of signing is not written YYYYMMDDTHHMMSSZ, or not of the day of the credential."
    return StorageError(403, "AccessDenied", message)


def wrong_lifetime(most: int) -> StorageError:
    message = f"X-Amz-Expires takes 1 to {most} seconds."
    return StorageError(403, "AuthorizationQueryParametersError", message)


def expired() -> StorageError:
    return StorageError(403, "AccessDenied", "Request has expired")


def not_implemented(what: str) -> StorageError:
    return StorageError(501, "NotImplemented", f"{what} is not implemented here.")


def invalid_argument(message: str) -> StorageError:
    return StorageError(400, "InvalidArgument", message)


def invalid_request(message: str) -> StorageError:
    return StorageError(400, "InvalidRequest", message)


def bad_digest(what: str) -> StorageError:
    return StorageError(400, "BadDigest", f"The body is not the one whose {what} was sent.")


def wrong_payload_hash() -> StorageError:
    message = "The body is not the one whose SHA-256 stands in x-amz-content-sha256."
    return StorageError(400, "XAmzContentSHA256Mismatch", message)


def incomplete_body(message: str) -> StorageError:
    return StorageError(400, "IncompleteBody", message)


def length_missing() -> StorageError:
    message = "The length of the content is missing: x-amz-decoded-content-length."
    return StorageError(411, "MissingContentLength", message)


def no_such_upload() -> StorageError:
    return StorageError(404, "NoSuchUpload", "Upload not found")


def invalid_part() -> StorageError:
    message = "One or more of the parts are not there, or have other ETags."
    return StorageError(400, "InvalidPart", message)


def invalid_part_order() -> StorageError:
    return StorageError(400, "InvalidPartOrder", "The parts are not in ascending order of their numbers.")


def part_too_small() -> StorageError:
    message = "A part that is not the last one has less than 5 MiB."
    return StorageError(400, "EntityTooSmall", message)
