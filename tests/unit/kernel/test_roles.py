"""Roles: the grammar, strictly; and which of them a principal has."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogel.kernel.principal import ANON, ANONYMOUS, SERVICE, SYSTEM, Principal
from ogel.kernel.roles import (
    MOST_CLAIM_BYTES,
    Role,
    claim_of_token,
    is_of_people,
    parse_role,
    roles_claim,
    roles_of,
)

ID = "0190b7a2-1f0e-7b6d-9c43-2f1f5d1f0a11"
IDS = st.text("aZ09._-", max_size=63).map("x".__add__)
WORDS = st.text("aZ09_-", max_size=31).map("x".__add__)
STATUS = st.sampled_from(["", "verified", "unverified"])
ROLES = st.one_of(
    st.sampled_from([Role("any"), Role("guests")]),
    st.builds(lambda part: Role("users", "", part), STATUS),
    st.builds(lambda id, part: Role("user", id, part), IDS, STATUS),
    st.builds(lambda id, part: Role("team", id, part), IDS, st.one_of(st.just(""), WORDS)),
    st.builds(lambda id: Role("member", id), IDS),
    st.builds(lambda name: Role("label", name), WORDS),
)


@given(ROLES)
def test_what_is_written_is_read_again(role: Role) -> None:
    assert parse_role(str(role)) == role


@given(st.text())
def test_what_is_read_is_written_as_it_was(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert str(parse_role(text)) == text


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("one of", ["", "everyone", "Any", "any ", "any\n", "role:any", 'read("any")', "*"]),
        (
            "`user:ID`",
            ["user", "user:", "user:a b", "user:a/owner", "user:a/verified/x", "user:é", "user:-a"],
        ),
        ("`user:ID`", [f"user:{'a' * 65}", "user:" + "b" * 10_000]),
        ("`users`", ["users/", "users:a", "users/Verified"]),
        ("`guests`", ["guests/verified"]),
        ("`any`", ["any/x"]),
        ("`team:ID`", ["team:", "team:a/", "team:a/b/c", "team:a/b:c", f"team:a/{'b' * 33}", "team:*"]),
        ("`member:ID`", ["member:a/owner"]),
        ("`label:NAME`", ["label:", "label:a.b", "label:\u0661"]),
    ],
)
def test_an_error_says_what_it_takes(kind: str, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=f"it takes .*{kind}") as refused:
            parse_role(text)
        assert len(str(refused.value)) < 250


def test_only_people_can_be_asked_for_a_role() -> None:
    for role in ("users", "users/verified", "user:a", "team:a", "team:a/owner", "member:a", "label:a"):
        assert is_of_people(role)
    for text in ("any", "guests", "staff", "studio:use", "*", "label:", "key", "user"):
        assert not is_of_people(text)


def a_user(*roles: str) -> Principal:
    return Principal("user", ID, role="authenticated", claims={"roles": roles})


def test_each_kind_of_principal_has_its_roles() -> None:
    assert roles_of(ANONYMOUS) == roles_of(Principal("key", "key_1", role=ANON)) == {"any", "guests"}
    for operator in (SYSTEM, Principal("admin", "admin", role=SERVICE), Principal("key", "key_1")):
        assert roles_of(operator) == {"any"}
    signed_in = {"any", "users", "users/unverified", f"user:{ID}", f"user:{ID}/unverified"}
    assert roles_of(a_user()) == roles_of(Principal("user", ID)) == signed_in
    claim = roles_claim(verified=True, labels=["vip"], of_teams=["team:t", "team:t/owner", "member:m"])
    assert roles_of(a_user(*claim)) == {
        "any", "users", "users/verified", f"user:{ID}", f"user:{ID}/verified", "team:t", "team:t/owner", "member:m",
        "label:vip",
    }  # fmt: skip
    assert all(str(parse_role(role)) == role for role in roles_of(a_user(*claim)))


def test_a_token_says_no_more_than_it_can_carry() -> None:
    assert claim_of_token([]) is None
    assert claim_of_token(roles_claim(verified=True, labels=[], of_teams=[])) is None
    assert claim_of_token(["users/verified", "label:vip"]) == ["label:vip"]
    teams = [f"team:team_{number:026}/owner" for number in range(1000)]
    assert claim_of_token(teams) is None
    few = claim_of_token(teams[:40])
    assert few is not None and len(repr(few)) < 1.1 * MOST_CLAIM_BYTES
    assert roles_of(a_user(*teams)) > set(teams)
