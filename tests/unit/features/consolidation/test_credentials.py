"""Logins from variables, and hosts from the project alone."""

from __future__ import annotations

import pytest

from ogel.features.consolidation.use.credentials import mongo_target, postgres_target, secrets_of, store_keys
from ogel.features.consolidation.wire.places import Place

PLACE = Place("TCP proxy", "postgres", "maglev.proxy.rlwy.net", 20105, 5432)


@pytest.mark.parametrize(
    ("variables", "login"),
    [
        (
            {"DATABASE_URL": "postgresql://post%40gres:p%2Fw@evil.example:1/shop"},
            ("post@gres", "p/w", "shop"),
        ),
        (
            {"DATABASE_PUBLIC_URL": "postgres://a:b@h/c", "DATABASE_URL": "postgres://d:e@h/f"},
            ("a", "b", "c"),
        ),
        ({"DATABASE_URL": "postgres://nobody@h/f", "PGPASSWORD": "pw"}, ("postgres", "pw", "postgres")),
        ({"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "pw", "POSTGRES_DB": "d"}, ("u", "pw", "d")),
    ],
)
def test_a_postgres_login(variables: dict[str, str], login: tuple[str, str, str]) -> None:
    target = postgres_target(PLACE, variables)
    assert target is not None
    assert (target.username, target.password, target.database) == login
    assert (target.host, target.port) == ("maglev.proxy.rlwy.net", 20105)


def test_a_mongo_login() -> None:
    target = mongo_target(PLACE, {"MONGO_URL": "mongodb://mongo:p%40w@evil.example:27017"})
    assert target is not None
    assert (target.username, target.password, target.host) == ("mongo", "p@w", "maglev.proxy.rlwy.net")
    other = mongo_target(PLACE, {"MONGO_INITDB_ROOT_USERNAME": "root", "MONGO_INITDB_ROOT_PASSWORD": "pw"})
    assert other is not None and (other.username, other.password) == ("root", "pw")


def test_no_login_is_none() -> None:
    for variables in (
        {},
        {"DATABASE_URL": "mysql://a:b@h/c"},
        {"DATABASE_URL": "not a url", "MONGO_URL": "x://"},
    ):
        assert postgres_target(PLACE, variables) is None
        assert mongo_target(PLACE, variables) is None
        assert store_keys(variables) is None
    assert store_keys({"MINIO_ROOT_USER": "a", "MINIO_ROOT_PASSWORD": "b"}) == ("a", "b")


def test_whatever_a_variable_holds_is_taken_for_a_secret() -> None:
    assert secrets_of({"A": "short", "B": "long-enough"}) == ["long-enough"]
