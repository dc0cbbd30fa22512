"""Requests signed as botocore signs them, for a World: S3's own client, without its connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from unittest import mock
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.process import Response
from tests.support.world import World

HOST = "s3.test"


class S3:
    """Asks below `/s3` with a key. `secret` may be a wrong one."""

    def __init__(
        self,
        api: World,
        key: str,
        secret: str,
        token: str | None = None,
        region: str = "local",
        prefix: str = "/s3",
        host: str = HOST,
    ) -> None:
        self._api = api
        self.key = key, secret
        self._credentials = Credentials(key, secret, token)
        self._region = region
        self._prefix = prefix
        self._host = host

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        payload: str | None = None,
    ) -> Response:
        """`payload` stands in x-amz-content-sha256; without, the hash of the body."""
        return self.sent(method, path, body, headers, payload=payload)[0]

    def sent(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        payload: str | None = None,
    ) -> tuple[Response, Mapping[str, str]]:
        """Also returns the headers of the request."""
        sent = self.signed(method, path, body, headers, payload=payload)
        return self._send(method, f"{self._prefix}{path}", body, sent), sent

    def signed(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        payload: str | None = None,
    ) -> dict[str, str]:
        """The headers of a request."""
        request = AWSRequest(method, f"http://{self._host}{self._prefix}{path}", dict(headers or {}), body)
        _Auth(self._credentials, "s3", self._region, payload).add_auth(request)
        # A header is bytes, which the World takes as Latin-1; what is signed of it is UTF-8.
        return {
            name.lower(): str(value).encode().decode("latin-1") for name, value in request.headers.items()
        }

    def presigned(
        self, method: str, path: str, seconds: int = 60, *, payload: str = "UNSIGNED-PAYLOAD"
    ) -> str:
        """Returns the path with its query."""
        request = AWSRequest(method, f"http://{self._host}{self._prefix}{path}")
        auth = S3SigV4QueryAuth(self._credentials, "s3", self._region, expires=seconds)
        with mock.patch.object(auth, "payload", return_value=payload):
            auth.add_auth(request)
        return str(request.url).removeprefix(f"http://{self._host}")

    def send(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Without a signature, or with that of a presigned URL."""
        return self._send(method, target, body, dict(headers or {}))

    def _send(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Response:
        sent = {"host": self._host, "content-type": "", **headers}
        return self._api(method, target, raw=body, key="", headers=sent)


class _Auth(S3SigV4Auth):  # type: ignore[misc] # botocore has no types
    def __init__(self, credentials: Credentials, service: str, region: str, payload: str | None) -> None:
        super().__init__(credentials, service, region)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload or super().payload(request)


@contextmanager
def signing_at(moment: datetime) -> Iterator[None]:
    """What is signed in the block is signed then."""
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        yield


def code(response: Response) -> str:
    """Of an error."""
    return ElementTree.fromstring(response.raw).findtext("Code") or ""  # noqa: S314 - ours


def texts(response: Response, name: str) -> list[str]:
    """Of all elements of that name."""
    root = ElementTree.fromstring(response.raw)  # noqa: S314 - ours
    return [each.text or "" for each in root.iter() if each.tag.rpartition("}")[2] == name]
