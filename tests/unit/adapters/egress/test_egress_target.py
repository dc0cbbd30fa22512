"""A URL is taken apart strictly, and a number is an address however it is spelled."""

import pytest

from ogel.adapters.egress import InvalidUrl
from ogel.adapters.egress.target import parse_url


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("http://example.com", "example.com", 80, "/", "example.com"),
        ("https://example.com", "example.com", 443, "/", "example.com"),
        ("https://example.com:443/a", "example.com", 443, "/a", "example.com"),
        ("http://example.com:443/a", "example.com", 443, "/a", "example.com:443"),
        ("HTTPS://EXAMPLE.com./Hook?x=1&y=%20#frag", "example.com", 443, "/Hook?x=1&y=%20", "example.com"),
        ("http://example.com:/", "example.com", 80, "/", "example.com"),
        ("http://example.com?a[]=1", "example.com", 80, "/?a[]=1", "example.com"),
        ("http://bücher.example/ä?q=ö", "xn--bcher-kva.example", 80, "/%C3%A4?q=%C3%B6", None),
        ("http://straße.example/", "xn--strae-oqa.example", 80, "/", None),
        ("http://STRA\u1e9eE.example:81/", "xn--strae-oqa.example", 81, "/", "xn--strae-oqa.example:81"),
        ("http://\u0392\u038c\u039b\u039f\u03a3.com/", "xn--nxasmq6b.com", 80, "/", None),
        (
            "http://\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example/",
            "xn--mgba3gch31f060k.example",
            80,
            "/",
            None,
        ),
        ("http://xn--ls8h.la/", "xn--ls8h.la", 80, "/", None),
        ("http://under_score.example/", "under_score.example", 80, "/", "under_score.example"),
        ("http://receiver:9000/hook", "receiver", 9000, "/hook", "receiver:9000"),
    ],
)
def test_a_name_is_normalised(url: str, host: str, port: int, path: str, authority: str | None) -> None:
    target = parse_url(url)
    assert (target.host, target.port, target.path, target.address) == (host, port, path, None)
    assert target.authority == (authority or host)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("93.184.216.34", "93.184.216.34"),
        ("1572395042", "93.184.216.34"),
        ("0x5db8d822", "93.184.216.34"),
        ("0X5DB8D822", "93.184.216.34"),
        ("0135.0270.0330.042", "93.184.216.34"),
        ("93.12113954", "93.184.216.34"),
        ("93.184.55330", "93.184.216.34"),
        ("0x5d.184.0330.34.", "93.184.216.34"),
        ("\uff19\uff13\u3002\uff11\uff18\uff14\uff0e\uff12\uff11\uff16\uff61\uff13\uff14", "93.184.216.34"),
        ("127.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("[2606:4700::1111]", "2606:4700::1111"),
        ("[2606:4700:0:0:0:0:0:1111]", "2606:4700::1111"),
        ("[::FFFF:5DB8:D822]", "::ffff:5db8:d822"),
    ],
)
def test_a_number_is_the_address_it_spells(host: str, address: str) -> None:
    target = parse_url(f"http://{host}/")
    assert target.address == target.host
    # Pythons differ in how they write ::ffff:a.b.c.d.
    assert target.address in (address, "::ffff:93.184.216.34")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "http:///path",
        "http://",
        "http://:80/",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://example.com:80:80/",
        "http://example.com:\uff18\uff10/",
        "http://exa mple.com/",
        " http://example.com/",
        "http://example.com/a b",
        "http://example.com/\r\nHost: evil",
        "http://example.com/\tx",
        "http://example.com/\x00",
        "http://example.com/\x7f",
        "http://example.com/\u2028",
        "http://example.com/\u202e",
        "http://example.com/\ud800",
        "http://example.com\\@127.0.0.1/",
        "http://example.com%00.evil/",
        "http://%31%32%37.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]x/",
        "http://[::g]/",
        "http://[127.0.0.1]/",
        "http://[v1.fe80::]/",
        "http://256.0.0.1/",
        "http://1.2.3.4.5/",
        "http://1.2.3.08/",
        "http://4294967296/",
        "http://1..2/",
        "http://foo.1/",
        "http://foo.0x7f/",
        "http://a..b/",
        "http://.example.com/",
        "http://example.com../",
        "http://exa$mple.com/",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 130 + "com/",
        "http://" + "ü" * 300 + "/",
        "http://" + "ü" * 60 + ".example/",
        "http://a\u200db.example/",
        "http://ab\u00adc.example/",
        "http://\U0001f4a9.la/",
        "http://xn--.example/",
        "http://xn---bbk.example/",
        "http://xn--zzzzzz99.example/",
        "http://a\uff0fb.example/",
        "http://example.com/" + "a" * 2048,
    ],
)
def test_what_is_not_a_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl) as refused:
        parse_url(url)
    assert refused.value.status == 422
