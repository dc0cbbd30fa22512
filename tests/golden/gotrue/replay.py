"""A transcript, played against Ogel from its first line to its last."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlencode

import jwt

from tests.golden.compare import ANYTHING, compare
from tests.golden.gotrue.compare import compare_headers, compare_mails
from tests.golden.gotrue.transcript import Json, Line
from tests.golden.placeholders import Labels
from tests.support.issuer import Issuer
from tests.support.process import Client, Response

PREFIX = "/auth/v1"
# They say nothing of the dialect.
_LEFT_OUT = {"accept", "user-agent", "x-client-info"}


class Suite(Protocol):
    """One profile, on a database of its own."""

    world: Client

    def keys(self) -> Mapping[str, str]:
        """What stands for `<service_role>` and `<anon_key>`."""

    def mails(self) -> list[Json]:
        """Those that have come since this was last asked."""

    def sql(self, statements: str) -> None: ...


class Replay:
    """
    `suites` starts the suite of a profile, once a line needs it. `issuer` is the site that people sign in with.
    `location` is where the last answer led.
    """

    def __init__(
        self,
        suites: Callable[[str], AbstractContextManager[Suite]],
        formats: Mapping[str, str],
        issuer: Issuer,
    ) -> None:
        self.labels = Labels(formats)
        self.issuer = issuer
        self.location = ""
        self._cookies: dict[str, str] = {}
        self._suites = suites
        self._started: dict[str, Suite] = {}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def suite(self, profile: str) -> Suite:
        if profile not in self._started:
            self._started[profile] = self._running.enter_context(self._suites(profile))
        return self._started[profile]

    def play(self, line: Line, answer: Json) -> list[str]:
        """What differs from `answer`: the recorded one, with the differences that are known."""
        mails = self.suite(line.profile).mails
        mails()
        if "parallel" in line.request:
            return self._play_at_once(line, answer)
        response = self.ask(line.profile, line.request)
        if response.status != answer["status"]:
            return [f"status: recorded {answer['status']}, came {response.status} {response.raw[:300]!r}"]
        differences = compare_headers(answer["headers"], response.headers, self.labels)
        body = None if line.request["method"] == "HEAD" else _body(response)  # the server leaves it out
        differences += compare(answer["body"], body, self.labels)
        if answer["mails"] != ANYTHING:
            differences += compare_mails(answer["mails"], mails(), self.labels)
        return differences + self._compare_tokens(answer["decoded"])

    def ask(self, profile: str, request: Json) -> Response:
        """Placeholders are filled from what came before."""
        for placeholder, key in self.suite(profile).keys().items():
            self.labels.bind(placeholder, key)
        headers = {name.lower(): self.labels.fill(text) for name, text in request.get("headers", {}).items()}
        headers = {name: text for name, text in headers.items() if name not in _LEFT_OUT}
        if self._cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        query = urlencode(self.labels.fill(request.get("query", {})))
        path = PREFIX + self.labels.fill(request["path"]) + (f"?{query}" if query else "")
        world = self.suite(profile).world
        answer = world(request["method"], path, raw=self._content(request), key="", headers=headers)
        self._keep_cookie(answer.headers.get("set-cookie"))
        self.location = answer.headers.get("location") or _url(answer) or self.location
        told = {name: self.as_recorded(text) for name, text in answer.headers.items()}
        return Response(answer.status, told, self.as_recorded(answer.raw.decode()).encode())

    def _keep_cookie(self, header: str | None) -> None:
        """All requests come from one browser."""
        if header is not None:
            name, _, value = header.partition(";")[0].partition("=")
            self._cookies[name] = value

    def as_recorded(self, text: str) -> str:
        return text.replace(self.issuer.url, "http://idp.example.com")

    def _content(self, request: Json) -> bytes:
        if "raw_body" in request:
            # What was no UTF-8 has been written down as U+FFFD.
            return str(self.labels.fill(request["raw_body"])).encode().replace(b"\xef\xbf\xbd", b"\xff")
        if "raw_body_bytes" in request:
            return b'{"email":"%s"}' % (b"a" * (request["raw_body_bytes"] - 12))
        body = request.get("body")
        text = "" if body is None else json.dumps(self.labels.fill(body))
        return text.replace("http://idp.example.com", self.issuer.url).encode()

    def _play_at_once(self, line: Line, answer: Json) -> list[str]:
        count = line.request["parallel"]
        with ThreadPoolExecutor(count) as threads:
            asked = [threads.submit(self.ask, line.profile, line.request) for _ in range(count)]
            responses = [each.result() for each in asked]
        bodies = [_body(each) for each in responses]
        came: Json = {
            "statuses": sorted(each.status for each in responses),
            "error_codes": sorted({each["error_code"] for each in bodies if "error_code" in each}),
        }
        for name in ("access_token", "refresh_token"):
            came[f"distinct_{name}s"] = len({each[name] for each in bodies if name in each})
        return compare({name: answer[name] for name in came}, came, self.labels, "all")

    def _compare_tokens(self, decoded: Mapping[str, Json]) -> list[str]:
        lines = []
        for label, expected in decoded.items():
            token = self.labels.value(label)
            if token is None:
                lines.append(f"{label}: no such token came")
                continue
            claims = jwt.decode(token, options={"verify_signature": False})
            came = json.dumps({"header": jwt.get_unverified_header(token), "claims": claims})
            lines += compare(expected, json.loads(self.as_recorded(came)), self.labels, label)
        return lines


def _url(response: Response) -> str | None:
    """Of those who ask to be told where to go in place of being sent there."""
    body = _body(response)
    return body.get("url") if isinstance(body, dict) else None


def _body(response: Response) -> Any:
    if not response.raw:
        return None
    if "json" in response.headers.get("content-type", ""):
        return json.loads(response.raw)
    return response.raw.decode()
