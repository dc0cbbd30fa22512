"""What goes wrong with objects, with the codes that programs go by."""

from __future__ import annotations

from ogel.kernel.errors import OgelError

# Codes that others go by.
INTENT_LOST = "SlowDown"
NO_SUCH_BUCKET = "NoSuchBucket"


class StorageError(OgelError):
    """
    `code` is one of Supabase Storage's codes (`NoSuchKey`), many of which are S3's; `error` is what its clients have
    beside it (`not_found`); `status` is the one that it is answered with.
    """

    title = "Not possible in this storage"

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        error: str | None = None,
        *,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.status = status
        self.code = code
        self.error = code if error is None else error

    @property
    def kind(self) -> str:
        return self.code


def no_such_bucket() -> StorageError:
    return StorageError(404, NO_SUCH_BUCKET, "Bucket not found", "Bucket not found")


def no_such_key() -> StorageError:
    return StorageError(404, "NoSuchKey", "Object not found", "not_found")


def invalid_bucket_name() -> StorageError:
    return StorageError(400, "InvalidBucketName", "Bucket name invalid", "Invalid Input")


def bucket_exists() -> StorageError:
    return StorageError(409, "BucketAlreadyExists", "The resource already exists", "Duplicate")


def key_exists() -> StorageError:
    return StorageError(409, "KeyAlreadyExists", "The resource already exists", "Duplicate")


def resource_exists() -> StorageError:
    """What is moved would replace another."""
    return StorageError(409, "ResourceAlreadyExists", "The resource already exists", "Duplicate")


def no_related_resource() -> StorageError:
    """There is no bucket to move or copy to."""
    return StorageError(404, "InvalidRequest", "The related resource does not exist", "InvalidRequest")


def not_encrypted() -> StorageError:
    """What is moved keeps its bytes as they are."""
    message = (
        "This bucket encrypts what is stored, and the object is not encrypted: copy it, and delete it there"
    )
    return StorageError(400, "InvalidRequest", message)


def precondition_failed(condition: str) -> StorageError:
    return StorageError(
        412, "PreconditionFailed", f"The object is not as {condition} asks.", "Precondition failed"
    )


def bucket_not_empty() -> StorageError:
    return StorageError(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty")


def refused_by_policy() -> StorageError:
    return StorageError(403, "AccessDenied", "new row violates row-level security policy", "Unauthorized")


def access_denied() -> StorageError:
    return StorageError(403, "AccessDenied", "Access denied", "Unauthorized")


def invalid_token(message: str) -> StorageError:
    return StorageError(400, "InvalidJWT", message)


def invalid_signature(message: str) -> StorageError:
    """A token is good, and not for what it was used for."""
    return StorageError(400, "InvalidSignature", message)


def invalid_request(message: str) -> StorageError:
    return StorageError(400, "InvalidRequest", message, "Error")


def not_scanned_yet() -> StorageError:
    message = "The object can be read once it has been scanned"
    return StorageError(423, "ResourceLocked", message, retry_after_seconds=5)


def found_infected() -> StorageError:
    return StorageError(403, "AccessDenied", "The object was found to be malware", "Unauthorized")


def database_refused(code: str, message: str) -> StorageError:
    """Policies and triggers that users wrote."""
    return StorageError(400, code, message)


def too_large(most: int) -> StorageError:
    return StorageError(
        413,
        "EntityTooLarge",
        f"The object exceeded the maximum allowed size: {most} bytes",
        "Payload too large",
    )


def invalid_content_type() -> StorageError:
    return StorageError(415, "InvalidMimeType", "Invalid Content-Type header", "invalid_mime_type")


def no_content() -> StorageError:
    """A form without a file."""
    return StorageError(400, "InvalidRequest", "No content provided")


def invalid_mime_type(content_type: str) -> StorageError:
    message = f"mime type {content_type[:255]} is not supported"
    return StorageError(415, "InvalidMimeType", message, "invalid_mime_type")


def quota_exceeded(message: str) -> StorageError:
    return StorageError(413, "QuotaExceeded", message, "Payload too large")


def changed_meanwhile() -> StorageError:
    return StorageError(503, "SlowDown", "The object changed meanwhile; repeat it.", retry_after_seconds=1)


def intent_lost() -> StorageError:
    """The upload took so long that its bytes were given up."""
    return StorageError(503, INTENT_LOST, "The upload took too long; repeat it.", retry_after_seconds=1)


def store_full() -> StorageError:
    """Repeating does not help until somebody makes room."""
    return StorageError(
        507, "InsufficientStorage", "There is no room left in the store.", "Insufficient storage"
    )


def no_such_upload() -> StorageError:
    return StorageError(404, "NoSuchUpload", "The file for this url was not found", "not_found")


def upload_gone() -> StorageError:
    return StorageError(
        410, "NoSuchUpload", "The upload was not finished in time, or its object is gone", "not_found"
    )


def offset_conflict() -> StorageError:
    return StorageError(409, "InvalidOffset", "Upload-Offset conflict", "Conflict")


def upload_length_known() -> StorageError:
    return StorageError(400, "InvalidUploadLength", "Invalid upload-length")


def upload_exceeded() -> StorageError:
    return StorageError(413, "EntityTooLarge", "upload's size exceeded", "Payload too large")


def upload_interrupted() -> StorageError:
    """Another request writes to it now; what came before is stored."""
    return StorageError(423, "ResourceLocked", "Another request goes on with this upload", "Locked")


def upload_is_final() -> StorageError:
    return StorageError(403, "InvalidRequest", "What was put together of parts takes no more bytes")


def part_refused(message: str) -> StorageError:
    return StorageError(400, "InvalidPart", message)


def checksum_mismatch() -> StorageError:
    """460 is TUS's own status."""
    return StorageError(460, "InvalidChecksum", "The bytes do not have this checksum")


def too_many_uploads() -> StorageError:
    return StorageError(429, "SlowDown", "Too many uploads are not finished", retry_after_seconds=60)


def no_pictures_here() -> StorageError:
    return StorageError(
        501,
        "NotImplemented",
        "Pictures are changed with an extra that is missing here: pip install 'ogel[images]'",
    )


def pictures_wait() -> StorageError:
    return StorageError(503, "SlowDown", "Too many pictures are being changed", retry_after_seconds=2)


def not_changed(reason: str) -> StorageError:
    """`reason` is a sentence about the picture."""
    return StorageError(422, "InvalidRequest", f"The picture cannot be changed. {reason}", "Invalid picture")


def not_direct() -> StorageError:
    return StorageError(
        409,
        "NotSupported",
        "This store has no URLs for uploads, or the bucket is encrypted: upload to /storage/v1/upload/resumable (TUS).",
    )


def not_there_yet() -> StorageError:
    return StorageError(
        409, "IncompleteBody", "Not all of the bytes have come: confirm the upload when they have."
    )
