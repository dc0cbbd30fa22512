"""Railway, as its public API tells of projects: the port to adapters/railway. What is not known is None, never 0."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from msgspec import Struct

from ogel.kernel.errors import Unavailable

# Why Railway told nothing, or not all.
Cause = Literal[
    "no_token",  # there is none in the settings
    "bad_token",  # Railway does not know it, or not any more
    "forbidden",  # it is for something else: another project, one environment, no billing
    "not_found",
    "limited",  # too many requests in this hour; `retry_seconds` says how long
    "refused",  # the request was understood and refused: what Railway said is in the message
    "changed",  # the answer has not the shape that this version knows; the message names the field
    "away",  # no answer, or none in time
]


class RailwayError(Unavailable):
    """The message is one line for operators, and holds no token and no value of a variable."""

    title = "Railway does not tell"

    def __init__(self, cause: Cause, message: str, retry_seconds: float | None = None) -> None:
        later = None if retry_seconds is None else math.ceil(retry_seconds)
        super().__init__(message, retry_after_seconds=later)
        self.cause = cause
        self.retry_seconds = retry_seconds


class TokenScope(Struct, frozen=True):
    """
    kind            a project token sees one environment, an account's or a workspace's token all of its projects.
    project_id      what a project token is for.
    environment_id  likewise.
    """

    kind: Literal["project", "account"]
    project_id: str | None = None
    environment_id: str | None = None


class Named(Struct, frozen=True):
    id: str
    name: str


class Volume(Struct, frozen=True):
    """
    size_mb   how large it may become; `used_mb` is what is billed.
    service_id  what it is mounted in, at `mount_path`; None: in nothing.
    """

    id: str
    name: str
    service_id: str | None
    environment_id: str
    mount_path: str | None
    size_mb: float | None
    used_mb: float | None


class Bucket(Struct, frozen=True):
    id: str
    name: str
    environment_id: str
    size_bytes: float | None
    objects: int | None


class Project(Struct, frozen=True):
    """
    environments  those that the token may look into; volumes and buckets are theirs.
    workspace_id  whose bill it stands on, where the token may know.
    """

    id: str
    name: str
    environments: Sequence[Named]
    services: Sequence[Named]
    volumes: Sequence[Volume] = ()
    buckets: Sequence[Bucket] = ()
    workspace_id: str | None = None


class TcpProxy(Struct, frozen=True):
    """A public way to a port: `domain:proxy_port` leads to `application_port`."""

    id: str
    domain: str
    proxy_port: int
    application_port: int


class Deployment(Struct, frozen=True):
    """
    status        in Railway's words (SUCCESS, CRASHED, …), of which there may be newer ones than this version knows.
    can_rollback  it is within the plan's retention, and had succeeded.
    stopped       somebody has stopped it: Railway then still calls it SUCCESS.
    commit        what it was made of, with `commit_message` and `branch`, where it came from a repository.
    image         likewise, where it came from one.
    """

    id: str
    service_id: str
    environment_id: str
    status: str
    created_at: datetime
    updated_at: datetime | None = None
    can_rollback: bool = False
    stopped: bool = False
    commit: str | None = None
    commit_message: str | None = None
    branch: str | None = None
    image: str | None = None
    url: str | None = None


class Instance(Struct, frozen=True):
    """
    A service in one environment.

    repo, image        what it is made of.
    domains            public names, those by Railway and others.
    private_domain     `NAME.railway.internal`.
    replicas           by region; none where nothing is said.
    memory_limit_gb    what it may hold at most, with `cpu_limit`; a limit is no bill.
    """

    service_id: str
    name: str
    environment_id: str
    repo: str | None = None
    image: str | None = None
    start_command: str | None = None
    healthcheck_path: str | None = None
    cron: str | None = None
    sleeps: bool = False
    replicas: Mapping[str, int] = {}
    domains: Sequence[str] = ()
    private_domain: str | None = None
    proxies: Sequence[TcpProxy] = ()
    latest: Deployment | None = None
    memory_limit_gb: float | None = None
    cpu_limit: float | None = None


Measurement = Literal[
    "CPU_USAGE",
    "CPU_LIMIT",
    "MEMORY_USAGE_GB",
    "MEMORY_LIMIT_GB",
    "NETWORK_RX_GB",
    "NETWORK_TX_GB",
    "DISK_USAGE_GB",
    "EPHEMERAL_DISK_USAGE_GB",
    "BACKUP_USAGE_GB",
]


class Point(Struct, frozen=True):
    """Of the interval that begins `at`; `value` None: it is not known."""

    at: datetime
    value: float | None


class Series(Struct, frozen=True):
    """One measurement of one service, or of whatever else `tags` name (`service_id`, `region`, `volume_id`, …)."""

    measurement: str
    tags: Mapping[str, str]
    points: Sequence[Point]


class UsageOf(Struct, frozen=True):
    """
    What is billed: GB-minutes of memory and disks, vCPU-minutes, GB sent to the public network. `service_id` None: of
    the project, or of a service that is deleted.
    """

    measurement: str
    service_id: str | None
    value: float


class Estimate(Struct, frozen=True):
    """What Railway expects of the whole billing period, in the units of UsageOf."""

    measurement: str
    value: float


class Billing(Struct, frozen=True):
    """
    Of a workspace. Amounts are dollars; limits None: there is none.
    """

    period_start: datetime
    period_end: datetime
    current_usage: float
    soft_limit: float | None
    hard_limit: float | None
    is_over_limit: bool


class LogLine(Struct, frozen=True):
    at: datetime
    message: str
    severity: str | None
    service_id: str | None
    deployment_id: str | None


class HttpLogLine(Struct, frozen=True):
    """A request as Railway's edge saw it; durations are milliseconds."""

    at: datetime
    method: str
    path: str
    host: str
    status: int
    duration_ms: float
    sent_bytes: int | None = None
    received_bytes: int | None = None


class VariableChange(Struct, frozen=True):
    """`service_id` None: a shared variable of the environment. `value` None: it is deleted."""

    service_id: str | None
    name: str
    value: str | None


class Railway(Protocol):
    """
    All raise RailwayError. Nothing is asked more than once, save what only reads and failed without an answer. Lists
    are whole, whatever the pages of the API; those of logs and deployments end at `limit`, newest first.
    """

    async def scope(self) -> TokenScope: ...

    async def projects(self) -> Sequence[Named]:
        """Those that the token sees; the one of a project token."""

    async def project(self, project_id: str) -> Project: ...

    async def instances(self, project_id: str, environment_id: str) -> Sequence[Instance]: ...

    async def variables(
        self, project_id: str, environment_id: str, service_id: str | None, *, rendered: bool = True
    ) -> Mapping[str, str]:
        """
        Of a service, or the environment's shared ones. `rendered`: with what references stand for; otherwise as they
        were written (`${{Postgres.DATABASE_URL}}`). Sealed ones are missing.
        """

    async def stage(self, environment_id: str, changes: Sequence[VariableChange]) -> None:
        """Adds to the staged changes of the environment, which nothing runs with yet."""

    async def commit_staged(self, environment_id: str, message: str, *, deploys: bool = True) -> str:
        """
        Makes staged changes real, those included that somebody else staged, and waits until they are: Railway takes
        them first, and may refuse all of them then. Returns the id of what was committed.
        """

    async def discard_staged(self, environment_id: str) -> None: ...

    async def staged(self, environment_id: str) -> Mapping[str | None, Mapping[str, str | None]]:
        """
        Staged variables, by service (None: shared ones) and name; None: to be deleted. Values are as they were written.
        """

    async def staged_elsewhere(self, environment_id: str) -> Sequence[str]:
        """What else is staged, as paths in the configuration (`services.<id>.source.image`): it is committed, too."""

    async def deployments(
        self, project_id: str, environment_id: str, service_id: str | None = None, *, limit: int = 50
    ) -> Sequence[Deployment]: ...

    async def deployment(self, deployment_id: str) -> Deployment: ...

    async def rollback(self, deployment_id: str) -> None:
        """Runs that deployment's image again with its variables, without a build; see `can_rollback`."""

    async def redeploy(self, deployment_id: str) -> str:
        """Returns the id of the new deployment."""

    async def deploy(self, service_id: str, environment_id: str, commit: str | None = None) -> str:
        """Returns the id of the new deployment of what the service is made of now, or of that commit."""

    async def logs(
        self,
        environment_id: str,
        *,
        since: datetime,
        until: datetime | None = None,
        filter: str = "",
        limit: int = 1000,
    ) -> Sequence[LogLine]:
        """`filter` in Railway's words: `@service:<id> @level:error "text"`."""

    async def http_logs(
        self,
        deployment_id: str,
        *,
        since: datetime,
        until: datetime | None = None,
        filter: str = "",
        limit: int = 1000,
    ) -> Sequence[HttpLogLine]: ...

    def follow(self, deployment_id: str) -> AsyncIterator[Deployment]:
        """The deployment whenever its status has changed, looked at every few seconds; ends with one that stays."""

    async def metrics(
        self,
        environment_id: str,
        measurements: Sequence[Measurement],
        *,
        since: datetime,
        until: datetime | None = None,
        service_id: str | None = None,
        sample_seconds: int = 3600,
    ) -> Sequence[Series]:
        """By service. Points are averages of their interval, of NETWORK_* the sum; 30 days are kept."""

    async def usage(
        self, project_id: str, measurements: Sequence[Measurement], *, since: datetime, until: datetime
    ) -> Sequence[UsageOf]:
        """By service, over all environments."""

    async def estimated_usage(
        self, project_id: str, measurements: Sequence[Measurement]
    ) -> Sequence[Estimate]: ...

    async def billing(self, workspace_id: str) -> Billing: ...

    async def tcp_proxies(self, environment_id: str, service_id: str) -> Sequence[TcpProxy]: ...

    async def remove_tcp_proxy(self, proxy_id: str) -> None: ...

    async def set_image(self, service_id: str, environment_id: str, image: str) -> None:
        """What the next deployment of the service is made of; nothing is deployed by it."""

    async def config(self, environment_id: str) -> Mapping[str, Any]:
        """
        The environment's whole configuration, by Railway's own names and service ids: services with source, deploy,
        networking and variables, volumes, buckets, shared variables. Values of variables are left encrypted.
        """

    async def made_by(self, environment_id: str) -> Mapping[str, str]:
        """
        Which configuration file (Infrastructure as Code) made what, by address (`service.api`): the file's name, or `*`
        for one that has none. RailwayError `changed` where Railway does not tell this.
        """
