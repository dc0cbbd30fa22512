"""Addresses of mail, and the bytes of a letter."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.runtime.mail.address import Address, InvalidAddress, parse_address
from ogel.runtime.mail.letter import Letter
from ogel.runtime.mail.mime import mime_bytes


def letter(**more: object) -> Letter:
    fields: dict[str, object] = {
        "id": "msg_01",
        "sender": parse_address("Ogel <ogel@example.com>"),
        "to": parse_address("ann@example.com"),
        "reply_to": None,
        "subject": "S",
        "text": "T",
        "html": None,
        "headers": {},
        "written_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return Letter(**{**fields, **more})  # type: ignore[arg-type]


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


@given(name=st.text(max_size=80), subject=st.text(min_size=1, max_size=120))
def test_any_name_and_subject_come_out_as_they_went_in(name: str, subject: str) -> None:
    try:
        to = parse_address(f"{name}<a@example.com>")
    except InvalidAddress:
        to = parse_address("a@example.com")
    subject = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "", subject) or "S"
    raw = mime_bytes(letter(to=to, subject=subject))
    assert raw.isascii()
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"\n" not in head.replace(b"\r\n", b"") and b"\r" not in head.replace(b"\r\n", b"")
    parsed = message_from_bytes(raw, policy=default)
    assert parsed["to"].addresses[0].addr_spec == "a@example.com"
    assert len(parsed["to"].addresses) == 1
    assert parsed["subject"].split() == subject.split()


def test_the_same_letter_gives_the_same_bytes() -> None:
    both = letter(html="<p>ü</p>", text="ü" * 2000, headers={"X-Long": "x" * 900})
    assert mime_bytes(both) == mime_bytes(both)
    assert max(map(len, mime_bytes(both).split(b"\r\n"))) <= 998
    parsed = message_from_bytes(mime_bytes(both), policy=default)
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    assert parsed["x-long"] == "x" * 900
    assert parsed["auto-submitted"] == "auto-generated"
    assert mime_bytes(letter(headers={"auto-submitted": "no"})).lower().count(b"auto-submitted:") == 1
