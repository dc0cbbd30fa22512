"""Placeholders of the transcripts, `<uuid:user1>`: what stands for which value, in this run."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping
from typing import Any

PLACEHOLDER = re.compile(r"<([a-z][a-z0-9_]*)(?::([A-Za-z0-9_-]+))?>")

# By type, as the recorded servers wrote them, and by type and label for those that have another format.
FORMATS: dict[str, str] = {
    "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    "jwt": r"[\w-]+\.[\w-]+\.[\w-]+",
    "refresh_token": r"[\w.-]+",
    "otp": r"\d{6}",
    "hash": r"[0-9a-f]{56}",
    "int": r"\d+",
    "secret": r"[\w-]+",
    "b64url": r"[\w-]+",
    "cursor": r"[\w.=-]+",
    "hex": r"[0-9a-f]+",
    "svg": r"(?s:.*<svg.*)",
    "ip": r"[0-9a-f.:]*",
    "html": r"(?s:.*)",
    "any": r"(?s:.*)",
}
# Numbers that differ each time are called alike, and SVGs and pages are not asked for again.
_WITHOUT_IDENTITY = {"int", "time", "svg", "html", "any"}


class Labels:
    """
    What each placeholder stood for, so that the same one means the same again. Of the types in `newest`, a label is
    whatever came last.
    """

    def __init__(self, formats: Mapping[str, str], newest: Collection[str] = ()) -> None:
        self._formats = {**FORMATS, **formats}
        self._newest = newest
        self._values: dict[str, str] = {}

    def bind(self, placeholder: str, value: str) -> None:
        self._values[placeholder] = value

    def value(self, placeholder: str) -> str | None:
        return self._values.get(placeholder)

    def matches(self, template: str, actual: str) -> bool:
        """Whether `actual` is `template` with values of the right types; what is new is bound."""
        pattern, found, after = [], [], 0
        for hit in PLACEHOLDER.finditer(template):
            kind, label = hit.group(1), hit.group(0)
            if kind not in self._formats:
                continue
            pattern.append(re.escape(template[after : hit.start()]))
            known = self._values.get(label) if self._has_identity(hit) and kind not in self._newest else None
            written = self._formats.get(label[1:-1], self._formats[kind])
            pattern.append(f"({written if known is None else re.escape(known)})")
            found.append(hit)
            after = hit.end()
        pattern.append(re.escape(template[after:]))
        match = re.fullmatch("".join(pattern), actual)
        if match is None:
            return False
        for hit, value in zip(found, match.groups(), strict=True):
            if self._has_identity(hit):
                self._values[hit.group(0)] = value
        return True

    def fill(self, template: Any) -> Any:
        """
        A request, with values in place of placeholders. What no answer has named is made up: nobody knows it, as nobody
        knows the code of an answer that we give otherwise.
        """
        if isinstance(template, str):
            return PLACEHOLDER.sub(self._filled, template)
        if isinstance(template, dict):
            return {name: self.fill(value) for name, value in template.items()}
        if isinstance(template, list):
            return [self.fill(value) for value in template]
        return template

    def _has_identity(self, hit: re.Match[str]) -> bool:
        return hit.group(2) is not None and hit.group(1) not in _WITHOUT_IDENTITY

    def _filled(self, hit: re.Match[str]) -> str:
        placeholder = hit.group(0)
        if placeholder not in self._values:
            if hit.group(2) is None and hit.group(1) not in self._formats:
                return placeholder  # what only looks like one: `<b>`
            self._values[placeholder] = _made_up(hit.group(1))
        return self._values[placeholder]


def _made_up(kind: str) -> str:
    return {"otp": "999999", "hash": "0" * 56, "refresh_token": "abcdefghijkl"}.get(kind) or str(uuid.uuid4())
