"""Identities taken off a user by DELETE /auth/v1/user/identities/{id}: one stays, with an address that is proven."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

from tests.integration.api.test_factors import verified
from tests.support.factors import AUTH, Person, somebody
from tests.support.people import People
from tests.support.world import World

ENVIRONMENT = {"OGEL_AUTH_MANUAL_LINKING": "true", "OGEL_RATE_SIGN_IN": "off"}


def with_github(world: World, email: str | None = None, *, verified: bool = True) -> tuple[Person, str]:
    """Somebody with a password, whom GitHub knows as well; and the id of that identity."""
    ada, people = somebody(world, password_hash="$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$0000"), People(world)
    data = {"email": email or f"{uuid4().hex}@other.example.com", "email_verified": verified}
    store = people.accounts.user_store
    identity = people.within(lambda tx: store.insert_identity(tx, ada.user.id, "github", uuid4().hex, data))
    assert identity is not None
    return ada, str(identity.id)


def identities(person: Person) -> dict[str, str]:
    return {each["provider"]: each["identity_id"] for each in person.ok("GET", "/user")["identities"]}


def test_another_sites_identity_goes_and_the_address_stays(api: World) -> None:
    ada, github = with_github(api)
    assert ada.ok("DELETE", f"/user/identities/{github}") == {}
    left = ada.ok("GET", "/user")
    assert [each["provider"] for each in left["identities"]] == ["email"]
    assert (left["email"], left["app_metadata"]["providers"]) == (ada.user.email, ["email"])
    again = (422, "single_identity_not_deletable")
    assert ada.refused("DELETE", f"/user/identities/{identities(ada)['email']}") == again


def test_a_password_goes_with_its_address(api: World) -> None:
    email = f"{uuid4().hex}@other.example.com"
    ada, _ = with_github(api, email)
    ada.ok("DELETE", f"/user/identities/{identities(ada)['email']}")
    left = ada.ok("GET", "/user")
    assert (left["email"], left["app_metadata"]) == (email, {"provider": "github", "providers": ["github"]})
    assert stored(api, ada.user.id).encrypted_password is None
    records = api.ok("GET", f"/api/audit-logs?user_id={ada.id}&action=identity.delete")["items"]
    assert [each["metadata"] for each in records] == [{"provider": "email"}]


def test_what_is_on_its_way_to_that_address_lets_nobody_in(api: World) -> None:
    ada, _ = with_github(api)
    wanted = {"type": "recovery", "email": ada.user.email}
    link = api.ok("POST", f"{AUTH}/admin/generate_link", wanted)
    ada.ok("DELETE", f"/user/identities/{identities(ada)['email']}")
    proof = {"type": "recovery", "token_hash": link["hashed_token"]}
    assert api("POST", f"{AUTH}/verify", proof).status == 403


def test_who_has_a_second_factor_shows_it_before(api: World) -> None:
    ada, github = with_github(api)
    verified(ada)
    weak = ada.another()
    assert weak.refused("DELETE", f"/user/identities/{github}") == (403, "insufficient_aal")
    ada.ok("DELETE", f"/user/identities/{github}")


def test_an_address_that_the_other_site_has_not_verified_is_not_believed(api: World) -> None:
    ada, _ = with_github(api, verified=False)
    ada.ok("DELETE", f"/user/identities/{identities(ada)['email']}")
    assert ada.ok("GET", "/user")["email"] == ""


def test_an_address_that_somebody_else_has_is_not_taken_over(api: World) -> None:
    bob = somebody(api)
    ada, _ = with_github(api, bob.user.email)
    refusal = (422, "email_conflict_identity_not_deletable")
    assert ada.refused("DELETE", f"/user/identities/{identities(ada)['email']}") == refusal
    assert set(identities(ada)) == {"email", "github"}


def test_of_two_at_once_one_stays(api: World) -> None:
    ada, _ = with_github(api)
    with ThreadPoolExecutor(2) as pool:
        each = identities(ada).values()
        answers = pool.map(lambda id: ada("DELETE", f"/user/identities/{id}").status, each)
        assert sorted(answers) == [200, 422]
    assert len(identities(ada)) == 1


def test_identities_of_others_are_none(api: World) -> None:
    ada, _ = with_github(api)
    eve, _ = with_github(api)
    stolen = identities(eve)["github"]
    assert ada.refused("DELETE", f"/user/identities/{stolen}") == (422, "identity_not_found")
    assert ada.refused("DELETE", "/user/identities/zzz") == (404, "validation_failed")


def stored(world: World, id: UUID) -> Any:
    people = People(world)
    return people.within(lambda tx: people.accounts.user_store.get(tx, id))
