"""Removes our secrets from text that others send back to us."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

MASK = "****"
# A shorter secret may occur by chance, and the masks would reveal more than the text does.
LEAST_CHARACTERS = 6
# JSON strings that contain JSON; deeper nesting does not occur.
_LAYERS = 4
_MOST_AROUND = 200
_AFTER_BASE64 = f"[A-Za-z0-9+/_=-]{{0,{_MOST_AROUND}}}"
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_=-")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Scrubber:
    """
    Knows secrets, and finds them plain and as answers quote them: percent-encoded, escaped as in JSON and HTML, in hex,
    and in base64 (RFC 4648 §4, §5), also amidst other bytes, as in the credentials of RFC 7617. Case does not matter.
    """

    def __init__(self, secrets: Iterable[str | None], least: int = LEAST_CHARACTERS) -> None:
        known = {each for each in secrets if each is not None and len(each) >= least}
        forms = {form.lower() for each in known for form in _plain(each) if len(form) >= least}
        self._plain = sorted(forms, key=len, reverse=True)
        self._base64 = sorted({form.lower() for each in known for form in _in_base64(each)})
        self._shortest = min(map(len, (*self._plain, *self._base64)), default=0)

    def __call__(self, text: str, *, cut: bool = False) -> str:
        """
        Returns the text unchanged if it contains no secret. Otherwise secrets are masked, and the text is decoded where
        one shows only then. `cut`: the text may end in the middle of a secret.
        """
        clean = view = text
        if not self._plain or (len(text) < self._shortest and not cut):
            return text
        for _ in range(_LAYERS):
            masked = self._masked(view)
            if masked != view:
                clean = view = masked
            decoded = _decoded(view)
            if decoded == view:
                break
            view = decoded
        return self._without_beginning(clean) if cut else clean

    def within(self, value: Any) -> Any:
        """Scrubs every text in a JSON value."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {name: self.within(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.within(each) for each in value]
        return value

    def _masked(self, text: str) -> str:
        lower = text.lower()
        for form in self._plain:
            if form in lower:
                text = re.sub(re.escape(form), MASK, text, flags=re.IGNORECASE)
        for form in self._base64:
            if form in lower:
                text = _without_base64(text, form)
        return text

    def _without_beginning(self, text: str) -> str:
        lower = text.lower()
        for form in (*self._plain, *self._base64):
            at = lower.find(form[:LEAST_CHARACTERS], max(0, len(lower) - len(form) + 1))
            while at >= 0:
                if form.startswith(lower[at:]):
                    return text[: at - len(lower)] + MASK
                at = lower.find(form[:LEAST_CHARACTERS], at + 1)
        return text


NOTHING_SECRET = Scrubber(())


def _plain(secret: str) -> Iterator[str]:
    yield secret.encode(errors="surrogateescape").hex()
    # A secret that contains escapes itself is decoded together with the text around it.
    for _ in range(_LAYERS):
        yield secret
        if " " in secret:
            yield secret.replace(" ", "+")  # application/x-www-form-urlencoded
        secret = _decoded(secret)


def _in_base64(secret: str) -> Iterator[str]:
    """Returns the base64 characters that depend on the secret alone, for each of its three possible alignments."""
    raw = secret.encode(errors="surrogateescape")
    for before in range(3):
        first, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + raw).decode()[first:end]


def _without_base64(text: str, form: str) -> str:
    """
    Masks the secret with the base64 text around it. That is searched from the match outwards: a regex that began with
    the preceding characters would be tried at every character, which a hostile text could exploit.
    """
    kept, at = [], 0
    for found in re.finditer(re.escape(form) + _AFTER_BASE64, text, re.IGNORECASE):
        start, first = found.start(), max(at, found.start() - _MOST_AROUND)
        while start > first and text[start - 1] in _BASE64:
            start -= 1
        kept += [text[at:start], MASK]
        at = found.end()
    return "".join([*kept, text[at:]])


def _decoded(text: str) -> str:
    """Undoes one layer of each kind of escaping."""
    if "\\" in text:
        text = _ESCAPE.sub(_meant, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "&" in text:
        text = html.unescape(text)
    return _PERCENT.sub(lambda escapes: unquote(escapes[0]), text)


def _meant(escape: re.Match[str]) -> str:
    digits = escape[1] or escape[2]
    return chr(int(digits, 16)) if digits else _CONTROLS.get(escape[3], escape[3])
