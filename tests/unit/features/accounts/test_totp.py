"""Codes of authenticator apps: which fit when, and what a QR code says."""

from __future__ import annotations

from base64 import b32decode
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest

from ogel.features.accounts.factors.totp import code_of, fitting_step, in_base32, new_secret, qr_code, uri

# RFC 6238, appendix B; of its eight digits the last six.
SECRET = b"12345678901234567890"
RFC_6238 = [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (20000000000, "353130")]
NOW = 1_111_111_111.0
STEP = int(NOW // 30)


@pytest.mark.parametrize(("at", "code"), RFC_6238)
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert fitting_step(SECRET, code, at, None) == at // 30


def test_a_code_is_good_for_a_step_around_its_own() -> None:
    fits = [fitting_step(SECRET, code_of(SECRET, STEP + off), NOW, None) for off in range(-3, 4)]
    assert fits == [None, None, STEP - 1, STEP, STEP + 1, None, None]


def test_no_code_is_good_after_itself_or_a_later_one() -> None:
    later = code_of(SECRET, STEP)
    assert fitting_step(SECRET, later, NOW, STEP - 1) == STEP
    assert fitting_step(SECRET, later, NOW, STEP) is None
    assert fitting_step(SECRET, code_of(SECRET, STEP - 1), NOW, STEP) is None


@pytest.mark.parametrize("code", ["050471", "050 471", " 050471\n", "٠٥٠٤٧١"])
def test_people_type_codes_in_their_own_way(code: str) -> None:
    assert fitting_step(SECRET, code, NOW, None) == STEP


@pytest.mark.parametrize(
    "code", ["", "50471", "0050471", "+50471", "-50471", "05047.", "0x5047", "²³¹²³¹", "\0" * 6]
)
def test_what_is_no_code_fits_never(code: str) -> None:
    assert fitting_step(SECRET, code, NOW, None) is None


def test_apps_learn_what_they_need() -> None:
    secret = new_secret()
    said = urlsplit(uri(secret, "Example Corp", "ada@example.com"))
    assert (said.scheme, said.netloc, said.path) == ("otpauth", "totp", "/Example%20Corp:ada@example.com")
    assert parse_qs(said.query) == {
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "issuer": ["Example Corp"],
        "period": ["30"],
        "secret": [in_base32(secret)],
    }
    assert b32decode(in_base32(secret)) == secret


def test_names_of_any_script_fit_and_cannot_say_anything_else() -> None:
    said = urlsplit(uri(SECRET, "a:b&secret=x#?/" + "🦊" * 49, "🦊:" + "é" * 200 + "@example.com"))
    assert parse_qs(said.query)["secret"] == [in_base32(SECRET)]
    assert unquote(said.path).count(":") == 1
    assert "<svg" in qr_code(said.geturl())


def test_the_image_can_be_put_into_a_data_url() -> None:
    image = qr_code(uri(SECRET, "app.example.com", "ada@example.com"))
    # auth-js puts `data:image/svg+xml;utf-8,` before it.
    assert "#" not in image and "%" not in image
    assert ElementTree.fromstring(image).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
