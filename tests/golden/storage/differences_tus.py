"""Resumable uploads: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence

from tests.golden.expectation import GONE, Difference, Instead, Json
from tests.golden.storage.replay import Replay
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import Line, read

PATH = "/upload/resumable"
TUS, CLIENT = "tus.jsonl", "client_tus.jsonl"

CORS = "CORS headers come to who names an origin, and methods and header fields with a preflight's answer."
WHERE = "An upload is where storage is; by which name we were asked, nobody says here."
AS_SENT = "Metadata comes back as it was sent, as TUS has it."
ONE_LINE = "An error is its text."
OF_TUS = "The statuses are those of TUS 1.0.0 and HTTP: 412 for a version, 415 for a type, 400 for a header."
WHOLE_TUS = "All of TUS 1.0.0 is there: checksums and concatenation, too."
NO_ID = "Every id that is none of an upload's is answered 404."
UPSERT = "What may be replaced is said when the upload begins."
LIMIT = "The limit is told."
SPACES = "Spaces around commas are what a proxy may make of a header."
ANY_SCRIPT = "A name is text of any script: no store and no path is made of it."
UNREADABLE = "The text does not show where objects are stored."
PARTS = "Of several requests the ETag is S3's way, for nobody reads the content once more."


def _of(file: str) -> Iterator[Difference]:
    """What is so in every answer of TUS."""
    for line in read(file):
        if line.request is None or not line.request["path"].startswith(PATH):
            continue
        for ours, why in (_headers(line), _location(line), _metadata(line), _text(line)):
            if ours:
                yield Difference(line.name, ours, why)


def _headers(line: Line) -> tuple[Json, str]:
    names = [name for name in line.answer["headers"] if name.startswith("access-control-")]
    return ({"headers": dict.fromkeys(names, GONE)} if names else {}), CORS


def _location(line: Line) -> tuple[Json, str]:
    if (location := line.answer["headers"].get("location")) is None:
        return {}, WHERE
    host, _, path = location.partition(PATH)
    ours = f"/storage/v1{PATH}{path}" if "<host>" in host else location
    return ({"headers": {"location": ours}} if ours != location else {}), WHERE


def _metadata(line: Line) -> tuple[Json, str]:
    recorded = line.answer["headers"].get("upload-metadata", "")
    ours = recorded.replace("bWF4LWFnZT0zNjAw", "MzYwMA==")
    return ({"headers": {"upload-metadata": ours}} if ours != recorded else {}), AS_SENT


def _text(line: Line) -> tuple[Json, str]:
    body = line.answer["body"]
    if not isinstance(body, str) or not body.endswith("\n"):
        return {}, ONE_LINE
    length = str(len(body) - 1)
    return {"headers": {"content-length": length}, "body": Instead(body.removesuffix("\n"))}, ONE_LINE


def _said(status: int, text: str) -> Json:
    return {"status": status, "headers": {"content-length": str(len(text.encode()))}, "body": Instead(text)}


def _length(length: int) -> Json:
    """Of the answer to a HEAD."""
    return {"headers": {"content-length": str(length)}}


def _answered(status: int, **headers: str) -> Json:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {} if status == 204 else {"content-type": "text/plain;charset=UTF-8"}
    return {
        "status": status,
        "headers": Instead({**kind, "tus-resumable": "1.0.0", **told}),
        "body": Instead(None),
    }


NOT_FOUND = _said(404, "The file for this url was not found")
MISMATCH = _answered(460, content_length="35") | {"body": Instead("The bytes do not have this checksum")}


def _created(label: str) -> Json:
    return _answered(201, location=f"/storage/v1{PATH}/<tus:{label}>")


MANY = {"headers": {"etag": '"<hex>-3"'}, "body": {"etag": '"<hex>-3"'}}
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,concatenation"
)
DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    TUS: [
        *_of(TUS),
        Difference(
            "OPTIONS",
            {
                "headers": dict.fromkeys(
                    ["tus-extension", "tus-max-size", "tus-resumable", "tus-version"], GONE
                )
            },
            "A preflight is asked by browsers, and clients are told nothing of it.",
        ),
        Difference(
            ["OPTIONS plain", "OPTIONS with id"], {"headers": {"tus-extension": EXTENSIONS}}, WHOLE_TUS
        ),
        Difference(
            "HEAD without auth", {"status": 401}, "Who cannot be told is 401, for HEAD as for other methods."
        ),
        Difference("HEAD without Tus-Resumable", _length(22), ONE_LINE),
        Difference(["HEAD after DELETE", "HEAD unknown"], _length(35), ONE_LINE),
        Difference("HEAD garbage id", {"status": 404, **_length(35)}, NO_ID),
        Difference("PATCH garbage id", NOT_FOUND, NO_ID),
        Difference(
            "GET upload",
            {"status": 405, "body": {"statusCode": "405", "error": "Method Not Allowed"}},
            "A path that is there is there for all methods: what another one answers is 405.",
        ),
        Difference(["PATCH wrong content type", "PATCH no content type"], {"status": 415}, OF_TUS),
        Difference(["PATCH wrong Tus-Resumable", "wrong Tus-Resumable"], {"status": 412}, OF_TUS),
        Difference("PATCH no offset", {"status": 400}, OF_TUS),
        Difference(
            "PATCH upsert without the header",
            _answered(204, upload_offset="10", tus_complete="1"),
            UPSERT,
        ),
        Difference(
            "length above bucket limit",
            _said(413, "The object exceeded the maximum allowed size: 10 bytes"),
            LIMIT,
        ),
        Difference(
            "length above global limit",
            _said(413, "The object exceeded the maximum allowed size: 52428800 bytes"),
            LIMIT,
        ),
        Difference(
            "no contentType in metadata, limited bucket",
            _answered(415, content_length="51")
            | {"body": Instead("mime type application/octet-stream is not supported")},
            "A type that is not taken is refused before the bytes come.",
        ),
        Difference("metadata with spaces", _created("spaces"), SPACES),
        Difference("invalid key", _created("script"), ANY_SCRIPT),
        Difference("dot segment key", _said(400, "Invalid key: ../x.txt"), UNREADABLE),
        Difference("upload-concat partial", _created("part"), WHOLE_TUS),
        Difference("upload-checksum is ignored or refused", MISMATCH, WHOLE_TUS),
        Difference(
            "POST with X-HTTP-Method-Override PATCH",
            _answered(204, upload_offset="3", tus_complete="1"),
            "TUS has it for clients that know no PATCH.",
        ),
    ],
    CLIENT: [
        *_of(CLIENT),
        Difference(["info", "info of the resumed"], MANY, PARTS),
        Difference(
            "too large for the bucket",
            _said(413, "The object exceeded the maximum allowed size: 100 bytes"),
            LIMIT,
        ),
    ],
}
STEPS: Steps = {}


def _folders_of_users(replay: Replay) -> None:
    """Names in metadata are those of the users of today."""
    theirs = {
        f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}": f"<uuid:user{digit}>"
        for digit in "12"
    }

    def prepared(request: Json) -> Json:
        headers = dict(request["headers"])
        for old, user in theirs.items():
            said, now = headers.get("upload-metadata", ""), replay.labels.value(user)
            if (encoded := _encoded(f"{old}/t.txt")) in said and now is not None:
                headers["upload-metadata"] = said.replace(encoded, _encoded(f"{now}/t.txt"))
        return {**request, "headers": headers}

    replay.prepared = prepared


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


BEGINNINGS: Beginnings = {TUS: _folders_of_users}
