"""The verifier: what Standard Webhooks accepts, and everything it must refuse."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest

from ogel.features.webhooks.secrets.secret import Secret
from ogel.features.webhooks.secrets.signature import signed_content, signing_key
from ogel.features.webhooks.secrets.verify import VerifyingKey, key_of_public, key_of_secret, verify
from tests.unit.features.webhooks.secrets.vectors import ALL, V1, V2, V3, V3_PUBLIC, Vector

GOOD = V1.signature
KEY = key_of_secret(V1.secret)


def codes(
    headers: Sequence[tuple[str, str]],
    body: bytes = V1.body,
    keys: Sequence[VerifyingKey] = (KEY,),
    at: float = V1.timestamp,
    tolerance: float | None = 300,
) -> list[str]:
    problems = verify(headers, body, keys, at, tolerance)
    assert all(problem.message for problem in problems)
    return [problem.code for problem in problems]


def given(
    id: str = V1.id, timestamp: str = str(V1.timestamp), signature: str = GOOD
) -> list[tuple[str, str]]:
    return [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]


@pytest.mark.parametrize("vector", ALL)
def test_published_vectors_are_valid(vector: Vector) -> None:
    assert codes(vector.headers, vector.body, [key_of_secret(vector.secret)], vector.timestamp) == []


def test_a_public_key_verifies_what_its_secret_signed() -> None:
    assert codes(V3.headers, keys=[key_of_public(V3_PUBLIC)]) == []


@pytest.mark.parametrize(
    "signature",
    [
        f"garbage {GOOD}",
        f"{GOOD} garbage",
        f"v1 v1, ,, v1,!!! v2,{GOOD[3:]} {GOOD}",
        f"{V2.signature} {V3.signature} {GOOD}",
        f"  {GOOD}  ",
    ],
)
def test_one_good_signature_is_enough_whatever_stands_around_it(signature: str) -> None:
    assert codes(given(signature=signature)) == []


def test_header_names_come_in_any_case_and_among_others() -> None:
    headers = [("Host", "a"), *[(name.upper(), value) for name, value in given()], ("host", "b")]
    assert codes(headers) == []


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (GOOD.replace("J1OE=", "J1OA="), "no_match"),
        (GOOD.replace("v1,", "v2,"), "unknown_version"),
        (GOOD.replace("v1,", "V1,"), "unknown_version"),
        (GOOD.replace("v1,", "v1a,"), "bad_signature"),
        ("v1,", "bad_signature"),
        (GOOD[:11], "bad_signature"),
        (GOOD[:-1], "bad_signature"),
        (GOOD.replace("J1OE=", "J1OF="), "bad_signature"),  # the same bytes, spelled otherwise
        (GOOD[3:], "bad_signature"),
        ("v1," + base64.b64encode(b"x" * 31).decode(), "bad_signature"),
        ("v1,é", "bad_signature"),
        ("", "bad_signature"),
        (" ", "bad_signature"),
        (V3.signature, "no_key"),
        (V2.signature, "no_match"),
        (" ".join(["x"] * 100 + [GOOD]), "bad_signature"),
    ],
)
def test_a_wrong_signature_is_refused(signature: str, code: str) -> None:
    assert code in codes(given(signature=signature))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_or_repeated_header_is_named(name: str) -> None:
    [problem] = verify([each for each in given() if each[0] != name], V1.body, [KEY], V1.timestamp)
    assert (problem.code, problem.message) == ("missing_header", f"{name} is missing")
    [problem] = verify([*given(), (name.title(), "x")], V1.body, [KEY], V1.timestamp)
    assert problem.code == "repeated_header"
    assert name in problem.message


@pytest.mark.parametrize(
    "timestamp",
    ["hello", "1614265330.0", "-1", "", "+1614265330", " 1614265330", "1_614_265_330", "1614265330\n",
     "16142653\uff13\uff10",
     "9" * 13, "nan", "1e9"],
)  # fmt: skip
def test_what_is_no_timestamp_is_refused(timestamp: str) -> None:
    assert codes(given(timestamp=timestamp)) == ["bad_timestamp"]
    assert codes(given(timestamp=timestamp), tolerance=None) == ["bad_timestamp"]


@pytest.mark.parametrize(
    ("shift", "said"),
    [(0, None), (300, None), (-300, None), (301, "too old by 1 s"), (-301, "in the future by 1 s"),
     (300.9, None), (86_700, "too old by 86400 s")],
)  # fmt: skip
def test_the_time_must_be_near(shift: float, said: str | None) -> None:
    problems = verify(given(), V1.body, [KEY], V1.timestamp + shift)
    assert [said in problem.message for problem in problems] == ([] if said is None else [True])
    assert verify(given(), V1.body, [KEY], V1.timestamp + shift, tolerance_seconds=None) == []


@pytest.mark.parametrize("id", ["", "msg.1", "msg 1", "é", "x" * 257])
def test_an_id_that_makes_the_signature_ambiguous_is_refused(id: str) -> None:
    assert codes(given(id=id)) == ["bad_id"]


def test_moving_the_dot_does_not_move_the_signature() -> None:
    """Id `msg_a.1614265330`, time 1 and body `x` sign the same bytes as id `msg_a`, that time and body `1.x`."""
    secret = Secret.parse(V1.secret)
    signature = signing_key(secret).sign(signed_content("msg_a", V1.timestamp, b"1.x"))
    assert signature == signing_key(secret).sign(signed_content(f"msg_a.{V1.timestamp}", 1, b"x"))
    assert codes(given("msg_a", signature=signature), b"1.x") == []
    assert codes(given(f"msg_a.{V1.timestamp}", "1", signature), b"x", at=1) == ["bad_id"]


@pytest.mark.parametrize("change", ["id", "timestamp", "body"])
def test_everything_signed_counts(change: str) -> None:
    headers = given(
        id=V1.id + "x" if change == "id" else V1.id,
        timestamp=str(V1.timestamp + (change == "timestamp")),
    )
    assert codes(headers, V1.body + b"\n" if change == "body" else V1.body) == ["no_match"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert codes(given(signature=f"{V2.signature} v9,x"), at=0) == ["too_new", "no_match", "unknown_version"]


def test_any_byte_may_stand_in_a_body() -> None:
    body = bytes(range(256))
    signature = signing_key(Secret.parse(V1.secret)).sign(signed_content(V1.id, V1.timestamp, body))
    assert codes(given(signature=signature), body) == []


@pytest.mark.parametrize("text", ["", "whsec_", "whpk_x"])
def test_no_secret_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"has|is not base64"):
        key_of_secret(text)
