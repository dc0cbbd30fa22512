"""`ogel accounts import supabase`"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from ogel.cli.accounts.taking import BATCH, Json, take
from ogel.cli.operator import json_option
from ogel.kernel.errors import OgelError

if TYPE_CHECKING:
    from psycopg import Connection

    from ogel.features.accounts.imports.imported import NotTaken

_FIRST = UUID(int=0)
_SECONDS = 30
# As JSON, because versions of Supabase have other columns.
_USERS = """
  SELECT to_jsonb(u) FROM auth.users AS u WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
"""
_IDENTITIES = "SELECT to_jsonb(i) FROM auth.identities AS i WHERE user_id = ANY (%(ids)s) ORDER BY created_at"
_FACTORS = "SELECT to_jsonb(f) FROM auth.mfa_factors AS f WHERE user_id = ANY (%(ids)s) ORDER BY created_at"
# As PostgreSQL has it, and other databases do not.
_TIMES = {"infinity": "9999-12-31T00:00:00Z"}
_SAME = (
    "id",
    "email",
    "email_confirmed_at",
    "phone",
    "phone_confirmed_at",
    "role",
    "banned_until",
    "invited_at",
    "last_sign_in_at",
    "created_at",
)


@click.command("supabase")
@click.argument("url", envvar="SUPABASE_DB_URL")
@click.option("--after", type=click.UUID, default=_FIRST, metavar="ID", help="Go on behind this user.")
@json_option
def command(url: str, after: UUID, as_json: bool) -> None:
    """
    Users of a Supabase project, from its database at the postgres:// URL (also SUPABASE_DB_URL).

    They keep their ids, passwords, other sites' accounts and authenticator apps; they sign in anew, because sessions
    stay behind. Only its schema `auth` is read. It may be repeated: users that are there already stay as they are.
    """
    not_taken: list[NotTaken] = []
    take(_batches(url, after, not_taken), not_taken, as_json)


def _batches(url: str, after: UUID, not_taken: list[NotTaken]) -> Iterator[tuple[Sequence[Json], str]]:
    import psycopg

    try:
        with psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=_SECONDS,
            options="-c default_transaction_read_only=on -c statement_timeout=60000",
        ) as connection:
            while users := _rows(connection, _USERS, after=after, limit=BATCH):
                after = UUID(users[-1]["id"])
                yield list(_bodies(connection, users, not_taken)), str(after)
    except psycopg.ProgrammingError as error:
        # Of what cannot be read as a URL it quotes pieces, the password perhaps.
        why = "it is no postgres:// URL" if error.sqlstate is None else _first_line(error)
        raise OgelError(f"the database of Supabase: {why}") from None
    except psycopg.Error as error:
        raise OgelError(f"the database of Supabase: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _bodies(connection: Connection[Any], users: Sequence[Json], not_taken: list[NotTaken]) -> Iterator[Json]:
    from ogel.features.accounts.imports.imported import NotTaken

    ids = [each["id"] for each in users]
    identities, factors = _by_user(connection, _IDENTITIES, ids), _by_user(connection, _FACTORS, ids)
    for user in users:
        id = user["id"]
        if (reason := _left_behind(user)) is not None:
            not_taken.append(NotTaken(UUID(id), "user", reason))
            continue
        body = user_body(user)
        body["identities"] = [identity_body(each) for each in identities.get(id, ())]
        body["factors"] = []
        for factor in factors.get(id, ()):
            if (found := factor_body(factor)) is not None:
                body["factors"].append(found)
            elif factor["status"] == "verified":
                not_taken.append(
                    NotTaken(UUID(id), f"factor {factor['factor_type']}", "only its owner can bring it")
                )
        yield body


def _left_behind(user: Json) -> str | None:
    if user.get("deleted_at"):
        return "was deleted"
    if user.get("is_sso_user"):
        return "signs in by SAML"
    return None


def user_body(user: Json) -> Json:
    """A row of Supabase's `auth.users` as /api/users/import takes it."""
    body = {name: _TIMES.get(user[name], user[name]) for name in _SAME if user.get(name)}
    # Before 2021 there was one for both.
    if "email_confirmed_at" not in user and user.get("confirmed_at") and user.get("email"):
        body["email_confirmed_at"] = user["confirmed_at"]
    if user.get("encrypted_password"):
        body["password_hash"] = user["encrypted_password"]
    return body | {
        "app_metadata": user.get("raw_app_meta_data") or {},
        "user_metadata": user.get("raw_user_meta_data") or {},
        "is_anonymous": bool(user.get("is_anonymous")),
    }


def identity_body(identity: Json) -> Json:
    """Before 2023 the provider's id of the user was the row's."""
    body = {name: identity[name] for name in ("last_sign_in_at", "created_at") if identity.get(name)}
    return body | {
        "provider": identity["provider"],
        "provider_id": str(identity.get("provider_id") or identity["id"]),
        "identity_data": identity.get("identity_data") or {},
    }


def factor_body(factor: Json) -> Json | None:
    """Of an authenticator app whose secret can be read; None for all else."""
    secret = factor.get("secret") or ""
    if factor["factor_type"] != "totp" or factor["status"] != "verified" or not secret.isalnum():
        return None
    body = {"secret": secret, "friendly_name": factor.get("friendly_name") or None}
    return body | ({"created_at": factor["created_at"]} if factor.get("created_at") else {})


def _by_user(connection: Connection[Any], query: str, ids: Sequence[str]) -> dict[str, list[Json]]:
    from psycopg.errors import UndefinedTable

    found: dict[str, list[Json]] = {}
    try:
        rows = _rows(connection, query, ids=ids)
    except UndefinedTable:  # of a version that had none
        return found
    for row in rows:
        found.setdefault(row["user_id"], []).append(row)
    return found


def _rows(connection: Connection[Any], query: str, **parameters: object) -> list[Json]:
    return [row for (row,) in connection.execute(query.encode(), parameters)]
