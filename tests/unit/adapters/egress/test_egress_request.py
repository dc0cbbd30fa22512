"""The bytes of a request, and headers that try to become something else."""

import pytest

from ogel.adapters.egress import EgressError
from ogel.adapters.egress.request import RESERVED, encode_request, request_prefix
from ogel.adapters.egress.target import parse_url

PREFIX = request_prefix(parse_url("https://example.com:8443/hook?a=1"))


def test_a_request_to_the_byte() -> None:
    message = encode_request(PREFIX, [("webhook-id", "msg_1"), ("X-Name", "Zoë")], b'{"a":1}')
    assert message == (
        b"POST /hook?a=1 HTTP/1.1\r\n"
        b"Host: example.com:8443\r\n"
        b"Accept: */*\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Content-Length: 7\r\n"
        b"webhook-id: msg_1\r\n"
        b"X-Name: Zo\xc3\xab\r\n"
        b"\r\n"
        b'{"a":1}'
    )


def test_the_host_of_an_ipv6_address_is_bracketed() -> None:
    assert b"\r\nHost: [2606:4700::1111]\r\n" in request_prefix(parse_url("http://[2606:4700::1111]/"))


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_framing_and_routing_stay_ours(name: str) -> None:
    plain = encode_request(PREFIX, [], b"x")
    assert encode_request(PREFIX, [(name.title(), "evil")], b"x") == plain


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "1\r\nX-B: 2"),
        ("X-A", "1\nX-B: 2"),
        ("X-A", "1\rX-B: 2"),
        ("X-A", "1\x00"),
        ("X-A", "1\x7f"),
        ("X-A", "\ud800"),
        ("X-A\r\nX-B", "1"),
        ("X-A: 1\r\nX-B", "2"),
        ("X A", "1"),
        ("X-A:", "1"),
        ("X-Ä", "1"),
        ("", "1"),
        ("X" * 300, "1"),
    ],
)
def test_a_header_cannot_leave_its_line(name: str, value: str) -> None:
    with pytest.raises(EgressError) as refused:
        encode_request(PREFIX, [(name, value)], b"x")
    assert refused.value.reason == "protocol"
    assert "X-B: 2" not in refused.value.message
