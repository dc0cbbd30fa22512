"""Users in their tables: made once however many try, changed column by column, told of, and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.services import Accounts
from ogel.features.accounts.users.user import NewIdentity, NewUser, User
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Transaction
from tests.support.world import World

CALLER = Caller(SYSTEM, "req_test")
Result = TypeVar("Result")


@pytest.fixture
def accounts(api: World) -> Accounts:
    offered: Accounts = api.platform.features["accounts"].offers
    return offered


def within(api: World, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
    """In a transaction, on the loop of the API."""

    async def transaction() -> Result:
        async with api.platform.core.database.transaction() as tx:
            return await work(tx)

    return asyncio.run_coroutine_threadsafe(transaction(), api._loop).result(10)


def told(api: World, id: UUID) -> list[dict[str, Any]]:
    """Events about a user, the oldest first."""
    events: list[dict[str, Any]] = api.ok("GET", f"/api/events?subject={id}")["items"]
    return [api.ok("GET", f"/api/events/{each['id']}") for each in reversed(events)]


def audited(api: World, id: UUID) -> list[str]:
    records = api.ok("GET", f"/api/audit-logs?resource_id={id}")["items"]
    return [each["action"] for each in reversed(records)]


def make(api: World, accounts: Accounts, **of: Any) -> User:
    return within(api, lambda tx: accounts.users.create(tx, CALLER, NewUser(**of)))


def test_a_user_is_made_with_an_identity_an_event_and_a_record(api: World, accounts: Accounts) -> None:
    user = make(
        api, accounts, email="ada@example.com", password_hash="$2b$…", user_metadata={"a": "b"}, signs_up=True
    )
    [identity] = within(api, lambda tx: accounts.user_store.identities(tx, user.id))
    said = {
        "sub": str(user.id),
        "email": "ada@example.com",
        "email_verified": False,
        "phone_verified": False,
        "a": "b",
    }
    assert (identity.provider, identity.provider_id, identity.identity_data) == ("email", str(user.id), said)
    assert user.user_metadata == said
    assert user.app_metadata == {"provider": "email", "providers": ["email"]}
    assert within(api, lambda tx: accounts.user_store.by_email(tx, "ada@example.com")) == user
    [event] = told(api, user.id)
    assert event["type"] == "auth.user.created"
    assert "$2b$" not in str(event)
    assert audited(api, user.id) == ["user.create"]


def test_of_many_who_come_at_once_one_gets_the_address(api: World, accounts: Accounts) -> None:
    async def crowd() -> list[Any]:
        async def one() -> User:
            async with api.platform.core.database.transaction() as tx:
                return await accounts.users.create(tx, CALLER, NewUser(email="race@example.com"))

        return await asyncio.gather(*(one() for _ in range(8)), return_exceptions=True)

    results = asyncio.run_coroutine_threadsafe(crowd(), api._loop).result(20)
    refused = [each for each in results if isinstance(each, AccountError)]
    assert [each.code for each in refused] == ["email_exists"] * 7
    assert len([each for each in results if isinstance(each, User)]) == 1


def test_another_sites_identity_belongs_to_one_user(api: World, accounts: Accounts) -> None:
    identity = NewIdentity("github", "4711", {"sub": "4711", "email": "octo@example.com"})
    user = make(api, accounts, email="octo@example.com", email_confirmed=True, identity=identity)
    assert user.app_metadata == {"provider": "github", "providers": ["github"]}
    with pytest.raises(AccountError):
        make(api, accounts, email="other@example.com", identity=identity)
    assert within(api, lambda tx: accounts.user_store.by_email(tx, "other@example.com")) is None


def test_a_change_says_what_changed_and_no_secret(api: World, accounts: Accounts) -> None:
    user = make(api, accounts, email="change@example.com", password_hash="old-hash")

    async def change(tx: Transaction) -> User:
        before = await accounts.user_store.lock(tx, user.id)
        assert before is not None
        after = await accounts.user_store.update(
            tx, user.id, encrypted_password="new-hash", labels=["vip"], raw_user_meta_data={"имя": "Ада 🔑"}
        )
        await accounts.users.changed(tx, CALLER, before, after)
        await accounts.users.changed(tx, CALLER, after, after)
        return after

    after = within(api, change)
    assert (after.labels, after.user_metadata, after.email) == (["vip"], {"имя": "Ада 🔑"}, user.email)
    assert after.updated_at > user.updated_at
    event = told(api, user.id)[-1]
    assert event["type"] == "auth.user.updated"
    assert event["data"]["changed"] == ["user_metadata", "labels", "password"]
    assert "-hash" not in str(event)
    assert audited(api, user.id) == ["user.create", "user.update"]


def test_a_user_is_gone_or_forgotten(api: World, accounts: Accounts) -> None:
    gone = make(api, accounts, email="gone@example.com")
    assert within(api, lambda tx: accounts.users.delete(tx, CALLER, gone.id))
    assert not within(api, lambda tx: accounts.users.delete(tx, CALLER, gone.id))
    assert within(api, lambda tx: accounts.user_store.get(tx, gone.id)) is None
    assert [each["type"] for each in told(api, gone.id)] == ["auth.user.created", "auth.user.deleted"]

    soft = make(api, accounts, email="soft@example.com", user_metadata={"name": "Soft"}, password_hash="x")
    assert within(api, lambda tx: accounts.users.delete(tx, CALLER, soft.id, soft=True))
    kept = within(api, lambda tx: accounts.user_store.get(tx, soft.id))
    assert kept is not None
    assert kept.deleted_at is not None
    assert kept.encrypted_password is None
    assert "soft" not in f"{kept.email}{kept.user_metadata}".lower()
    # The address is free again.
    assert make(api, accounts, email="soft@example.com").id != soft.id


def test_nobody_is_nobody(api: World, accounts: Accounts) -> None:
    assert within(api, lambda tx: accounts.user_store.get(tx, uuid4())) is None
    assert within(api, lambda tx: accounts.user_store.by_email(tx, "nobody@example.com")) is None
