"""Tables as they are made for Supabase, read by people who signed up here: from the token to the rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ogel.kernel.principal import ANONYMOUS, Principal
from ogel.runtime.http.credentials import KEY, TOKEN, Credential
from tests.support.people import CALLER, People
from tests.support.process import ADMIN_KEY
from tests.support.world import World

ENVIRONMENT = {"OGEL_AUTH_AUTOCONFIRM": "yes"}
GUIDE = Path(__file__).parents[3] / "docs" / "row-level-security.md"
# The first thing that Supabase's guides have one make: a profile for each user, by a trigger.
PROFILES = """
CREATE TABLE public.profiles (
  id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
  full_name text
);
ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON public.profiles TO anon, authenticated, service_role;
GRANT UPDATE ON public.profiles TO authenticated;
CREATE POLICY "Public profiles are viewable by everyone." ON public.profiles FOR SELECT USING (true);
CREATE POLICY "Users can update own profile." ON public.profiles FOR UPDATE USING ((SELECT auth.uid()) = id);
CREATE FUNCTION public.handle_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO public.profiles (id, full_name) VALUES (new.id, new.raw_user_meta_data ->> 'full_name');
  RETURN new;
END
$$;
CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users
  FOR EACH ROW EXECUTE PROCEDURE public.handle_new_user();
"""
NAMES = b"SELECT full_name FROM profiles ORDER BY full_name"


@pytest.fixture(scope="module")
def people(api: World, suite_servers: dict[str, str]) -> People:
    with psycopg.connect(suite_servers["DATABASE_URL"]) as connection:
        connection.execute(PROFILES.encode())
        for block in re.findall(r"```sql\n(CREATE TABLE.*?)```", GUIDE.read_text(), re.DOTALL):
            connection.execute(block.encode())
    return People(api)


def signed_up(api: World, name: str) -> Any:
    body = {"email": f"{name}@example.com", "password": "correct horse 42", "data": {"full_name": name}}
    answer = api("POST", "/auth/v1/signup", body, key="")
    assert answer.status == 200, answer.raw
    return answer.json


def principal_of(people: People, kind: str, credential: str) -> Principal:
    authenticate = {KEY: "keys", TOKEN: "accounts"}
    feature = people._world.platform.features[authenticate[kind]]
    found = people.run(feature.authenticators[kind](Credential(kind, credential), CALLER))
    assert found is not None
    return found


def asked(people: People, principal: Principal, query: bytes, **parameters: Any) -> list[Any]:
    async def ask(tx: Any) -> list[Any]:
        async with tx.acting_as(principal):
            rows: list[Any] = await tx.tuples(query, parameters)
            return rows

    return people.within(ask)


def test_a_sign_up_has_a_profile_that_only_its_user_changes(api: World, people: People) -> None:
    anna, ben = (signed_up(api, name) for name in ("Anna", "Ben"))
    as_anna, as_ben = (principal_of(people, TOKEN, each["access_token"]) for each in (anna, ben))
    change = b"UPDATE profiles SET full_name = full_name || '!' WHERE id = %(id)s RETURNING full_name"
    assert asked(people, ANONYMOUS, NAMES) == asked(people, as_ben, NAMES) == [("Anna",), ("Ben",)]
    assert asked(people, as_ben, change, id=anna["user"]["id"]) == []
    assert asked(people, as_anna, change, id=anna["user"]["id"]) == [("Anna!",)]
    assert asked(people, as_anna, b"SELECT auth.email(), auth.jwt() ->> 'aal'") == [
        ("anna@example.com", "aal1")
    ]
    assert api("DELETE", f"/api/users/{ben['user']['id']}").status == 204
    assert asked(people, ANONYMOUS, NAMES) == [("Anna!",)]


def test_the_guides_table_is_each_users_and_their_teams(api: World, people: People) -> None:
    cleo, dora = (signed_up(api, name) for name in ("Cleo", "Dora"))
    team = api.ok("POST", "/api/teams", {"name": "blue", "owner": cleo["user"]["id"]})["id"]
    admin = principal_of(people, KEY, ADMIN_KEY)
    add = b"INSERT INTO notes (user_id, team, body) VALUES (%(user)s, %(team)s, %(body)s) RETURNING body"
    read = b"SELECT body FROM notes ORDER BY body"

    def bodies(signed_in: Any) -> list[str]:
        return [
            body for (body,) in asked(people, principal_of(people, TOKEN, signed_in["access_token"]), read)
        ]

    for body, who, whose in (("cleo's", cleo, None), ("dora's", dora, None), ("the team's", None, team)):
        asked(people, admin, add, user=who and who["user"]["id"], team=whose, body=body)
    assert bodies(cleo) == ["cleo's", "the team's"] and bodies(dora) == ["dora's"]
    as_dora = principal_of(people, TOKEN, dora["access_token"])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(people, as_dora, add, user=cleo["user"]["id"], team=None, body="forged")
    # With the token that she has.
    member = api.ok(
        "POST", f"/api/teams/{team}/members", {"user_id": dora["user"]["id"], "roles": ["member"]}
    )
    assert bodies(dora) == ["dora's", "the team's"]
    assert api("DELETE", f"/api/teams/{team}/members/{member['id']}").status == 204
    assert bodies(dora) == ["dora's"]
    publishable = api.ok("POST", "/api/keys", {"name": "web", "kind": "publishable"})["key"]
    for nobody in (ANONYMOUS, principal_of(people, KEY, publishable)):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asked(people, nobody, read)
