"""`ogel accounts import appwrite`"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, UUID, uuid5

import click

from ogel.cli.accounts.taking import BATCH, Json, take
from ogel.cli.operator import json_option
from ogel.kernel.errors import ConfigError, OgelError

if TYPE_CHECKING:
    from ogel.features.accounts.imports.imported import NotTaken

_SECONDS = 60.0
_AS_LONG_AS_IT_TAKES = "9999-12-31T00:00:00Z"


@click.command("appwrite")
@click.option(
    "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Users as JSON."
)
@click.option("--endpoint", help="https://cloud.appwrite.io/v1, or that of your own.")
@click.option("--project", help="Its id.")
@click.option("--key", envvar="APPWRITE_API_KEY", help="With the scope users.read. Also APPWRITE_API_KEY.")
@click.option("--after", metavar="ID", help="Go on behind this user.")
@json_option
def command(
    file: Path | None,
    endpoint: str | None,
    project: str | None,
    key: str | None,
    after: str | None,
    as_json: bool,
) -> None:
    """
    Users of an Appwrite project, from its API or from a file.

    The file holds what the API answers: `{"users": […]}`, or the list alone. Ids there are no UUIDs: each user gets one
    that follows from theirs, which is kept as `appwrite_id` in `app_metadata`. Passwords by Argon2, bcrypt and scrypt
    come along; who has another hash sets a new one by mail.
    """
    if file is not None:
        pages = _in_file(file, after)
    elif endpoint and project and key:
        pages = _asked(endpoint, project, key, after)
    else:
        raise click.UsageError("say --file, or --endpoint, --project and --key")
    not_taken: list[NotTaken] = []
    take(_batches(pages, project or "", not_taken), not_taken, as_json)


def _batches(
    pages: Iterator[Sequence[Json]], project: str, not_taken: list[NotTaken]
) -> Iterator[tuple[Sequence[Json], str]]:
    from ogel.features.accounts.imports.imported import NotTaken

    for page in pages:
        bodies = []
        for user in page:
            body, without_password = user_body(user, project)
            if without_password:
                said = f"its hash ({user.get('hash')}) cannot be verified here"
                not_taken.append(NotTaken(UUID(body["id"]), "password", said))
            bodies.append(body)
        yield bodies, page[-1]["$id"]


def _in_file(file: Path, after: str | None) -> Iterator[Sequence[Json]]:
    try:
        found = json.loads(file.read_bytes())
        users = found["users"] if isinstance(found, dict) else found
        ids = [each["$id"] for each in users]
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"{file} holds no users of Appwrite: {error!r}") from error
    start = ids.index(after) + 1 if after in ids else 0
    for at in range(start, len(users), BATCH):
        yield users[at : at + BATCH]


def _asked(endpoint: str, project: str, key: str, after: str | None) -> Iterator[Sequence[Json]]:
    import urllib3

    headers = {"x-appwrite-project": project, "x-appwrite-key": key, "accept": "application/json"}
    with urllib3.PoolManager() as pool:
        while True:
            queries = [_query("limit", BATCH), _query("orderAsc", "$id")]
            if after is not None:
                queries.append(_query("cursorAfter", after))
            target = f"{endpoint.rstrip('/')}/users?{urlencode([('queries[]', each) for each in queries])}"
            try:
                answer = pool.request("GET", target, headers=headers, timeout=_SECONDS, redirect=False)
                users = answer.json()["users"] if answer.status == 200 else None
            except (urllib3.exceptions.HTTPError, ValueError, LookupError) as error:
                raise OgelError(f"{endpoint} does not answer as Appwrite does: {error}") from error
            if users is None:
                raise OgelError(
                    f"{endpoint} answers {answer.status}: {answer.data[:200].decode(errors='replace')}"
                )
            if not users:
                return
            yield users
            after = users[-1]["$id"]


def _query(method: str, value: object) -> str:
    if method == "orderAsc":
        return json.dumps({"method": method, "attribute": value})
    return json.dumps({"method": method, "values": [value]})


def user_body(user: Json, project: str) -> tuple[Json, bool]:
    """A user of Appwrite as /api/users/import takes it, and whether a password had to be left behind."""
    id = str(uuid5(NAMESPACE_URL, f"appwrite:{project}/users/{user['$id']}"))
    body: Json = {
        "id": id,
        "app_metadata": {"provider": "email", "providers": ["email"], "appwrite_id": user["$id"]},
        "user_metadata": {
            **(user.get("prefs") or {}),
            **({"name": user["name"]} if user.get("name") else {}),
        },
        "labels": user.get("labels") or [],
    }
    since = user.get("registration") or user.get("$createdAt")
    if since:
        body["created_at"] = since
    for name, verified in (("email", "emailVerification"), ("phone", "phoneVerification")):
        if user.get(name):
            body[name] = user[name]
            if user.get(verified) and since:
                body[f"{name}_confirmed_at"] = since
    if user.get("email"):
        body["identities"] = [_email_identity(id, user)]
    if not user.get("email") and not user.get("phone"):
        body["is_anonymous"] = True
    if user.get("status") is False:
        body["banned_until"] = _AS_LONG_AS_IT_TAKES
    if user.get("accessedAt"):
        body["last_sign_in_at"] = user["accessedAt"]
    hash = hash_of(user) if user.get("password") else None
    if hash is not None:
        body["password_hash"] = hash
    return body, bool(user.get("password")) and hash is None


def _email_identity(id: str, user: Json) -> Json:
    verified = bool(user.get("emailVerification"))
    data = {"sub": id, "email": user["email"], "email_verified": verified, "phone_verified": False}
    return {"provider": "email", "provider_id": id, "identity_data": data}


def hash_of(user: Json) -> str | None:
    """Returns the password's hash in one of our forms; None for one that cannot be."""
    password, options = user["password"], user.get("hashOptions") or {}
    try:
        match str(user.get("hash", "")).lower():
            case "argon2" | "bcrypt":
                return str(password)
            case "scrypt":
                return _scrypt(password, options)
            case "scryptmod" | "scryptmodified":
                return (
                    f"$fbscrypt$v=1,n=14,r=8,p=1,ss={options['saltSeparator']},sk={options['signerKey']}"
                    f"${options['salt']}${password}"
                )
    except (LookupError, ValueError, TypeError):
        return None
    return None


def _scrypt(password: str, options: Json) -> str | None:
    """Appwrite counts N itself, where the form has its exponent; its hash is in hex."""
    cost = int(options["costCpu"])
    exponent = cost.bit_length() - 1
    if cost != 2**exponent:
        return None
    salt, digest = _base64(str(options["salt"]).encode()), _base64(bytes.fromhex(password))
    return f"$scrypt$ln={exponent},r={options['costMemory']},p={options['costParallel']}${salt}${digest}"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")
