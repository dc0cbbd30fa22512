"""The S3 protocol: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.golden.expectation import ALL, GONE, Difference, Instead, Json
from tests.golden.storage import s3_signing
from tests.golden.storage.s3_signing import mended, once
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import Line

_QUOTED = "ETags are quoted, as S3 has them everywhere (RFC 9110 §8.8.3)."
_NAMELESS = "Errors have no namespace, so that clients find their codes; and the id that finds the request in our log."
_OWN = "It says nothing that is not in other headers."
_LIKE_S3 = "As Amazon's S3 has it, which clients are written for."
_OF_PARTS = "As S3 has it: the MD5 of the parts' MD5s, as nobody reads an object a second time."
_MARKER = "It is the marker that was asked with."
_XML_IS_READ = "A body of XML is read whatever it is called: boto3 calls it nothing."
_FORMS = (
    "Forms are taken as clients of S3 write them, with the status of S3's, and held to all of their policy."
)
_CORS = "Pages are told what they may read when a page asks."


def everywhere(line: Line) -> Sequence[Difference]:
    """What is so in every answer below `/s3`."""
    headers, body = line.answer["headers"], line.answer["body"]
    found = []
    if isinstance(body, dict) and "Error" in body:
        found.append(Difference(ALL, {"body": {"Error": {"RequestId": "<any>"}}}, _NAMELESS))
    if (etag := headers.get("etag")) and not etag.startswith('"'):
        found.append(Difference(ALL, {"headers": {"etag": f'"{etag}"'}}, _QUOTED))
    if (ours := _ours(body)) != body:
        found.append(Difference(ALL, {"body": Instead(ours)}, _LIKE_S3))
    for name, why in (("created-at", _OWN), ("access-control-expose-headers", _CORS)):
        if name in headers:
            found.append(Difference(ALL, {"headers": {name: GONE}}, why))
    return found


def _ours(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    body = _quoted(body)
    if buckets := body.get("ListAllMyBucketsResult", {}).get("Buckets"):
        buckets["Bucket"].sort(key=lambda bucket: bucket["Name"])
    if parts := body.get("ListPartsResult"):
        parts["StorageClass"] = "STANDARD"
        for part in _all(parts["Part"]):
            part["Size"] = "<any>"
    if uploads := body.get("ListMultipartUploadsResult"):
        uploads["Bucket"], uploads["KeyMarker"] = uploads.pop("Name"), ""
        del uploads["KeyCount"]
    return body


def _all(found: Any) -> list[Json]:
    return found if isinstance(found, list) else [found]


def _quoted(body: Any) -> Any:
    if isinstance(body, list):
        return [_quoted(each) for each in body]
    if not isinstance(body, dict):
        return body
    return {name: _value(name, value) for name, value in body.items()}


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return _quoted(value)
    if name == "ETag" and not value.startswith('"'):
        return f'"{value}"'
    return value.replace("%2F", "/") if name in ("Key", "Prefix") else value


def _refused(status: int, code: str) -> Json:
    """In place of a whole answer."""
    said = {"Code": code, "Message": "<any>", "Resource": "<any>", "RequestId": "<any>"}
    headers = {"content-type": "application/xml"}
    return {"status": status, "headers": Instead(headers), "body": Instead({"Error": said})}


def _etag(etag: str, line: str, *heads: str) -> list[Difference]:
    """Of an object that came in parts."""
    ours = {"body": {"CompleteMultipartUploadResult": {"ETag": etag}}}
    return [
        Difference(line, ours, _OF_PARTS),
        *(Difference(head, {"headers": {"etag": etag}}, _OF_PARTS) for head in heads),
    ]


_TWO, _THREE = '"7b772061231d567835c0d83406033a78-2"', '"19019d16dd0f439825c39a2c5b9178fd-3"'
_BOTH = b"""<CompleteMultipartUpload>
<Part><ETag>006a88ed7d5826af90d38dba4666fd89</ETag><PartNumber>1</PartNumber></Part>
<Part><ETag>cbecbdb0fdd5cec1e242493b6008cc79</ETag><PartNumber>2</PartNumber></Part>
</CompleteMultipartUpload>"""
_LISTED_V1 = {"Owner": {"ID": "ogel", "DisplayName": "ogel"}}
DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    "s3.jsonl": [
        Difference(
            [
                "GetBucketAcl (not implemented)",
                "GetBucketTagging (not implemented)",
                "GetObjectAcl (not implemented)",
                "GetObjectAcl (not implemented) #2",
                "ListObjectVersions (not implemented)",
                "PutBucketPolicy (not implemented)",
            ],
            _refused(501, "NotImplemented"),
            "What is not offered is said to be so, and not taken for something else.",
        ),
        Difference(
            "PutObject unicode key",
            {
                "status": 200,
                "headers": Instead({"etag": '"9dd4e461268c8034f5c8564e155c67a6"', "content-length": "0"}),
                "body": Instead(None),
            },
            "Names are text of any script.",
        ),
        Difference("PutObject wrong Content-MD5", _refused(400, "BadDigest"), "It is looked at."),
        Difference(
            ["PutObject IfNoneMatch star on existing", "CopyObject IfMatch miss"],
            _refused(412, "PreconditionFailed"),
            "Conditions are met or refused (RFC 9110 §13).",
        ),
        Difference(
            "GetObject unsatisfiable range",
            {"headers": {"content-range": "bytes */14"}, "body": {"Error": {"Message": "<any>"}}},
            "The length is told (RFC 9110 §15.5.17).",
        ),
        Difference(
            "GetObject IfNoneMatch hit",
            {"headers": {"content-type": GONE, "content-length": GONE}},
            "304 has what a cache needs (RFC 9110 §15.4.5).",
        ),
        Difference(
            ["GetObjectAttributes (not implemented)", "GetObjectAttributes (not implemented) #2"],
            {
                "headers": Instead({"content-type": "application/xml", "last-modified": "<httpdate>"}),
                "body": Instead(
                    {"GetObjectAttributesResponse": {"ETag": "3f34c73957b6013371167b8157085f3d"}}
                ),
            },
            "Attributes are offered.",
        ),
        Difference(
            "ListObjectsV2 start-after", {"body": {"ListBucketResult": {"StartAfter": "dir/1"}}}, _LIKE_S3
        ),
        Difference(
            "ListObjectsV2 max-keys 0",
            {"body": {"ListBucketResult": {"Contents": GONE, "MaxKeys": "0", "KeyCount": "0"}}},
            "None was asked for.",
        ),
        Difference(
            "ListObjectsV2 fetch-owner", {"body": {"ListBucketResult": {"Contents": _LISTED_V1}}}, _LIKE_S3
        ),
        Difference(
            "ListObjectsV2 other delimiter",
            {
                "body": {
                    "ListBucketResult": {
                        "CommonPrefixes": Instead(
                            [
                                {"Prefix": prefix}
                                for prefix in ("a.", "hdr.", "md5.", "sha.", "sp%20ace%2Bplus.")
                            ]
                        )
                    }
                }
            },
            "A folder ends in the delimiter that was asked for.",
        ),
        Difference(
            ["ListObjects V1", "ListObjects V1 marker", "ListObjects V1 delimiter"],
            {"body": {"ListBucketResult": {"Contents": {"*": _LISTED_V1}}}},
            _LIKE_S3,
        ),
        Difference("ListObjects V1", {"body": {"ListBucketResult": {"Marker": ""}}}, _MARKER),
        Difference("ListObjects V1 marker", {"body": {"ListBucketResult": {"Marker": "dir/2"}}}, _MARKER),
        Difference(
            "ListObjects V1 delimiter",
            {"body": {"ListBucketResult": {"Marker": "", "Delimiter": "/"}}},
            _MARKER,
        ),
        Difference(
            "DeleteObjects",
            {
                "status": 200,
                "body": Instead({"DeleteResult": {"Deleted": [{"Key": "copy2.txt"}, {"Key": "nope"}]}}),
            },
            _XML_IS_READ,
        ),
        Difference(
            "DeleteObjects quiet", {"status": 200, "body": Instead({"DeleteResult": ""})}, _XML_IS_READ
        ),
        Difference("DeleteObjects missing bucket", _refused(404, "NoSuchBucket"), _XML_IS_READ),
        Difference(["UploadPart 0", "UploadPart 10001"], _refused(400, "InvalidArgument"), _LIKE_S3),
        Difference("CompleteMultipartUpload wrong etag", _refused(400, "InvalidPart"), _XML_IS_READ),
        Difference("CompleteMultipartUpload wrong order", _refused(400, "InvalidPartOrder"), _XML_IS_READ),
        *_etag(_TWO, "CompleteMultipartUpload", "HeadObject multipart", "GetObject multipart range"),
        Difference("CompleteMultipartUpload without parts", _refused(400, "MalformedXML"), _XML_IS_READ),
        Difference(
            "AbortMultipartUpload",
            {"status": 204, "headers": Instead({}), "body": Instead(None)},
            "It was not completed before.",
        ),
        Difference(
            "presigned POST form",
            {
                "status": 204,
                "headers": Instead(
                    {"etag": '"75d3f2bd629229cd80ee1f1fdc72df69"', "location": "/s3b/form.txt"}
                ),
                "body": Instead(None),
            },
            _FORMS,
        ),
        Difference("presigned POST form over content-length-range", _refused(400, "EntityTooLarge"), _FORMS),
        Difference("presigned POST form other key", _refused(403, "AccessDenied"), _FORMS),
        Difference("presigned POST form tampered policy", _refused(403, "SignatureDoesNotMatch"), _FORMS),
        Difference(
            "HeadObject form.txt",
            {
                "status": 200,
                "headers": Instead(
                    {
                        "content-type": "text/plain",
                        "content-length": "11",
                        "etag": '"75d3f2bd629229cd80ee1f1fdc72df69"',
                    }
                ),
            },
            _FORMS,
        ),
        Difference("unknown access key", _refused(403, "InvalidAccessKeyId"), _LIKE_S3),
        Difference("GetObject missing bucket", _refused(404, "NoSuchBucket"), _LIKE_S3),
        Difference("PutObject too large", {"body": {"Error": {"Message": "<any>"}}}, "It says how much is."),
        Difference("CreateBucket duplicate", _refused(409, "BucketAlreadyOwnedByYou"), _LIKE_S3),
        Difference("presigned GET expired", _refused(403, "AccessDenied"), _LIKE_S3),
        Difference("DeleteBucket not empty", _refused(409, "BucketNotEmpty"), _LIKE_S3),
        *_etag(_THREE, "upload_fileobj 12 MiB (managed multipart) #5", "HeadObject big"),
    ],
    "s3_aws_sdk_js.jsonl": [
        Difference("DeleteObjects quiet", {"body": Instead({"DeleteResult": ""})}, "Quiet tells of errors."),
        Difference("DeleteObjects none", _refused(400, "MalformedXML"), _LIKE_S3),
        Difference(["Complete wrong etag", "Complete missing part"], _refused(400, "InvalidPart"), _LIKE_S3),
        Difference("Complete wrong order", _refused(400, "InvalidPartOrder"), _LIKE_S3),
        Difference("Complete no parts", _refused(400, "MalformedXML"), _LIKE_S3),
        *_etag('"5b393e16e44f517e623cf940a475ecbe-1"', "Complete one of two parts", "HeadObject m4"),
        *_etag(_TWO, "Complete", "HeadObject m5"),
        Difference("Abort", {"status": 204, "headers": Instead({})}, _LIKE_S3),
        *_etag(_THREE, "lib-storage Upload 12 MiB #5", "HeadObject lib.bin"),
        Difference(
            "ListObjectsV2",
            {
                "body": {
                    "ListBucketResult": {
                        "Contents": {
                            2: {"ETag": _THREE},
                            3: {"ETag": _TWO},
                            4: {"ETag": _TWO},
                            5: {"ETag": '"5b393e16e44f517e623cf940a475ecbe-1"'},
                            6: {"ETag": _TWO},
                        }
                    }
                }
            },
            _OF_PARTS,
        ),
        Difference(
            "presigned POST form",
            {"status": 204, "headers": {"location": "/s3js/form.txt", "content-length": GONE}},
            _FORMS,
        ),
        Difference("presigned POST form over content-length-range", _refused(400, "EntityTooLarge"), _FORMS),
        Difference("presigned POST form other key", {"body": {"Error": {"Message": "<any>"}}}, _FORMS),
    ],
}
STEPS: Steps = {
    "s3.jsonl": {
        "GetObject": mended(
            ("DELETE", "/s3b/%C3%BCn%C3%AF.txt", b""),
            ("PUT", "/s3b/md5.txt", b"x"),
            ("PUT", "/s3b/noct", b"y"),
        ),
        "presigned GET tampered": once(path="/s3/s3b/a.txt"),
        "presigned GET expired": once(ago=5),
        "presigned POST form tampered policy": once(policy="another"),
        "wrong secret": once(secret="wrong" * 8),
        "wrong secret HeadBucket": once(secret="wrong" * 8),
        "unknown access key": once(key="OGELAAAAAAAAAAAAAAAA"),
    },
    "s3_aws_sdk_js.jsonl": {
        "Abort": mended(
            ("POST", "/s3js/m2?uploadId=<uploadid:2>", _BOTH),
            ("POST", "/s3js/m3?uploadId=<uploadid:3>", _BOTH),
        ),
        "presigned POST form tampered policy": once(policy="another"),
    },
}
BEGINNINGS: Beginnings = {"s3.jsonl": s3_signing.begin, "s3_aws_sdk_js.jsonl": s3_signing.begin}
