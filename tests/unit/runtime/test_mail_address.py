"""Addresses of mail."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.runtime.mail.address import Address, InvalidAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("ann@example.com", Address("", "ann", "example.com"), "ann@example.com"),
        (" Ann.B+c@Example.COM ", Address("", "Ann.B+c", "example.com"), "Ann.B+c@example.com"),
        ("Ann <ann@example.com>", Address("Ann", "ann", "example.com"), "Ann <ann@example.com>"),
        ("<ann@example.com>", Address("", "ann", "example.com"), "ann@example.com"),
        ('"B, \\"A\\"" <a@b.de>', Address('B, "A"', "a", "b.de"), '"B, \\"A\\"" <a@b.de>'),
        ("ann@straße.example", Address("", "ann", "xn--strae-oqa.example"), "ann@xn--strae-oqa.example"),
        ("ann@STRAẞE。Example.", Address("", "ann", "xn--strae-oqa.example"), "ann@xn--strae-oqa.example"),
        ("a@ΒΌΛΟΣ.com", Address("", "a", "xn--nxasmq6b.com"), "a@xn--nxasmq6b.com"),
        ("a@xn--ls8h.la", Address("", "a", "xn--ls8h.la"), "a@xn--ls8h.la"),
        (
            "👩‍💻 Zoë <z@bücher.de>",
            Address("👩‍💻 Zoë", "z", "xn--bcher-kva.de"),
            '"👩‍💻 Zoë" <z@xn--bcher-kva.de>',
        ),
        # Of these a strict reader without the quotes would make something else.
        ("A  B <a@b.de>", Address("A  B", "a", "b.de"), '"A  B" <a@b.de>'),
        ('" A " <a@b.de>', Address(" A ", "a", "b.de"), '" A " <a@b.de>'),
        (
            "=?utf-8?q?a=2C?= <a@b.de>",
            Address("=?utf-8?q?a=2C?=", "a", "b.de"),
            '"=?utf-8?q?a=2C?=" <a@b.de>',
        ),
        ('A "B" \\ C <a@b.de>', Address('A "B" \\ C', "a", "b.de"), '"A \\"B\\" \\\\ C" <a@b.de>'),
    ],
)
def test_an_address_is_taken_apart_and_shown(text: str, address: Address, shown: str) -> None:
    assert parse_address(text) == address
    assert str(address) == shown
    assert parse_address(shown) == address


@pytest.mark.parametrize(
    "domain",
    [
        "☃.net",
        "xn--.de",
        "xn---bbk.de",
        "xn--zzzzzz99.de",
        "a\u200db.de",
        "ü" * 60 + ".de",
        "straße",
        "-a.de",
        "a_b.de",
        "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
        "①②⑦.1",
        "a.0x7f",
        "[127.0.0.1]",
        "a..de",
        "de..",
    ],
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_address(f"ann@{domain}")


def test_two_spellings_of_a_domain_are_one_key_and_two_domains_are_two() -> None:
    keys = [
        parse_address(f"Ann@{domain}").key
        for domain in ("straße.example", "STRASSE.example", "XN--strae-oqa.EXAMPLE", "straße。example.")
    ]
    assert keys == [
        "ann@xn--strae-oqa.example",
        "ann@strasse.example",
        "ann@xn--strae-oqa.example",
        "ann@xn--strae-oqa.example",
    ]


@given(st.text(max_size=60))
def test_what_is_taken_can_be_stored_and_taken_again(name: str) -> None:
    for text in (name, f"{name} <a@example.com>", f'"{name}" <a@example.com>', f"{name}@example.com"):
        try:
            address = parse_address(text)
        except InvalidAddress:
            continue
        assert parse_address(str(address)) == address
        assert not re.search(r"[\r\n]", str(address))


@pytest.mark.parametrize(
    "text",
    ["=?utf-8?q?a=40evil.example=2C?=@example.com", "Ann <=?q?=@example.com>", "a=?b@example.com",
     '"Ann <a@example.com>', '"Ann" Lee" <a@example.com>', '"Ann\\" <a@example.com>', '" <a@example.com>',
     "A\r\nBcc: b@example.com <a@example.com>", "A\x00 <a@example.com>", "A\x85B <a@example.com>",
     "A\ud800 <a@example.com>", "\u00a0a@example.com", "a@example.com\u2028"],
)  # fmt: skip
def test_what_mail_would_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_address(text)
