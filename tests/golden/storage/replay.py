"""A transcript, played against Ogel from its first line to its last."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from tests.golden.compare import compare
from tests.golden.expectation import Json
from tests.golden.placeholders import Labels
from tests.golden.storage.compare import FORMATS, NEWEST, compare_answer
from tests.golden.storage.contents import BOUNDARY, content_of
from tests.golden.storage.suites import GoldenStorage
from tests.golden.storage.transcript import Line
from tests.support.process import Response

PREFIX = "/storage/v1"
# They say nothing of the dialect, or are ours to set.
_LEFT_OUT = ("user-agent", "x-client-info", "content-length", "host", "connection", "accept-encoding")


class Replay:
    """
    `prepared` changes a request before it is sent, with its placeholders filled: signs it anew. `made` signs the claims
    of a token that the tester made, and was not answered.
    """

    def __init__(self, suite: GoldenStorage) -> None:
        self.suite = suite
        self.labels = Labels(FORMATS, NEWEST)
        self.prepared: Callable[[Json], Json] = lambda request: request
        self.made: Callable[[Mapping[str, Any]], str] = _nobody_signs
        for placeholder, token in suite.tokens().items():
            self.labels.bind(placeholder, token)
        self.labels.bind("<boundary>", BOUNDARY)

    def play(self, line: Line, answer: Json) -> list[str]:
        """What differs from `answer`: the recorded one, with the differences that are known."""
        assert line.request is not None
        for label, said in line.told.get("decoded", {}).items():
            self._make(label, said)
        response = self.ask(line.request)
        differences = compare_answer(answer, response, self.labels, head=line.request["method"] == "HEAD")
        return differences + self._compare_tokens(answer["decoded"])

    def ask(self, recorded: Json) -> Response:
        """Placeholders are filled from what came before."""
        sent = {name.lower(): text for name, text in recorded.get("headers", {}).items()}
        sent = {name: text for name, text in sent.items() if name not in _LEFT_OUT}
        request = self.prepared(self.labels.fill({**recorded, "headers": sent}))
        headers = request["headers"]
        if (token := headers.get("authorization", "")) and " " not in token:
            headers["authorization"] = f"Bearer {token}"
        query = f"?{request['query']}" if request.get("query") else ""
        target = PREFIX + request["path"] + query
        chunked = request.get("transfer") == "chunked"
        return self.suite.ask(
            request["method"], target, headers, content_of(request.get("body")), chunked=chunked
        )

    def _make(self, label: str, said: Json) -> None:
        """A token that no answer has brought: one of the tester's, or one that was changed on its way."""
        kind, _, which = label.strip("<>").partition(":")
        if kind != "jwt" or which.isdigit() or self.labels.value(label) is not None:
            return
        if which.startswith("tampered-") and (whole := self.labels.value(f"<jwt:{which[9:]}>")) is not None:
            self.labels.bind(label, _tampered(whole))
            return
        lifetime = said.get("lifetime", 60)
        now = int(time.time()) - (2 * lifetime if which.startswith("expired") else 0)
        claims = {name: value for name, value in said["payload"].items() if name not in ("iat", "exp")}
        self.labels.bind(label, self.made({**claims, "iat": now, "exp": now + lifetime}))

    def _compare_tokens(self, decoded: Mapping[str, Json]) -> list[str]:
        lines = []
        for label, expected in decoded.items():
            if not label.startswith("<jwt:"):
                continue  # opaque
            token = self.labels.value(label)
            if token is None:
                lines.append(f"{label}: no such token came")
                continue
            payload = jwt.decode(token, options={"verify_signature": False})
            came = {"header": jwt.get_unverified_header(token), "payload": payload}
            if "lifetime" in expected:
                came["lifetime"] = payload["exp"] - payload["iat"]
            lines += compare(expected, came, self.labels, label)
        return lines


def _tampered(token: str) -> str:
    """With a signature of the same length that is another one."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[::-1]}"


def _nobody_signs(claims: Mapping[str, Any]) -> str:
    raise AssertionError(f"nothing signs {claims}: see steps.py")
