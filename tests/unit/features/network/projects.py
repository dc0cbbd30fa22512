"""A project as Railway tells of it, with the variables that its templates make."""

from __future__ import annotations

from collections.abc import Mapping

from ogel.features.network.moves.view import REFERENCE, Variables, View, Written
from ogel.runtime.railway import Instance, TcpProxy

PASSWORD = "hWkzNQtbPpVdRmXy"
POSTGRES = {
    "PGUSER": "postgres",
    "POSTGRES_PASSWORD": PASSWORD,
    "PGDATABASE": "railway",
    "PGHOST": "${{RAILWAY_PRIVATE_DOMAIN}}",
    "PGPORT": "5432",
    "DATABASE_URL": "postgresql://${{PGUSER}}:${{POSTGRES_PASSWORD}}@${{RAILWAY_PRIVATE_DOMAIN}}:5432/${{PGDATABASE}}",
    "DATABASE_PUBLIC_URL": "postgresql://${{PGUSER}}:${{POSTGRES_PASSWORD}}@${{RAILWAY_TCP_PROXY_DOMAIN}}"
    ":${{RAILWAY_TCP_PROXY_PORT}}/${{PGDATABASE}}",
}
REDIS = {
    "REDISUSER": "default",
    "REDIS_PASSWORD": PASSWORD,
    "REDIS_URL": "redis://${{REDISUSER}}:${{REDIS_PASSWORD}}@${{RAILWAY_PRIVATE_DOMAIN}}:6379",
    "REDIS_PUBLIC_URL": "redis://${{REDISUSER}}:${{REDIS_PASSWORD}}@${{RAILWAY_TCP_PROXY_DOMAIN}}"
    ":${{RAILWAY_TCP_PROXY_PORT}}",
}
PROXIES = {
    "Postgres": ("maglev.proxy.rlwy.net", 20105, 5432),
    "Redis": ("maglev.proxy.rlwy.net", 31999, 6379),
}
PUBLIC_POSTGRES = f"postgresql://postgres:{PASSWORD}@maglev.proxy.rlwy.net:20105/railway"
PUBLIC_REDIS = f"redis://default:{PASSWORD}@maglev.proxy.rlwy.net:31999"


def view(
    shared: Mapping[str, str] = {},
    domains: Mapping[str, str] = {},
    abroad: Mapping[str, str] = {},
    **services: Mapping[str, str],
) -> View:
    """`services` beside Postgres and Redis, by name; the values of variables as they are written."""
    written = {"Postgres": POSTGRES, "Redis": REDIS, **services}
    instances = {}
    for name in written:
        proxies = [TcpProxy(f"proxy-{name}", *PROXIES[name])] if name in PROXIES else []
        instances[f"id-{name}"] = Instance(
            f"id-{name}",
            name,
            "env",
            domains=[domains[name]] if name in domains else [],
            private_domain=f"{name.lower()}.railway.internal",
            proxies=proxies,
        )
    variables: dict[str | None, Variables] = {
        None: {name: Written(value, value) for name, value in shared.items()},
        **{
            f"id-{service}": {name: Written(value, value) for name, value in values.items()}
            for service, values in written.items()
        },
    }
    bare = View("shop", "production", instances, variables, abroad)

    everything = {
        (owner, name): each.written for owner, values in variables.items() for name, each in values.items()
    }

    def rendered(owner: str | None, name: str, value: str) -> Written:
        text = bare.render((owner, name), value, everything)
        assert text is not None and not REFERENCE.search(text), value
        return Written(value, text)

    whole = {
        owner: {name: rendered(owner, name, each.written) for name, each in values.items()}
        for owner, values in variables.items()
    }
    return View("shop", "production", instances, whole, abroad)
