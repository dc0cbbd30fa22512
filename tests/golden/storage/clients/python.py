"""storage3 as PyPI has it: calls in the order and with the names of client_storage3_py.jsonl."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
from storage3 import SyncStorageClient
from storage3.exceptions import StorageApiError

Call = Callable[[], Any]


def results(url: str, anon_key: str, admin_key: str) -> Iterator[tuple[str, Any]]:
    """What each call returned or raised, by its name."""
    with httpx.Client(timeout=30) as http:
        for name, call in _Calls(url, anon_key, admin_key, http).all().items():
            try:
                yield name, {"returned": _told(call())}
            except StorageApiError as error:
                yield name, {"raised": "StorageApiError", "message": str(error), "dict": error.to_dict()}


class _Calls:
    def __init__(self, url: str, anon_key: str, admin_key: str, http: httpx.Client) -> None:
        def client(key: str) -> Any:
            headers = {"apikey": anon_key, "Authorization": f"Bearer {key}"}
            return SyncStorageClient(f"{url}/", headers, http_client=http)

        self._admin, self._anon = client(admin_key), client(anon_key)
        self._http = http
        self._url = ""
        self._token = ""

    def all(self) -> Mapping[str, Call]:
        return {**self._buckets(), **self._uploads(), **self._objects(), **self._signed(), **self._ends()}

    def _buckets(self) -> Mapping[str, Call]:
        admin = self._admin
        limits = {"public": True, "file_size_limit": 1000, "allowed_mime_types": ["text/plain", "image/*"]}
        return {
            "create_bucket": lambda: admin.create_bucket("py"),
            "create_bucket with options": lambda: admin.create_bucket("pypub", options=limits),
            "create_bucket duplicate": lambda: admin.create_bucket("py"),
            "create_bucket as anon": lambda: self._anon.create_bucket("x"),
            "list_buckets": lambda: admin.list_buckets(),
            "get_bucket": lambda: admin.get_bucket("py"),
            "get_bucket missing": lambda: admin.get_bucket("nope"),
            "update_bucket": lambda: admin.update_bucket("py", {"public": False, "file_size_limit": "1MB"}),
        }

    def _uploads(self) -> Mapping[str, Call]:
        py, pub = self._admin.from_("py"), self._admin.from_("pypub")
        text = {"content-type": "text/plain"}
        return {
            "upload bytes": lambda: py.upload("a.txt", b"bytes body", {**text, "cache-control": "60"}),
            "upload default options": lambda: py.upload("def.bin", b"x"),
            "upload file object": lambda: py.upload(
                "fo.txt", io.BufferedReader(io.BytesIO(b"file object")), text
            ),
            "upload metadata": lambda: py.upload("dir/md.txt", b"md", {**text, "metadata": {"k": "v"}}),
            "upload duplicate": lambda: py.upload("a.txt", b"2"),
            "upload upsert": lambda: py.upload("a.txt", b"upserted", {**text, "upsert": "true"}),
            "upload leading slash": lambda: py.upload("/dir/s.txt", b"2"),
            "upload space": lambda: py.upload("dir/a b+c.txt", b"sp"),
            "upload unicode": lambda: py.upload("ünï.txt", b"2"),
            "upload too large": lambda: pub.upload("big.txt", b"x" * 1001, text),
            "upload wrong mime": lambda: pub.upload("x.pdf", b"x", {"content-type": "application/pdf"}),
            "upload public": lambda: pub.upload("p.txt", b"public", text),
            "upload missing bucket": lambda: self._admin.from_("nope").upload("x", b"x"),
            "upload as anon": lambda: self._anon.from_("py").upload("x", b"x"),
            "update": lambda: py.update("a.txt", b"updated", {**text, "cache-control": "5"}),
            "update missing": lambda: py.update("miss.txt", b"updated"),
        }

    def _objects(self) -> Mapping[str, Call]:
        py = self._admin.from_("py")
        return {
            "download": lambda: py.download("a.txt"),
            "download missing": lambda: py.download("nope.txt"),
            "list": lambda: py.list(),
            "list folder": lambda: py.list(
                "dir", {"limit": 1, "offset": 1, "sortBy": {"column": "name", "order": "desc"}}
            ),
            "list search": lambda: py.list("", {"search": "a"}),
            "list_v2": lambda: py.list_v2({"prefix": "", "limit": 2, "with_delimiter": True}),
            "info": lambda: py.info("dir/md.txt"),
            "info missing": lambda: py.info("nope"),
            "exists": lambda: py.exists("a.txt"),
            "exists missing": lambda: py.exists("nope"),
            "move": lambda: py.move("def.bin", "moved/def.bin"),
            "move missing": lambda: py.move("nope", "x"),
            "copy": lambda: py.copy("a.txt", "copy.txt"),
            "copy duplicate": lambda: py.copy("a.txt", "copy.txt"),
        }

    def _signed(self) -> Mapping[str, Call]:
        py = self._admin.from_("py")
        up, text = "signed/up.txt", {"content-type": "text/plain"}
        return {
            "create_signed_url": self._sign,
            "use of the signed URL": lambda: self._fetched(self._url),
            "create_signed_url download": lambda: py.create_signed_url("a.txt", 60, {"download": "x.txt"}),
            "create_signed_url missing": lambda: py.create_signed_url("nope", 60),
            "create_signed_urls": lambda: py.create_signed_urls(["a.txt", "nope.txt"], 60),
            "create_signed_upload_url": self._sign_upload,
            "upload_to_signed_url": lambda: py.upload_to_signed_url(up, self._token, b"to signed", text),
            "upload_to_signed_url twice": lambda: py.upload_to_signed_url(up, self._token, b"again"),
        }

    def _ends(self) -> Mapping[str, Call]:
        admin, pub = self._admin, self._admin.from_("pypub")
        return {
            "get_public_url": lambda: pub.get_public_url("p.txt"),
            "get_public_url download": lambda: pub.get_public_url("p.txt", {"download": True}),
            "fetch of the public URL": lambda: self._fetched(pub.get_public_url("p.txt")),
            "remove": lambda: admin.from_("py").remove(["copy.txt", "nope.txt"]),
            "delete_bucket not empty": lambda: admin.delete_bucket("py"),
            "empty_bucket": lambda: admin.empty_bucket("py"),
            "delete_bucket": lambda: admin.delete_bucket("py"),
            "delete_bucket missing": lambda: admin.delete_bucket("py"),
        }

    def _sign(self) -> Any:
        answer = self._admin.from_("py").create_signed_url("a.txt", 60)
        self._url = answer["signedURL"]
        return answer

    def _sign_upload(self) -> Any:
        answer = self._admin.from_("py").create_signed_upload_url("signed/up.txt")
        self._token = answer["token"]
        return answer

    def _fetched(self, url: str) -> Any:
        response = self._http.get(url)
        return {"status": response.status_code, "text": response.text}


def _told(returned: Any) -> Any:
    """As the transcript tells it."""
    if isinstance(returned, bytes):
        return {"bytes": len(returned), "text": returned.decode()}
    if isinstance(returned, list):
        return [_told(each) for each in returned]
    if hasattr(returned, "model_dump"):
        return returned.model_dump(mode="json")
    return vars(returned) if hasattr(returned, "__dict__") and not isinstance(returned, dict) else returned
