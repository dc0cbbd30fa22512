"""
Railway, as far as its public API tells of it: a world that a test sets up, and a server that speaks GraphQL about it.

    world = World()
    project = world.project("shop")
    production = project.environment("production")
    postgres = production.service(
        "Postgres",
        image="ghcr.io/railwayapp-templates/postgres-ssl:18",
        variables={"PGPASSWORD": "secret", "DATABASE_URL": "postgresql://postgres:${{PGPASSWORD}}@${{RAILWAY_PRIVATE_DOMAIN}}/railway"},
        metrics={"MEMORY_USAGE_GB": 0.25, "NETWORK_TX_GB": 0.5},   # GB; of NETWORK_*: GB an hour
    )
    postgres.tcp_proxy(5432, "shortline.proxy.rlwy.net", 51234)
    postgres.volume("postgres-data", mount_path="/var/lib/postgresql/data", size_mb=5000, used_mb=1200)
    api = production.service("api", repo="you/shop", variables={"DATABASE_URL": "${{Postgres.DATABASE_URL}}"})
    api.domain("api-production.up.railway.app")
    api.deployed(commit="4f1c2d3", message="Orders can be paid")
    api.log("payment failed", severity="error")
    api.next_deployment("BUILDING", "DEPLOYING", "FAILED")          # how the next one will go

    with RailwayServer(world) as railway:
        environment = railway.variables()                           # OGEL_RAILWAY_API and RAILWAY_API_TOKEN
        environment = railway.variables(production)                 # the same with a token of that environment's
        railway.misbehave(status=429, headers={"Retry-After": "7"})  # the next request is answered so
        railway.misbehave(null="project.name", when="Project", times=None)
        assert railway.asked[-1].operation == "Project"

A service is made in one environment, or with `project.service(…)` in all there are; services of one name in the
environments of a project are the same service. Series are a number, a function of the time, or points. A deployment
moves to its next status whenever somebody has looked at it (`deployment(id)`), so that no test has to sleep.
Documents are held to `schema.graphql`, tokens to what they are for. As a process of its own:
`python -m tests.support.railway --world tests.some.module:make --port 0` prints its URL and token.
"""

from tests.support.railway.server import RailwayServer
from tests.support.railway.world import Deployment, Environment, Instance, Project, Workspace, World

__all__ = ["Deployment", "Environment", "Instance", "Project", "RailwayServer", "Workspace", "World"]
