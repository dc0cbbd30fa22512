"""Who may what in channels: every kind of principal at every kind of channel, held against rules told another way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import jwt
import pytest

from ogel.features.realtime.namespaces.namespace import UNSET, Namespace
from ogel.features.realtime.rights.rules import heard_roles, is_open, may_publish, may_subscribe
from ogel.features.realtime.rights.tokens import (
    BadSubscriptionToken,
    ExpiredSubscriptionToken,
    SubscriptionTokens,
)
from ogel.kernel.principal import ANON, ANONYMOUS, SYSTEM, Principal

PRINCIPALS = {
    "guest": ANONYMOUS,
    "publishable key": Principal("key", "key_p", role=ANON),
    "reader": Principal("key", "key_r", frozenset({"realtime:read"})),
    "writer": Principal("key", "key_w", frozenset({"realtime:write"})),
    "both": Principal("key", "key_b", frozenset({"realtime:*"})),
    "other key": Principal("key", "key_o", frozenset({"jobs:write"})),
    "operator": Principal("admin", "admin", frozenset({"*"})),
    "system": SYSTEM,
    "ann": Principal("user", "ann", claims={"roles": ["users/verified", "team:red", "team:red/owner"]}),
    "bob": Principal("user", "bob", claims={"roles": ["label:staff"]}),
}
READERS = {"reader", "both", "operator", "system"}
WRITERS = {"writer", "both", "operator", "system"}
# Who has a role, besides those who may by their scope.
HAVE = {
    "any": set(PRINCIPALS),
    "guests": {"guest", "publishable key"},
    "users": {"ann", "bob"},
    "users/verified": {"ann"},
    "user:bob": {"bob"},
    "team:red": {"ann"},
    "team:red/owner": {"ann"},
    "team:blue": set(),
    "label:staff": {"bob"},
}
# The channel, and whom its name is for.
CHANNELS = {
    "chat": None,
    "chat:17": None,
    "chat:17#ann": {"ann"},
    "dm#ann,bob": {"ann", "bob"},
    "odd#": set(),
}
ROLE_SETS = [(), *((role,) for role in HAVE), *itertools.combinations(HAVE, 2)]


def rules(subscribe: Sequence[str] = (), publish: Sequence[str] = ()) -> Namespace:
    return Namespace("chat", 10, 10, subscribe, publish, True, None)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_matrix(channel: str) -> None:
    named = CHANNELS[channel]
    for who, roles in itertools.product(PRINCIPALS, ROLE_SETS):
        principal = PRINCIPALS[who]
        by_role = any(who in HAVE[role] for role in roles)
        subscribes = who in READERS or (by_role if named is None else who in named)
        publishes = who in WRITERS or (by_role and (named is None or who in named))
        assert may_subscribe(principal, channel, rules(subscribe=roles)) is subscribes, (who, roles)
        assert may_publish(principal, channel, rules(publish=roles)) is publishes, (who, roles)
        # Neither gives the other.
        assert may_publish(principal, channel, rules(subscribe=roles)) is (who in WRITERS)
        if named is None:
            assert may_subscribe(principal, channel, rules(publish=roles)) is (who in READERS)


def test_roles_of_publications_do_not_concern_who_may_read_everything() -> None:
    assert {who for who in PRINCIPALS if heard_roles(PRINCIPALS[who]) is None} == READERS
    assert "team:red/owner" in (heard_roles(PRINCIPALS["ann"]) or ())
    assert heard_roles(PRINCIPALS["writer"]) == {"any"}


def test_a_namespace_is_open_to_those_who_have_not_signed_in() -> None:
    assert not is_open(UNSET)
    assert not is_open(rules(["users"], ["team:red"]))
    assert is_open(rules(["users", "any"]))
    assert is_open(rules(publish=["guests"]))


def test_a_token_is_for_one_channel_and_one_user() -> None:
    tokens = SubscriptionTokens([b"n" * 32, b"o" * 32])
    ann, bob = PRINCIPALS["ann"], PRINCIPALS["bob"]
    token, expires_at = tokens.sign("chat:1", "ann", 60)
    assert tokens.verify(token, "chat:1", ann) == expires_at
    for channel, principal in (("chat:2", ann), ("chat:1", bob), ("chat:1", ANONYMOUS)):
        with pytest.raises(BadSubscriptionToken):
            tokens.verify(token, channel, principal)
    for_all, _ = SubscriptionTokens([b"o" * 32]).sign("chat:1", None, 60)
    for principal in (ann, bob, ANONYMOUS):
        tokens.verify(for_all, "chat:1", principal)


def test_what_is_no_token_of_ours() -> None:
    tokens = SubscriptionTokens([b"n" * 32])
    ann, claims = PRINCIPALS["ann"], {"channel": "c", "sub": "ann", "exp": 2**33}
    expired, _ = tokens.sign("c", "ann", -1)
    with pytest.raises(ExpiredSubscriptionToken):
        tokens.verify(expired, "c", ann)
    foreign = [
        "",
        "a.b.c",
        "é",
        "x" * 5000,
        jwt.encode(claims, b"x" * 32, "HS256"),
        jwt.encode(claims, b"n" * 64, "HS512"),
        jwt.encode(claims, None, "none"),
        jwt.encode({"channel": "c"}, b"n" * 32, "HS256"),
        jwt.encode({**claims, "channel": ["c"]}, b"n" * 32, "HS256"),
        jwt.encode({**claims, "sub": "bob"}, b"n" * 32, "HS256"),
        jwt.encode({**claims, "exp": "soon"}, b"n" * 32, "HS256"),
    ]
    for token in foreign:
        with pytest.raises(BadSubscriptionToken):
            tokens.verify(token, "c", ann)
