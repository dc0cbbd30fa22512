"""Names of domains: IDNA 2008 after the mapping of UTS 46, and which of them nobody can own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.runtime.domain import InvalidDomain, ascii_domain, ends_in_number, is_private, leads_nowhere

LONG = "a" * 63
# What is in Python's own codec (IDNA 2003) is another domain, or none.
NAMES = [
    ("example.com", "example.com"),
    ("EXAMPLE.Com.", "example.com"),
    ("straße.example", "xn--strae-oqa.example"),
    ("STRAẞE.example", "xn--strae-oqa.example"),
    ("faß.de.", "xn--fa-hia.de"),
    ("βόλος.com", "xn--nxasmm1c.com"),
    ("ΒΌΛΟΣ.com", "xn--nxasmq6b.com"),
    ("क्\u200dष.example", "xn--11b2ezcw70k.example"),
    ("نامه\u200c\u0627ی.example", "xn--mgba3gch31f060k.example"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("bu\u0308cher.example", "xn--bcher-kva.example"),
    ("日本。\uff4a\uff50", "xn--wgv71a.jp"),
    ("日本\uff0ejp", "xn--wgv71a.jp"),
    ("日本｡jp", "xn--wgv71a.jp"),
    ("\uff11\uff12\uff17\uff0e\uff10。0.1", "127.0.0.1"),
    ("①②⑦.0.0.1", "127.0.0.1"),
    ("LOCALHO\u017fT", "localhost"),
    ("\u212aelvin.example", "kelvin.example"),
    ("ab\u00adc.example", "abc.example"),
    ("\u0430\u0440\u0440\u04cf\u0435.com", "xn--80ak6aa92e.com"),
    ("under_score.straße.example", "under_score.xn--strae-oqa.example"),
    ("r3---sn-abc.example", "r3---sn-abc.example"),
    ("XN--STRAE-OQA.example", "xn--strae-oqa.example"),
    ("\uff58\uff4e\uff0d\uff0dstrae-oqa.example", "xn--strae-oqa.example"),
    ("xn--ls8h.la", "xn--ls8h.la"),
    (f"{LONG}.example", f"{LONG}.example"),
    (".".join(["a" * 49] * 5) + ".abc", ".".join(["a" * 49] * 5) + ".abc"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_domain_is_the_one_that_was_written(text: str, name: str) -> None:
    assert ascii_domain(text) == name
    assert ascii_domain(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a..",
        "a b",
        "a$b",
        "a/b",
        "℀.example",  # a/c
        "≠.example",
        "x\u2024y",
        "💩.la",
        "☃.net",
        "a\u200db.example",  # no joiner belongs there
        "\u200d.example",
        "\u00ad.example",
        "1א.example",
        "\u0301a.example",
        "\ud800.example",
        "ü" * 60 + ".example",
        "ü" * 2000,
        f"{LONG}a.example",
        ".".join(["a" * 49] * 5) + ".abcd",
        "日" * 20 + ("." + "日" * 20) * 10,
        "xn--.example",
        "xn--abc-.example",  # abc
        "xn---bbk.example",  # a second spelling of xn--bbk
        "xn--zzzzzz99.example",
        "xn--99999999999999.example",
        "xn--a-ecp.example\u3002xn--",
        "xn--bcher-KVA-.example",
        "xn--" + "faß".encode("punycode").decode().upper() + "ß.example",
    ],
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(InvalidDomain):
        ascii_domain(text)


@given(st.text(max_size=30) | st.text("axn-.0ß・ς\u200d。１üÜ", max_size=30))
def test_what_is_taken_is_ascii_and_stays_as_it_is(text: str) -> None:
    try:
        name = ascii_domain(text)
    except InvalidDomain:
        return
    assert name.isascii() and name == name.lower() and len(name) <= 253
    assert all(0 < len(label) <= 63 for label in name.split("."))
    assert ascii_domain(name) == name


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("1.2", True), ("a.0x1F".lower(), True), ("a.0x", True), ("a1.b2", False), ("1.a", False)],
)
def test_a_name_may_end_in_a_number(name: str, is_one: bool) -> None:
    assert ends_in_number(name) is is_one


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "a.localhost",
        "localhost.localdomain",
        "redis",
        "redis.railway.internal",
        "host.docker.internal",
        "printer.local",
        "db.svc.cluster.local",
        "nas.lan",
        "router.home.arpa",
        "nas.home",
        "wiki.corp",
        "a.intranet",
        "a.private",
        "app.test",
        "a.invalid",
        "a.onion",
        "a.alt",
        "xn--strae-oqa",
    ],
)
def test_a_name_that_nobody_can_own_is_private(name: str) -> None:
    assert is_private(name)
    assert leads_nowhere(name) is name.endswith((".invalid", ".onion", ".alt"))


@pytest.mark.parametrize(
    "name",
    ["example.com", "a.example", "internal.example.com", "mylocal.net", "arpa.com", "1.0.0.127.in-addr.arpa"],
)
def test_all_others_may_be_public(name: str) -> None:
    assert not is_private(name)
