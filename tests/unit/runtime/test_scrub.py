"""Secrets in what others say, in all the ways in which they may be written."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from ogel.runtime.secrets.scrub import MASK, Scrubber

SECRETS = ["re_AbCd1234_xyz", "p@ss/w+rd&%41=\\\"<é€💩>' x", "Zm9vYmFy+/==", "hunter", "a b c d e f"]


def basic(user: str) -> Callable[[str], str]:
    return lambda secret: base64.b64encode(f"{user}:{secret}".encode()).decode()


def every_character(form: str) -> Callable[[str], str]:
    return lambda secret: "".join(form.format(each) for each in secret.encode())


WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "percent": lambda secret: quote(secret, safe=""),
    "percent, lower case": lambda secret: quote(secret, safe="").lower(),
    "percent, slashes kept": quote,
    "form": quote_plus,
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "percent, all": every_character("%{:02X}"),
    "json": json.dumps,
    "json, unicode": lambda secret: json.dumps(secret, ensure_ascii=False),
    "json, all": lambda secret: "".join(
        f"\\u{int.from_bytes(secret.encode('utf-16-be')[at : at + 2], 'big'):04x}"
        for at in range(0, len(secret.encode("utf-16-be")), 2)
    ),
    "json, slashes": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "json twice": lambda secret: json.dumps(json.dumps(secret)),
    "form in json": lambda secret: json.dumps({"said": quote_plus(secret)}),
    "html": html.escape,
    "html, decimal": lambda secret: "".join(f"&#{ord(each)};" for each in secret),
    "html, hex": lambda secret: "".join(f"&#x{ord(each):x};" for each in secret),
    "html of json": lambda secret: html.escape(json.dumps(secret)),
    "hex": lambda secret: secret.encode().hex(),
    "hex, upper case": lambda secret: secret.encode().hex().upper(),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64url": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "base64, percent": lambda secret: quote(base64.b64encode(secret.encode()).decode(), safe=""),
    "base64, json": lambda secret: base64.b64encode(secret.encode()).decode().replace("/", "\\/"),
    "auth plain": lambda secret: base64.b64encode(f"\0ann\0{secret}".encode()).decode(),
    **{f"basic of {len(user)}": basic(user) for user in ("", "a", "ab", "abc", "AC0123456789")},
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_found_however_it_is_written(way: str, secret: str) -> None:
    written = WAYS[way](secret)
    shown = Scrubber([None, secret])(f"HTTP 400: header (Authorization: {written}) was not understood")
    assert MASK in shown
    assert written not in shown and secret not in shown
    assert shown.startswith("HTTP 400: header (Authorization: ") and shown.endswith(") was not understood")


def test_what_holds_no_secret_stays_as_it_was() -> None:
    scrub = Scrubber(["re_AbCd1234_xyz", "short"])
    for text in (
        "",
        "100 %",
        "%zz &amp; \\u00e9 \\",
        "a short one",
        "re_AbCd1234",
        '{"a":"\\ud83d"}',
        "x" * 100_000,
    ):
        assert scrub(text) == text
    assert Scrubber([])("re_AbCd1234_xyz") == "re_AbCd1234_xyz"


def test_several_are_masked_and_the_longer_one_first() -> None:
    scrub = Scrubber(["Bearer abcdefgh", "abcdefgh", "otherone"])
    assert scrub("got Bearer abcdefgh, abcdefgh and other%6fne") == f"got {MASK}, {MASK} and {MASK}"


def test_what_was_cut_may_end_within_a_secret() -> None:
    scrub = Scrubber(["re_AbCd1234_xyz"])
    assert scrub("you sent re_AbCd1234", cut=True) == f"you sent {MASK}"
    assert scrub("you sent re_Ab", cut=True) == "you sent re_Ab"
    assert scrub("you sent re_AbCd1234_xyz", cut=True) == f"you sent {MASK}"


@pytest.mark.parametrize(
    "around", ["A" * 1_000_000 + "{}", "{}" + "A" * 1_000_000, "{}" * 10_000, "A" * 300 + "{}!"]
)
def test_a_text_made_to_be_slow_is_not(around: str) -> None:
    """A receiver knows what it was told, and may say it back amidst anything: all other deliveries would wait."""
    scrub, told = Scrubber(["re_AbCd1234_xyz"]), base64.b64encode(b"re_AbCd1234_xyz").decode()
    began = time.process_time()
    clean = scrub(around.replace("{}", told))
    assert time.process_time() - began < 2.0  # it took 15 s and more
    assert told not in clean and MASK in clean


def test_the_end_of_a_text_costs_no_more_for_long_secrets() -> None:
    """Every attempt that fails is looked at so."""
    scrub = Scrubber([f"{number}" + "k" * 40_000 for number in range(40)])
    began = time.process_time()
    assert scrub("answered 500 " + "j" * 40_000, cut=True).endswith("j")
    assert time.process_time() - began < 3.0
    assert scrub("answered 7" + "k" * 39_000, cut=True) == "answered " + MASK


@pytest.mark.parametrize("least", range(8, 20))
def test_what_was_cut_in_the_middle_of_base64_is_masked(least: int) -> None:
    told = base64.b64encode(b"re_AbCd1234_xyz").decode()
    assert Scrubber(["re_AbCd1234_xyz"])(f"you said {told[:least]}", cut=True) == f"you said {MASK}"


def test_what_is_shorter_than_any_secret_is_nobodys() -> None:
    assert Scrubber(["swordfish-1"])("OK") == "OK"
    assert Scrubber(["swordfish-1"])("sword") == "sword"
    assert Scrubber(["swordfish-1"])("swordfis", cut=True) == MASK


def test_every_text_of_a_value_is_scrubbed() -> None:
    said = {"errors": [{"path": "a", "message": "not swordfish-1"}, ("swordfish-1", 7)], "ok": None}
    clean = {"errors": [{"path": "a", "message": f"not {MASK}"}, [MASK, 7]], "ok": None}
    assert Scrubber(["swordfish-1"]).within(said) == clean
