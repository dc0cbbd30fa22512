"""What clients say of objects is shown in headers and kept as JSON, by whichever door it comes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest

from tests.support.process import Response
from tests.support.world import World

BAD = {
    "a line end": "text/plain\r\nset-cookie: a=b",
    "NUL": "text/plain\0",
    "no ASCII": "text/日本",
    "half a character": "text/\udcff",
    "much": "text/plain; a=" + "b" * 2000,
}


@pytest.fixture(scope="module", autouse=True)
def bucket(api: World) -> None:
    api.ok("POST", "/storage/v1/bucket", {"name": "facts"})


def form(api: World, name: str, fields: Mapping[str, str]) -> Response:
    parts = [
        f'--limit\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode(
            "utf-8", "surrogateescape"
        )
        for field, value in fields.items()
    ]
    file = b'--limit\r\nContent-Disposition: form-data; name=""; filename="a"\r\n\r\nhello\r\n--limit--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=limit"}
    return api("POST", f"/storage/v1/object/facts/{name}", raw=b"".join(parts) + file, headers=headers)


def tus(api: World, name: str, **said: str) -> Response:
    said = {"bucketName": "facts", "objectName": name, **said}
    metadata = ",".join(
        f"{key} {base64.b64encode(value.encode('utf-8', 'surrogateescape')).decode()}"
        for key, value in said.items()
    )
    headers = {"tus-resumable": "1.0.0", "upload-length": "0", "upload-metadata": metadata}
    return api("POST", "/storage/v1/upload/resumable", raw=b"", headers=headers)


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_cannot_be_a_header_is_refused_or_left_out(api: World, value: str) -> None:
    for number, answer in enumerate(
        (
            form(api, "form-0", {"contentType": value}),
            form(api, "form-1", {"cacheControl": value}),
            tus(api, "tus-2", contentType=value),
            tus(api, "tus-3", cacheControl=value),
        )
    ):
        assert answer.status in (200, 201, 400, 415, 422), answer.raw
        name = ("form-0", "form-1", "tus-2", "tus-3")[number]
        got = api("GET", f"/storage/v1/object/authenticated/facts/{name}")
        assert got.status == (200 if answer.status < 300 else 404)
        assert "set-cookie" not in got.headers
        api("DELETE", "/storage/v1/object/facts", {"prefixes": [name]})


@pytest.mark.parametrize("said", [{"a": "\0"}, {"a\0": 1}, {"a": "\ud800"}, {"a": "x" * 200_000}])
def test_metadata_that_cannot_be_kept_is_refused_or_left_out(api: World, said: dict[str, object]) -> None:
    text = json.dumps(said)
    for name, answer in {
        "form": form(api, "form", {"metadata": text}),
        "tus": tus(api, "tus", metadata=text),
        "header": api(
            "POST",
            "/storage/v1/object/facts/header",
            raw=b"hello",
            headers={"x-metadata": base64.b64encode(text.encode()).decode()[:60_000]},
        ),
    }.items():
        assert answer.status in (200, 201, 400, 413, 422), answer.raw
        assert api("GET", f"/storage/v1/object/info/facts/{name}").status in (200, 404)
        api("DELETE", "/storage/v1/object/facts", {"prefixes": [name]})
