"""What each variable of a project would be: references before literals, and a reason where it stays."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ogel.features.network.moves.planning import Plan, plan
from ogel.features.network.moves.view import View
from tests.unit.features.network.projects import PASSWORD, PUBLIC_POSTGRES, PUBLIC_REDIS, view

API = {"api": "api-production-1f2e.up.railway.app"}


def moved(found: Plan) -> Mapping[str, str]:
    return {f"{each.service}.{each.name}": each.after for each in found.moves}


def left(found: Plan) -> Mapping[str, str]:
    """Without the public URLs that the templates of databases have of themselves."""
    said = {f"{each.service}.{each.name}": each.reason for each in found.left}
    own = [said.pop(name) for name in ("Postgres.DATABASE_PUBLIC_URL", "Redis.REDIS_PUBLIC_URL")]
    assert set(own) == {"it is the service's own public address"}
    return said


def after(project: View, name: str, service: str = "studio") -> str | None:
    """What the variable would stand for."""
    changed = {each.key: each.after for each in plan(project).moves}
    key = f"id-{service}", name
    return project.render(key, changed.get(key, project.variables[key[0]][name].written), changed)


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        (PUBLIC_POSTGRES, "${{Postgres.DATABASE_URL}}"),
        ("${{Postgres.DATABASE_PUBLIC_URL}}", "${{Postgres.DATABASE_URL}}"),
        (PUBLIC_POSTGRES + "?sslmode=require", "${{Postgres.DATABASE_URL}}?sslmode=require"),
        (PUBLIC_POSTGRES.replace("postgresql:", "postgres:"), "${{Postgres.DATABASE_URL}}"),
        (PUBLIC_REDIS, "${{Redis.REDIS_URL}}"),
        (PUBLIC_REDIS + "?family=0", "${{Redis.REDIS_URL}}?family=0"),
        # Nothing there says the same: another database, another driver, another login.
        (
            PUBLIC_POSTGRES.replace("/railway", "/orders"),
            f"postgresql://postgres:{PASSWORD}@${{{{Postgres.RAILWAY_PRIVATE_DOMAIN}}}}:5432/orders",
        ),
        (
            PUBLIC_POSTGRES.replace("postgresql:", "postgresql+asyncpg:"),
            f"postgresql+asyncpg://postgres:{PASSWORD}@${{{{Postgres.RAILWAY_PRIVATE_DOMAIN}}}}:5432/railway",
        ),
        (
            "postgresql://app:${{Postgres.POSTGRES_PASSWORD}}@maglev.proxy.rlwy.net:20105/railway",
            "postgresql://app:${{Postgres.POSTGRES_PASSWORD}}@${{Postgres.RAILWAY_PRIVATE_DOMAIN}}:5432/railway",
        ),
        (
            "postgresql://app:x@${{Postgres.RAILWAY_TCP_PROXY_DOMAIN}}:${{Postgres.RAILWAY_TCP_PROXY_PORT}}/railway",
            "postgresql://app:x@${{Postgres.RAILWAY_PRIVATE_DOMAIN}}:5432/railway",
        ),
        # A password that holds what separates, and an address that stands in the middle of something else.
        (
            "postgresql://app:p/w?@#@maglev.proxy.rlwy.net:20105/railway",
            "postgresql://app:p/w?@#@${{Postgres.RAILWAY_PRIVATE_DOMAIN}}:5432/railway",
        ),
        (
            '{"cache": {"host": "MAGLEV.proxy.rlwy.net:31999"}, "db": 1}',
            '{"cache": {"host": "${{Redis.RAILWAY_PRIVATE_DOMAIN}}:6379"}, "db": 1}',
        ),
        (
            "maglev.proxy.rlwy.net:31999,maglev.proxy.rlwy.net:20105",
            "${{Redis.RAILWAY_PRIVATE_DOMAIN}}:6379,${{Postgres.RAILWAY_PRIVATE_DOMAIN}}:5432",
        ),
        # The seed's: HTTP is all that a domain carries, so that it has no password either.
        ("redis://cache-production.up.railway.app:6379", "${{Redis.REDIS_URL}}"),
    ],
)
def test_a_reference_where_one_says_the_same(written: str, becomes: str) -> None:
    project = view(studio={"ANY_NAME": written}, domains={"Redis": "cache-production.up.railway.app"})
    assert moved(plan(project)) == {"studio.ANY_NAME": becomes}
    assert "railway.internal" in (after(project, "ANY_NAME") or "")


def test_host_and_port_move_together() -> None:
    """As the seed has them; a domain of proxies is shared, only its port says whose it is."""
    studio = {
        "POSTGRES_HOST": "maglev.proxy.rlwy.net",
        "POSTGRES_PORT": "20105",
        "REDISHOST": "${{Redis.RAILWAY_TCP_PROXY_DOMAIN}}",
        "REDISPORT": "${{Redis.RAILWAY_TCP_PROXY_PORT}}",
    }
    project = view(studio=studio)
    assert moved(plan(project)) == {
        "studio.POSTGRES_HOST": "${{Postgres.RAILWAY_PRIVATE_DOMAIN}}",
        "studio.POSTGRES_PORT": "5432",
        "studio.REDISHOST": "${{Redis.RAILWAY_PRIVATE_DOMAIN}}",
        "studio.REDISPORT": "6379",
    }
    assert after(project, "REDISHOST") == "redis.railway.internal"


def test_a_port_moves_with_a_host_that_follows() -> None:
    project = view(
        shared={"PG_HOST": "maglev.proxy.rlwy.net", "PG_PORT": "20105"},
        studio={"POSTGRES_HOST": "${{shared.PG_HOST}}", "POSTGRES_PORT": "20105"},
        api={"POSTGRES_HOST": "${{shared.PG_HOST}}", "POSTGRES_PORT": "${{shared.PG_PORT}}"},
    )
    assert moved(plan(project)) == {
        "shared.PG_HOST": "${{Postgres.RAILWAY_PRIVATE_DOMAIN}}",
        "shared.PG_PORT": "5432",
        "studio.POSTGRES_PORT": "5432",
    }
    assert (after(project, "POSTGRES_HOST"), after(project, "POSTGRES_PORT")) == (
        "postgres.railway.internal",
        "5432",
    )
    assert after(project, "POSTGRES_PORT", "api") == "5432"
    kept = plan(project, without=["shared.PG_PORT", "studio.POSTGRES_HOST"])
    assert "you said so of PG_PORT" in left(kept)["shared.PG_HOST"]


def test_http_moves_where_its_port_is_known() -> None:
    written = {"API_URL": f"https://{API['api']}/v1?x=1", "SOCKET": f"wss://{API['api']}/ws"}
    [why] = {*left(plan(view(studio=written, api={}, domains=API))).values()}
    assert why.startswith("PORT is not set on api")
    project = view(studio=written, api={"PORT": "8080"}, domains=API)
    assert moved(plan(project)) == {
        "studio.API_URL": "http://${{api.RAILWAY_PRIVATE_DOMAIN}}:${{api.PORT}}/v1?x=1",
        "studio.SOCKET": "ws://${{api.RAILWAY_PRIVATE_DOMAIN}}:${{api.PORT}}/ws",
    }
    assert after(project, "API_URL") == "http://api.railway.internal:8080/v1?x=1"
    assert {each.note for each in plan(project).moves} == {"api must listen on ::, not on 0.0.0.0 alone"}


def test_a_domain_of_ones_own_is_public_too() -> None:
    project = view(
        studio={"API_URL": "https://api.example.com"}, api={"PORT": "80"}, domains={"api": "api.example.com"}
    )
    assert after(project, "API_URL") == "http://api.railway.internal:80"


@pytest.mark.parametrize(
    "name",
    [
        *("NEXT_PUBLIC_API_URL", "VITE_API", "PUBLIC_API", "REACT_APP_API", "SITE_URL", "API_PUBLIC_URL"),
        *(
            "OAUTH_REDIRECT_URI",
            "CORS_ORIGINS",
            "JWT_ISSUER",
            "API_EXTERNAL_URL",
            "NEXTAUTH_URL",
            "WEBHOOK_URL",
        ),
        *("S3_ENDPOINT", "FRONTEND_URL", "STRIPE_SUCCESS_URL"),
    ],
)
def test_what_browsers_are_told_stays(name: str) -> None:
    project = view(studio={name: f"https://{API['api']}"}, api={"PORT": "8080"}, domains=API)
    found = plan(project)
    assert not found.moves
    assert list(left(found)) == [f"studio.{name}"]
    assert moved(plan(project, also=[f"studio.{name}"])) == {
        f"studio.{name}": "http://${{api.RAILWAY_PRIVATE_DOMAIN}}:${{api.PORT}}"
    }


def test_what_stays_says_why() -> None:
    studio = {
        "OTHERS": "postgresql://u:p@maglev.proxy.rlwy.net:4242/x",
        "NO_PORT": "postgresql://u:p@maglev.proxy.rlwy.net/x",
        "STAGING": "postgresql://u:p@roundhouse.proxy.rlwy.net:1234/x",
        "ALONE_HOST": "maglev.proxy.rlwy.net",
        "BARE": API["api"],
        "SELF": "https://studio-production.up.railway.app",
        "TOLD": "${{shared.KEPT}}",
    }
    project = view(
        studio=studio,
        api={"PORT": "1"},
        shared={"KEPT": PUBLIC_POSTGRES},
        domains={**API, "studio": "studio-production.up.railway.app"},
        abroad={"roundhouse.proxy.rlwy.net:1234": "staging"},
    )
    why = left(plan(project, without=["shared.KEPT", "studio.TOLD"]))
    expected = {
        "studio.OTHERS": "none of this environment's",
        "studio.NO_PORT": "it has no port",
        "studio.STAGING": "the environment staging",
        "studio.ALONE_HOST": "ALONE_PORT, ALONE_HOST_PORT",
        "studio.BARE": "without http://",
        "studio.SELF": "own public address",
        "shared.KEPT": "you said so",
        "studio.TOLD": "you said so",
    }
    assert {name: part for name, part in expected.items() if part not in why[name]} == {}
    assert set(why) == set(expected)


def test_what_refers_to_what_is_moved_follows() -> None:
    project = view(
        shared={"DB": PUBLIC_POSTGRES},
        studio={"A_URL": "${{shared.DB}}", "B_URL": "${{A_URL}}", "DIRECT": "${{Postgres.DATABASE_URL}}"},
        api={"DB": "${{studio.B_URL}}?x=1"},
    )
    found = plan(project)
    assert moved(found) == {"shared.DB": "${{Postgres.DATABASE_URL}}"}
    assert "leave that, too" in left(plan(project, without=["api.DB"]))["api.DB"]
    assert [f"{each.service}.{each.name}" for each in found.follows] == [
        "api.DB",
        "studio.A_URL",
        "studio.B_URL",
    ]


def test_references_in_a_circle_are_left() -> None:
    project = view(studio={"A": PUBLIC_POSTGRES})
    variables = dict(project.variables["id-studio"])
    from ogel.features.network.moves.view import Written

    variables["LOOP"] = Written("${{LOOP}}", PUBLIC_POSTGRES.replace("/railway", "/loop"))
    circle = View("shop", "production", project.instances, {**project.variables, "id-studio": variables})
    assert "not understood" in left(plan(circle))["studio.LOOP"]


def test_nothing_that_is_shown_holds_a_password() -> None:
    project = view(
        studio={"A": PUBLIC_POSTGRES, "B": PUBLIC_POSTGRES.replace("/railway", "/orders"), "C": PUBLIC_REDIS}
    )
    found = plan(project)
    shown = [repr(found), *(f"{each.becomes} {each.leaves} {each.note}" for each in found.moves)]
    assert not any(PASSWORD in each for each in shown)
    assert len(found.moves) == 3


def test_a_plan_is_known_by_what_it_would_write() -> None:
    first = plan(view(studio={"A": PUBLIC_POSTGRES})).fingerprint
    assert first == plan(view(studio={"A": PUBLIC_POSTGRES})).fingerprint
    assert first != plan(view(studio={"A": PUBLIC_POSTGRES + "?x=1"})).fingerprint
