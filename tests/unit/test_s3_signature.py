"""Signatures are those of AWS' own examples."""

from __future__ import annotations

from ogel.features.storage.s3.signature import (
    EMPTY_SHA256,
    SigningScope,
    canonical_path,
    canonical_request,
    signature_of,
    signing_key,
    string_to_sign,
    time_of,
)

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = SigningScope("20130524", "us-east-1", "s3")
DATE = "20130524T000000Z"
HOST = ("host", "examplebucket.s3.amazonaws.com")
HEADERS = [HOST, ("x-amz-content-sha256", EMPTY_SHA256), ("x-amz-date", DATE)]


def signed(
    method: str, path: str, query: list[tuple[str, str]], headers: list[tuple[str, str]], payload: str
) -> str:
    names = sorted(name for name, _ in headers)
    request = canonical_request(method, canonical_path(path.encode()), query, headers, names, payload)
    return signature_of(signing_key(SECRET, SCOPE), string_to_sign(DATE, SCOPE, request))


def test_requests_of_the_documentation() -> None:
    with_range = [*HEADERS, ("range", "bytes=0-9")]
    assert (
        signed("GET", "/test.txt", [], with_range, EMPTY_SHA256)
        == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )
    content = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
    put = [
        HOST,
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-content-sha256", content),
        ("x-amz-date", DATE),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ]
    assert (
        signed("PUT", "/test%24file.text", [], put, content)
        == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )
    assert (
        signed("GET", "/", [("lifecycle", "")], HEADERS, EMPTY_SHA256)
        == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )
    assert (
        signed("GET", "/", [("prefix", "J"), ("max-keys", "2")], HEADERS, EMPTY_SHA256)
        == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_a_url_of_the_documentation() -> None:
    query = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"),
        ("X-Amz-Date", DATE),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host"),
    ]
    assert (
        signed("GET", "/test.txt", query, [HOST], "UNSIGNED-PAYLOAD")
        == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_a_path_is_encoded_once_however_it_was_sent() -> None:
    for sent in (b"/b/a(1)+!~ '.txt", b"/b/a%281%29%2B%21~%20%27.txt", b"/b/a%281%29%2b!%7E%20'.txt"):
        assert canonical_path(sent) == "/b/a%281%29%2B%21~%20%27.txt"
    assert canonical_path("/ü//a%2Fb/".encode()) == "/%C3%BC//a%2Fb/"


def test_times_are_read_strictly() -> None:
    assert time_of(DATE) is not None
    for text in ("", "20130524", "20130524T000000", "20131324T000000Z", "Fri, 24 May 2013 00:00:00 GMT"):
        assert time_of(text) is None
