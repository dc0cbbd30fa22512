"""Users who come from Supabase and Appwrite: with ids, passwords, identities and factors, once however often."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import bcrypt
import psycopg
import pytest

from ogel.cli.accounts.appwrite import hash_of
from ogel.features.accounts.passwords.formats import is_right
from tests.support.cli import ogel
from tests.support.process import ADMIN_KEY, SECRET
from tests.support.world import World

ENVIRONMENT = {"OGEL_AUTH_AUTOCONFIRM": "true", "OGEL_RATE_SIGN_IN": "off"}
PASSWORD = "old password"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
# What of Supabase's tables matters, and some that does not.
_SUPABASE = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (
  instance_id uuid, id uuid PRIMARY KEY, aud text, role text, email text, encrypted_password text,
  email_confirmed_at timestamptz, invited_at timestamptz, last_sign_in_at timestamptz, raw_app_meta_data jsonb,
  raw_user_meta_data jsonb, created_at timestamptz, phone text, phone_confirmed_at timestamptz,
  banned_until timestamptz, is_sso_user boolean DEFAULT false, is_anonymous boolean DEFAULT false,
  deleted_at timestamptz
);
CREATE TABLE auth.identities (
  id uuid DEFAULT gen_random_uuid(), provider_id text, user_id uuid, identity_data jsonb, provider text,
  last_sign_in_at timestamptz, created_at timestamptz, email text
);
CREATE TABLE auth.mfa_factors (
  id uuid, user_id uuid, friendly_name text, factor_type text, status text, created_at timestamptz, secret text
);
"""


def take(api: World, *users: dict[str, Any]) -> dict[str, Any]:
    report: dict[str, Any] = api.ok("POST", "/api/users/import", {"users": users})
    return report


def sign_in(api: World, email: str, password: str = PASSWORD) -> int:
    body = {"email": email, "password": password}
    return api("POST", "/auth/v1/token?grant_type=password", body, key="").status


def a_user(**more: Any) -> dict[str, Any]:
    id = str(uuid4())
    email = f"{id}@example.com"
    return {
        "id": id,
        "email": email,
        "email_confirmed_at": "2024-01-01T00:00:00Z",
        "password_hash": HASH,
        "identities": [
            {"provider": "email", "provider_id": id, "identity_data": {"sub": id, "email": email}}
        ],
        **more,
    }


def test_a_user_comes_along_and_signs_in(api: World) -> None:
    user = a_user(
        user_metadata={"name": "Ада 🔑"},
        labels=["vip"],
        created_at="2020-05-05T05:05:05Z",
        factors=[{"friendly_name": "phone", "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}],
    )
    assert take(api, user) == {"taken": 1, "known": 0, "not_taken": []}
    assert take(api, user) == {"taken": 0, "known": 1, "not_taken": []}
    assert sign_in(api, user["email"]) == 200
    found = api.ok("GET", f"/api/users/{user['id']}")
    assert found["created_at"].startswith("2020-05-05")
    assert [each["status"] for each in found["factors"]] == ["verified"]
    assert [each["provider"] for each in found["identities"]] == ["email"]
    actions = {each["action"] for each in api.ok("GET", "/api/audit-logs?action=user.import")["items"]}
    assert actions == {"user.import"}


def test_what_cannot_be_taken_is_told_and_holds_up_nobody(api: World) -> None:
    first = a_user()
    take(api, first)
    good = a_user()
    same_address = a_user(email=first["email"].upper(), identities=[])
    other_hash = a_user(password_hash="$P$B12345678")
    no_address = a_user(email="no address")
    nul = a_user(user_metadata={"a": "\u0000"})
    short_secret = a_user(factors=[{"secret": "AAAA"}])
    stolen = a_user(identities=first["identities"])
    report = take(api, good, same_address, other_hash, no_address, nul, short_secret, stolen)
    assert (report["taken"], report["known"]) == (4, 0)
    told = {(each["user_id"], each["what"]) for each in report["not_taken"]}
    assert told == {
        (same_address["id"], "user"),
        (other_hash["id"], "password"),
        (no_address["id"], "user"),
        (nul["id"], "user"),
        (short_secret["id"], "factor 1"),
        (stolen["id"], "identity email"),
    }
    assert sign_in(api, good["email"]) == 200
    assert sign_in(api, other_hash["email"]) == 400


@pytest.mark.parametrize(
    ("user", "path"),
    [
        ({"id": "no id"}, "body.users[0].id"),
        ({"id": str(UUID(int=7)), "nickname": "x"}, "body.users[0].nickname"),
        ({"id": str(UUID(int=7)), "created_at": "2024-01-01T00:00:00"}, "body.users[0].created_at"),
    ],
)
def test_a_user_that_is_none(api: World, user: dict[str, Any], path: str) -> None:
    answer = api("POST", "/api/users/import", {"users": [user]})
    assert answer.status == 422
    assert [each["path"] for each in answer.json["errors"]] == [path]


def test_a_key_gives_no_role_that_it_has_not(api: World) -> None:
    key = api.ok("POST", "/api/keys", {"name": "mover", "scopes": ["accounts:write"]})["key"]
    answer = api("POST", "/api/users/import", {"users": [a_user(role="service_role")]}, key=key)
    assert answer.status == 403


def _settings(suite_servers: dict[str, str]) -> dict[str, str]:
    return {**suite_servers, **ENVIRONMENT, "OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET}


def test_a_project_of_supabase(
    api: World, suite_servers: dict[str, str], empty_database_url: str, tmp_path: Path
) -> None:
    user, deleted, sso = a_user(), str(uuid4()), str(uuid4())
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(_SUPABASE.encode())
        connection.execute(
            b"INSERT INTO auth.users (id, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,"
            b" raw_user_meta_data, created_at, banned_until) VALUES (%s, 'authenticated', %s, %s, now(),"
            b' \'{"provider": "email"}\', \'{"name": "Ada"}\', \'2021-01-01\', NULL)',
            (user["id"], user["email"], HASH),
        )
        for id, column in ((deleted, "deleted_at"), (sso, "is_sso_user")):
            value = "now()" if column == "deleted_at" else "true"
            connection.execute(
                f"INSERT INTO auth.users (id, email, {column}) VALUES (%s, %s, {value})".encode(),
                (id, f"{id}@example.com"),
            )
        connection.execute(
            b"INSERT INTO auth.identities (provider_id, user_id, identity_data, provider, created_at)"
            b" VALUES ('4711', %s, '{\"sub\": \"4711\"}', 'github', now())",
            (user["id"],),
        )
        connection.execute(
            b"INSERT INTO auth.mfa_factors VALUES (gen_random_uuid(), %s, 'phone', 'totp', 'verified', now(), %s)",
            (user["id"], "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
        )
    settings = _settings(suite_servers)
    moved = ogel("accounts", "import", "supabase", empty_database_url, "--json", at=tmp_path, **settings)
    assert moved.code == 1, moved.err
    report = json.loads(moved.out)
    assert (report["taken"], report["known"]) == (1, 0)
    assert {each["user_id"]: each["reason"] for each in report["not_taken"]} == {
        deleted: "was deleted",
        sso: "signs in by SAML",
    }
    assert sign_in(api, user["email"]) == 200
    found = api.ok("GET", f"/api/users/{user['id']}")
    assert [each["provider"] for each in found["identities"]] == ["github"]
    assert [each["friendly_name"] for each in found["factors"]] == ["phone"]
    assert found["user_metadata"]["name"] == "Ada"
    again = ogel("accounts", "import", "supabase", empty_database_url, at=tmp_path, **settings)
    assert "0 taken, 1 were there already" in again.out
    nowhere = ogel("accounts", "import", "supabase", "postgres://127.0.0.1:1/x", at=tmp_path, **settings)
    assert nowhere.code == 2
    assert "refused" in nowhere.err
    typo = ogel("accounts", "import", "supabase", "postgres//u:secret@h/x", at=tmp_path, **settings)
    assert (typo.code, "secret" in typo.err) == (2, False)


def _appwrite_scrypt() -> dict[str, Any]:
    digest = hashlib.scrypt(PASSWORD.encode(), salt=b"salt", n=8, r=14, p=1, dklen=64)
    options = {
        "type": "scrypt",
        "salt": "salt",
        "costCpu": 8,
        "costMemory": 14,
        "costParallel": 1,
        "length": 64,
    }
    return {"password": digest.hex(), "hash": "scrypt", "hashOptions": options}


def test_hashes_of_appwrite() -> None:
    assert is_right(hash_of({"password": HASH, "hash": "bcrypt"}) or "", PASSWORD.encode())
    assert is_right(hash_of(_appwrite_scrypt()) or "", PASSWORD.encode())
    firebase = {
        "type": "scryptMod",
        "salt": "42xEC+ixf3L2lw==",
        "saltSeparator": "Bw==",
        "signerKey": "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
    }
    password = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
    modified = {"password": password, "hash": "scryptMod", "hashOptions": firebase}
    assert is_right(hash_of(modified) or "", b"user1password")
    assert hash_of({"password": "5f4dcc3b5aa765d61d8327deb882cf99", "hash": "md5"}) is None
    assert hash_of({"password": "zz", "hash": "scrypt", "hashOptions": {"salt": "x"}}) is None


def test_a_project_of_appwrite(api: World, suite_servers: dict[str, str], tmp_path: Path) -> None:
    email = f"{uuid4().hex}@example.com"
    users = [
        {
            "$id": "ada",
            "name": "Ada",
            "email": email,
            "emailVerification": True,
            "registration": "2022-02-02T02:02:02.000+00:00",
            "labels": ["vip"],
            "prefs": {"theme": "dark"},
            "status": True,
            **_appwrite_scrypt(),
        },
        {
            "$id": "old",
            "email": f"{uuid4().hex}@example.com",
            "password": "x" * 32,
            "hash": "md5",
            "status": False,
        },
    ]
    file = tmp_path / "users.json"
    file.write_text(json.dumps({"total": 2, "users": users}))
    settings = _settings(suite_servers)
    moved = ogel("accounts", "import", "appwrite", "--file", str(file), at=tmp_path, **settings)
    assert moved.code == 1, moved.err
    assert "2 taken" in moved.out
    assert "md5" in moved.out
    assert sign_in(api, email) == 200
    [found] = api.ok("GET", f"/api/users?email={email}")["items"]
    assert found["app_metadata"]["appwrite_id"] == "ada"
    assert found["user_metadata"] == {"theme": "dark", "name": "Ada"}
    (tmp_path / "none.json").write_text("[1]")
    none = ogel(
        "accounts", "import", "appwrite", "--file", str(tmp_path / "none.json"), at=tmp_path, **settings
    )
    assert none.code != 0
    assert "Traceback" not in none.err
