"""What the doctor says of the sites that people sign in with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ogel.cli.doctor import sign_in
from ogel.cli.doctor.finding import Finding
from ogel.cli.doctor.patient import met
from tests.support.issuer import Issuer, an_issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with an_issuer() as issuer:
        yield issuer


def looked_at(**environ: str) -> list[Finding]:
    servers = {"DATABASE_URL": "postgresql://localhost/x", "REDIS_URL": "redis://localhost"}
    return [*asyncio.run(sign_in.issuers(met({**servers, **environ})))]


def test_an_issuer_that_answers_is_well(issuer: Issuer) -> None:
    [found] = looked_at(**issuer.settings)

    assert (found.ok, found.detail) == (True, f"keycloak answers at {issuer.issuer}")


def test_an_issuer_that_is_another_one_is_told(issuer: Issuer) -> None:
    issuer.discovery = {"issuer": "https://id.example.com"}

    [found] = looked_at(**issuer.settings)

    assert not found.ok and "another issuer, 'https://id.example.com'" in found.detail


def test_an_issuer_without_keys_is_told(issuer: Issuer) -> None:
    issuer.says["/realms/acme/protocol/openid-connect/certs"] = (404, {}, b"")

    [found] = looked_at(**issuer.settings)

    assert not found.ok and "keys: 404" in found.detail


def test_nothing_is_said_of_none() -> None:
    assert looked_at() == []


def test_on_railway_it_says_where_browsers_come_back_to() -> None:
    environ = {"RAILWAY_ENVIRONMENT": "x", "OGEL_AUTH_GITHUB_CLIENT_ID": "a", "OGEL_AUTH_GITHUB_SECRET": "b"}

    [found] = sign_in.callback(met(environ))

    assert not found.ok and "http://localhost:8080/auth/v1/callback" in found.detail
