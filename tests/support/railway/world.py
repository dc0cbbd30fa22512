"""What there is on Railway, and how it changes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.railway.series import Spec

# How a deployment goes where nobody says otherwise.
GOES_WELL = ("INITIALIZING", "BUILDING", "DEPLOYING", "SUCCESS")
RUNS = ("SUCCESS", "SLEEPING")


def _id() -> str:
    return str(uuid.uuid4())


@dataclass(eq=False)
class World:
    """
    page_size   how many of a list come at once at most, however many are asked for.
    now         Railway's clock.
    splits      usage comes in several rows for the same service and measurement.
    names_kept  configurations say how services are called on the private network.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    page_size: int = 500
    splits: bool = False
    names_kept: bool = True
    api_token: str = "0a1b2c3d-account-token"
    workspaces: list[Workspace] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)
    # What each token is for; None: everything.
    tokens: dict[str, Workspace | None] = field(default_factory=dict)
    project_tokens: dict[str, Environment] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tokens[self.api_token] = None

    def workspace(self, name: str = "Acme", **billing: Any) -> Workspace:
        self.workspaces.append(Workspace(self, name, **billing))
        return self.workspaces[-1]

    def project(self, name: str, workspace: Workspace | None = None) -> Project:
        """In the first workspace, if none is given."""
        home = workspace or (self.workspaces[0] if self.workspaces else self.workspace())
        self.projects.append(Project(self, home, name))
        return self.projects[-1]

    def environments(self) -> Iterator[Environment]:
        return (environment for project in self.projects for environment in project.environments)

    def instances(self) -> Iterator[Instance]:
        return (instance for environment in self.environments() for instance in environment.instances)

    def deployments(self) -> Iterator[Deployment]:
        return (deployment for instance in self.instances() for deployment in instance.deployments)


@dataclass
class Workflow:
    """A commit at work. It is `Running` for so many looks, and then done, or failed with this `error`."""

    running: int
    error: str | None

    @property
    def status(self) -> str:
        return "Running" if self.running > 0 else "Complete" if self.error is None else "Error"


@dataclass(eq=False)
class Workspace:
    """Amounts are dollars, limits whole ones."""

    world: World
    name: str
    current_usage: float = 0.0
    period_start: datetime | None = None
    period_end: datetime | None = None
    soft_limit: int | None = None
    hard_limit: int | None = None
    is_over_limit: bool = False
    id: str = field(default_factory=_id)

    def period(self) -> tuple[datetime, datetime]:
        """The month, where nothing is said."""
        start = self.period_start or self.world.now().replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        return start, self.period_end or (start + timedelta(days=32)).replace(day=1)

    def token(self) -> str:
        token = f"{_id()}-workspace"
        self.world.tokens[token] = self
        return token


@dataclass(eq=False)
class Project:
    """
    usage     of services that are deleted, by measurement.
    estimate  instead of what follows from the series.
    """

    world: World
    workspace: Workspace
    name: str
    environments: list[Environment] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    buckets: list[Bucket] = field(default_factory=list)
    usage: dict[str, float] = field(default_factory=dict)
    estimate: dict[str, float] = field(default_factory=dict)
    service_ids: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=_id)

    def environment(self, name: str) -> Environment:
        self.environments.append(Environment(self, name))
        return self.environments[-1]

    def service(self, name: str, **made_of: Any) -> Instance:
        """In every environment there is; returns the first one's."""
        first, *_ = [
            each.service(name, **made_of) for each in self.environments or [self.environment("production")]
        ]
        return first

    def bucket(self, name: str, size_bytes: float = 0, objects: int = 0, region: str = "iad") -> Bucket:
        self.buckets.append(Bucket(name, size_bytes, objects, region))
        return self.buckets[-1]


@dataclass(eq=False)
class Bucket:
    """In every environment, of the same size."""

    name: str
    size_bytes: float
    objects: int
    region: str
    id: str = field(default_factory=_id)


@dataclass(eq=False)
class Volume:
    name: str
    instance: Instance
    mount_path: str
    size_mb: int
    used_mb: float
    attached: bool = True
    deleted: bool = False
    id: str = field(default_factory=_id)


@dataclass(eq=False)
class Environment:
    """
    staged      in the shape of its configuration.
    restricted  only administrators may look into it, and no token of the world is one's.
    refuses     the next commit of staged changes, with these words; `slow`: how many looks it takes.
    made_by     by address, the configuration file that made it.
    """

    project: Project
    name: str
    shared: dict[str, str] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    staged: dict[str, Any] = field(default_factory=dict)
    patch_id: str = "<empty>"
    commits: list[str] = field(default_factory=list)
    restricted: bool = False
    refuses: str | None = None
    slow: int = 0
    made_by: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=_id)

    def service(self, name: str, **made_of: Any) -> Instance:
        """See Instance for what it can be made of."""
        service_id = self.project.service_ids.setdefault(name, _id())
        self.instances.append(Instance(self, name, service_id, **made_of))
        return self.instances[-1]

    def token(self) -> str:
        """A project's token, which is for this environment."""
        token = f"{_id()}-project"
        self.project.world.project_tokens[token] = self
        return token

    def instance(self, service_id: str) -> Instance | None:
        return next((each for each in self.instances if each.service_id == service_id), None)

    def config(self) -> dict[str, Any]:
        shared = {name: {"value": value} for name, value in self.shared.items()}
        return {
            "services": {each.service_id: each.config() for each in self.instances},
            "sharedVariables": shared,
            "volumes": {each.id: {"sizeMB": each.size_mb} for each in self.volumes()},
            "buckets": {each.id: {"region": each.region} for each in self.project.buckets},
        }

    def volumes(self) -> list[Volume]:
        return [each for each in self.project.volumes if each.instance.environment is self]

    def stage(self, patch: Mapping[str, Any], merge: bool) -> None:
        self.staged = merged(self.staged, patch) if merge else dict(patch)
        self.patch_id = _id() if self.staged else "<empty>"

    def commit(self, message: str, deploys: bool) -> str:
        """Returns the id of the workflow that does it. Services that change are deployed, if it `deploys`."""
        workflow_id = f"commitStagedPatch/{_id()}"
        self.project.world.workflows[workflow_id] = Workflow(self.slow, self.refuses)
        if self.refuses is not None:
            self.refuses = None
            return workflow_id
        for service_id, change in (self.staged.get("services") or {}).items():
            instance = self.instance(service_id)
            assert instance is not None
            _write(instance.variables, change.get("variables") or {})
            instance.image = (change.get("source") or {}).get("image", instance.image)
            if deploys:
                instance.deploy(reason="deploy")
        _write(self.shared, self.staged.get("sharedVariables") or {})
        self.commits.append(message)
        self.staged, self.patch_id = {}, "<empty>"
        return workflow_id


@dataclass(eq=False)
class Instance:
    """
    A service in one environment.

    sealed   names of variables that nobody is told.
    metrics  by measurement; NETWORK_* in GB an hour, everything else as it is at a time.
    usage    by measurement, instead of what follows from the series.
    limits   as serviceInstanceLimits tells them; None: it refuses to.
    """

    environment: Environment
    name: str
    service_id: str
    image: str | None = None
    repo: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)
    metrics: dict[str, Spec] = field(default_factory=dict)
    usage: dict[str, float] = field(default_factory=dict)
    start_command: str | None = None
    healthcheck_path: str | None = None
    cron: str | None = None
    sleeps: bool = False
    replicas: dict[str, int] = field(default_factory=lambda: {"us-west2": 1})
    private_name: str | None = None
    limits: dict[str, Any] | None = field(
        default_factory=lambda: {"containers": {"cpu": 8, "memoryBytes": 8_000_000_000}}
    )
    domains: list[str] = field(default_factory=list)
    custom_domains: list[str] = field(default_factory=list)
    proxies: list[Proxy] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    coming: list[Sequence[str]] = field(default_factory=list)
    id: str = field(default_factory=_id)

    def __post_init__(self) -> None:
        """What was given may be given to the service of another environment, too."""
        self.variables, self.metrics, self.usage = dict(self.variables), dict(self.metrics), dict(self.usage)
        self.replicas, self.domains = dict(self.replicas), list(self.domains)

    @property
    def world(self) -> World:
        return self.environment.project.world

    @property
    def private_domain(self) -> str:
        return f"{self.private_name or re.sub(r'[^a-z0-9]+', '-', self.name.lower())}.railway.internal"

    @property
    def active(self) -> Deployment | None:
        return next((each for each in reversed(self.deployments) if each.status in RUNS), None)

    def tcp_proxy(self, application_port: int, domain: str, proxy_port: int) -> Proxy:
        self.proxies.append(Proxy(domain, proxy_port, application_port))
        return self.proxies[-1]

    def domain(self, *names: str) -> None:
        for name in names:
            (self.domains if name.endswith(".up.railway.app") else self.custom_domains).append(name)

    def volume(self, name: str, mount_path: str, size_mb: int = 5000, used_mb: float = 0.0) -> Volume:
        self.environment.project.volumes.append(Volume(name, self, mount_path, size_mb, used_mb))
        return self.environment.project.volumes[-1]

    def log(
        self,
        message: str,
        *,
        at: datetime | None = None,
        severity: str = "info",
        deployment: Deployment | None = None,
    ) -> None:
        self.logs.append(Log(at or self.world.now(), message, severity, deployment or self.active))

    def next_deployment(self, *statuses: str) -> None:
        """How it goes, from its first status on; may be said of several, one after the other."""
        self.coming.append(statuses)

    def deployed(
        self,
        status: str = "SUCCESS",
        *,
        at: datetime | None = None,
        commit: str | None = None,
        message: str | None = None,
        **meta: Any,
    ) -> Deployment:
        """One that has been, and went so."""
        self.next_deployment(status)
        made = self.deploy(commit=commit, message=message, at=at, **meta)
        made.can_rollback = status in ("SUCCESS", "REMOVED")
        return made

    def deploy(
        self,
        *,
        commit: str | None = None,
        message: str | None = None,
        at: datetime | None = None,
        reason: str = "deploy",
        **meta: Any,
    ) -> Deployment:
        known = {"repo": self.repo, "branch": "main" if self.repo else None, "image": self.image}
        known |= {"commitHash": commit, "commitMessage": message, "reason": reason, **meta}
        first, *rest = self.coming.pop(0) if self.coming else GOES_WELL
        made = Deployment(
            self,
            first,
            list(rest),
            at or self.world.now(),
            {name: value for name, value in known.items() if value is not None},
            dict(self.variables),
        )
        self.deployments.append(made)
        made.settle()
        return made

    def config(self) -> dict[str, Any]:
        source = {"image": self.image} if self.image else {"repo": self.repo} if self.repo else {}
        regions = {region: {"numReplicas": count} for region, count in self.replicas.items()}
        deploy = {
            "startCommand": self.start_command,
            "healthcheckPath": self.healthcheck_path,
            "cronSchedule": self.cron,
            "sleepApplication": self.sleeps or None,
            "multiRegionConfig": regions or None,
        }
        networking: dict[str, Any] = {
            "serviceDomains": {each: {} for each in self.domains},
            "customDomains": {each: {} for each in self.custom_domains},
            "tcpProxies": {str(each.application_port): {} for each in self.proxies},
        }
        if self.world.names_kept:
            networking["privateNetworkEndpoint"] = self.private_domain.removesuffix(".railway.internal")
        return {
            "source": source,
            "networking": networking,
            "deploy": {name: value for name, value in deploy.items() if value is not None},
            "variables": {name: {"value": "*" * 8} for name in self.variables},
        }

    def provided(self) -> dict[str, str]:
        """What Railway adds to every service."""
        project = self.environment.project
        found = {
            "RAILWAY_PROJECT_ID": project.id,
            "RAILWAY_PROJECT_NAME": project.name,
            "RAILWAY_ENVIRONMENT_ID": self.environment.id,
            "RAILWAY_ENVIRONMENT_NAME": self.environment.name,
            "RAILWAY_SERVICE_ID": self.service_id,
            "RAILWAY_SERVICE_NAME": self.name,
            "RAILWAY_PRIVATE_DOMAIN": self.private_domain,
        }
        if names := [*self.custom_domains, *self.domains]:
            found["RAILWAY_PUBLIC_DOMAIN"] = names[0]
        if self.proxies:
            proxy = self.proxies[0]
            found |= {
                "RAILWAY_TCP_PROXY_DOMAIN": proxy.domain,
                "RAILWAY_TCP_PROXY_PORT": str(proxy.proxy_port),
                "RAILWAY_TCP_APPLICATION_PORT": str(proxy.application_port),
            }
        return found


@dataclass(eq=False)
class Proxy:
    domain: str
    proxy_port: int
    application_port: int
    id: str = field(default_factory=_id)


@dataclass(eq=False)
class Log:
    at: datetime
    message: str
    severity: str
    deployment: Deployment | None


@dataclass(eq=False)
class Deployment:
    """`coming` are the statuses it has yet to go through."""

    instance: Instance
    status: str
    coming: list[str]
    created_at: datetime
    meta: dict[str, Any]
    variables: dict[str, str]
    updated_at: datetime | None = None
    can_rollback: bool = False
    stopped: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    id: str = field(default_factory=_id)

    def http(
        self,
        method: str,
        path: str,
        status: int = 200,
        ms: int = 12,
        *,
        at: datetime | None = None,
        host: str = "api-production.up.railway.app",
        sent: int = 512,
        received: int = 128,
    ) -> None:
        """A request that the edge passed on to it."""
        self.requests.append(
            {
                "timestamp": at or self.instance.world.now(),
                "method": method,
                "path": path,
                "host": host,
                "httpStatus": status,
                "totalDuration": ms,
                "txBytes": sent,
                "rxBytes": received,
                "requestId": _id(),
            }
        )

    def move_on(self) -> None:
        if self.coming:
            self.status = self.coming.pop(0)
            self.updated_at = self.instance.world.now()
            self.settle()

    def settle(self) -> None:
        """One that runs takes the place of the one that ran."""
        if self.status != "SUCCESS":
            return
        self.can_rollback = True
        for other in self.instance.deployments:
            if other is not self and other.status in RUNS and other.created_at <= self.created_at:
                other.status = "REMOVED"


def _write(variables: dict[str, str], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value["value"]


def merged(into: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(into)
    for name, value in patch.items():
        old = found.get(name)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        found[name] = merged(old, value) if both else value
    return found
