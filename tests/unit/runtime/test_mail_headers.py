"""Text as headers: read by a decoder that is not Python's, whose email package no header is written with."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from fast_mail_parser import parse_email
from hypothesis import example, given
from hypothesis import strategies as st

from ogel.kernel.text import LINE_PATTERN
from ogel.runtime.mail.address import Address
from ogel.runtime.mail.headers import plain_header
from ogel.runtime.mail.letter import Letter
from ogel.runtime.mail.mime import mime_bytes

TEXTS = [
    "=?utf-8?q?a=0AX-Injected:_1?=",
    "=?utf-8?b?YQpYLUluamVjdGVkOiAx?= and more",
    "A =?ISO-8859-1?Q?a=0D=0AX-Injected:_1?=",
    "=?utf-8?q?a?==?utf-8?q?b?=",
    "=? ?=",
    "order Bestellung ⭐⭐ ⭐⭐ wurde für für für",
    "boss@bank.example.net, our accounts department, which writes to you about (long, long) transfers",
    '"quoted", \\ back\\slashed; <angled> (commented): [group]',
    "a" * 76,
    "a" * 300,
    "ä" * 300,
    "word " * 50 + "end",
    "wörd " * 50 + "énd",
    "  two  spaces  and  at  both  ends  ",
    " ",
    "J. Doe",
    "Ann",
    "שלום \u202eevil\u202c \u2066x\u2069",
    "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301 \u0065\u0302\u0323 Z̸̡͓̈́A̷͝L̶̈G̴O",
    "\u00a0no-break\u00a0\u3000wide",
    "\ufeff\u200b\U0010ffff",
    "_under=equals?question_",
    "Re: [SOS-1] Commande - Abo actualités digitales 20 semaines d'abonnement à 24 heures, Tribune de Genève",
    "'single' \"",
    ",",
    ".",
]  # fmt: skip
LINES = st.text(min_size=1, max_size=320).filter(lambda text: re.search(LINE_PATTERN, text))


def letter(words: str, **more: object) -> Letter:
    address = Address(words, "a.b+c", "example.com")
    fields: dict[str, object] = {
        "id": "msg_01", "sender": address, "to": address, "reply_to": address, "subject": words, "text": "T",
        "html": None, "headers": {}, "written_at": datetime(2026, 1, 2, tzinfo=UTC),
    }  # fmt: skip
    return Letter(**{**fields, **more})  # type: ignore[arg-type]


def assert_arrives(text: str) -> None:
    raw = mime_bytes(letter(text))
    assert_sound(raw)
    read = parse_email(raw)
    assert read.subject == text
    for found in ([read.from_], read.to, read.reply_to):
        # It trims some names.
        [each] = found
        assert each is not None
        assert ((each.display_name or "").strip(), each.address) == (text.strip(), "a.b+c@example.com")
    for name in ("From", "To", "Reply-To"):
        assert name_in(raw, name) == text
    assert sorted(read.headers) == sorted(
        ["Message-ID", "Auto-Submitted", "From", "To", "Reply-To", "Subject", "Date", "Content-Type",
         "Content-Transfer-Encoding", "MIME-Version"]
    )  # fmt: skip


def assert_sound(raw: bytes) -> None:
    """RFC 5322 §2.1.1 and §2.2.3, RFC 2047 §2 and §5."""
    head = raw.decode("ascii").partition("\r\n\r\n")[0]
    for line in head.split("\r\n"):
        assert re.fullmatch(r"[\x20-\x7e]*[\x21-\x7e]", line), line
        assert len(line) <= (76 if "=?" in line else 998)
    for word in head.split():
        if "=?" in word:
            assert len(word) <= 75 and decoded(word)


def name_in(raw: bytes, header: str) -> str:
    """To the letter, by the rules of RFC 5322 §3.2.4 and RFC 2047 §6.2."""
    [value] = re.findall(rf"(?s)^{header}: (.*?)\r\n(?! )", raw.decode(), re.MULTILINE)
    phrase, _, _ = value.replace("\r\n", "").rpartition(" <")
    if "=?" in phrase:
        return "".join(map(decoded, phrase.split(" ")))
    return re.sub(r"\\(.)", r"\1", phrase[1:-1]) if phrase[0] == '"' else phrase


def decoded(word: str) -> str:
    parts = re.fullmatch(r"=\?utf-8\?([bq])\?([^?]+)\?=", word)
    assert parts, word
    if parts[1] == "b":
        return b64decode(parts[2], validate=True).decode()
    assert re.fullmatch(r"([A-Za-z0-9!*+/_-]|=[0-9A-F]{2})+", parts[2])
    plain = parts[2].replace("_", " ").encode()
    return re.sub(rb"=(..)", lambda each: bytes.fromhex(each[1].decode()), plain).decode()


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:24].encode("unicode_escape").decode())
def test_text_arrives_character_for_character(text: str) -> None:
    assert_arrives(text)


@given(LINES)
def test_any_text_arrives(text: str) -> None:
    assert_arrives(text)


@given(
    st.lists(
        st.sampled_from(["=?", "?=", "utf-8?q?", "=0A", " ", "  ", "x" * 30, "é", '"', "\\", ",", "<"]),
        min_size=1,
    )
)
@example(["x" * 30] * 40)
def test_what_looks_encoded_or_quoted_arrives(pieces: list[str]) -> None:
    assert_arrives("".join(pieces))


def test_the_same_letter_gives_the_same_bytes_and_long_headers_stay_whole() -> None:
    both = letter("ü" * 80, html="<p>ü</p>", text="ü" * 2000, headers={"X-Long": "x" * 900})
    assert mime_bytes(both) == mime_bytes(both)
    read = parse_email(mime_bytes(both))
    assert read.headers["X-Long"] == ["x" * 900]
    assert read.headers["Auto-Submitted"] == ["auto-generated"]
    assert ([each.strip() for each in read.text_plain], [each.strip() for each in read.text_html]) == (
        ["ü" * 2000],
        ["<p>ü</p>"],
    )
    own = letter("S", headers={"auto-submitted": "no"})
    assert mime_bytes(own).lower().count(b"auto-submitted:") == 1


def test_beyond_ascii_only_an_address_is_written_as_it_is() -> None:
    raw = mime_bytes(letter("Пётр", to=Address("Пётр, the first", "пётр", "example.com")))
    [line] = [each for each in raw.split(b"\r\n") if each.startswith(b"To: ")]
    name, _, spec = line.removeprefix(b"To: ").rpartition(b" ")
    assert name.isascii() and b"," not in name
    assert spec.decode() == "<пётр@example.com>"
    assert raw.replace("пётр".encode(), b"").isascii()


@pytest.mark.parametrize("value", ["a\r\nBcc: b@example.com", "a\n", "a\rb", "a\x00b", "é", "a\u2028b"])
def test_a_plain_header_is_one_line_whoever_asks(value: str) -> None:
    with pytest.raises(ValueError, match="X-A"):
        plain_header("X-A", value)
