"""The port of runtime/railway.py, over Railway's public API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ogel.adapters.railway import billing, deployments, instances, logs, metrics, projects, variables
from ogel.adapters.railway.transport import Token, Transport
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.railway import (
    Billing,
    Deployment,
    Estimate,
    HttpLogLine,
    Instance,
    LogLine,
    Measurement,
    Named,
    Project,
    Railway,
    RailwayError,
    Series,
    TcpProxy,
    TokenScope,
    UsageOf,
    VariableChange,
)


class RailwayApi:
    """`token`: what it speaks with, or the error that every call raises."""

    def __init__(self, outgoing: Outgoing, url: str, token: Token | RailwayError) -> None:
        self._found = token if isinstance(token, RailwayError) else Transport(outgoing, url, token)

    @property
    def _transport(self) -> Transport:
        if isinstance(self._found, RailwayError):
            raise RailwayError(self._found.cause, self._found.message)
        return self._found

    async def scope(self) -> TokenScope:
        return await projects.scope(self._transport)

    async def projects(self) -> Sequence[Named]:
        return await projects.projects(self._transport)

    async def project(self, project_id: str) -> Project:
        return await projects.project(self._transport, project_id)

    async def instances(self, project_id: str, environment_id: str) -> Sequence[Instance]:
        return await instances.instances(self._transport, project_id, environment_id)

    async def variables(
        self, project_id: str, environment_id: str, service_id: str | None, *, rendered: bool = True
    ) -> Mapping[str, str]:
        return await variables.variables(self._transport, project_id, environment_id, service_id, rendered)

    async def stage(self, environment_id: str, changes: Sequence[VariableChange]) -> None:
        await variables.stage(self._transport, environment_id, changes)

    async def commit_staged(self, environment_id: str, message: str, *, deploys: bool = True) -> str:
        return await variables.commit_staged(self._transport, environment_id, message, deploys)

    async def discard_staged(self, environment_id: str) -> None:
        await variables.discard_staged(self._transport, environment_id)

    async def staged(self, environment_id: str) -> Mapping[str | None, Mapping[str, str | None]]:
        return await variables.staged(self._transport, environment_id)

    async def staged_elsewhere(self, environment_id: str) -> Sequence[str]:
        return await variables.staged_elsewhere(self._transport, environment_id)

    async def deployments(
        self, project_id: str, environment_id: str, service_id: str | None = None, *, limit: int = 50
    ) -> Sequence[Deployment]:
        return await deployments.deployments(self._transport, project_id, environment_id, service_id, limit)

    async def deployment(self, deployment_id: str) -> Deployment:
        return await deployments.deployment(self._transport, deployment_id)

    async def rollback(self, deployment_id: str) -> None:
        await deployments.rollback(self._transport, deployment_id)

    async def redeploy(self, deployment_id: str) -> str:
        return await deployments.redeploy(self._transport, deployment_id)

    async def deploy(self, service_id: str, environment_id: str, commit: str | None = None) -> str:
        return await deployments.deploy(self._transport, service_id, environment_id, commit)

    async def logs(
        self,
        environment_id: str,
        *,
        since: datetime,
        until: datetime | None = None,
        filter: str = "",
        limit: int = 1000,
    ) -> Sequence[LogLine]:
        return await logs.logs(self._transport, environment_id, since, until, filter, limit)

    async def http_logs(
        self,
        deployment_id: str,
        *,
        since: datetime,
        until: datetime | None = None,
        filter: str = "",
        limit: int = 1000,
    ) -> Sequence[HttpLogLine]:
        return await logs.http_logs(self._transport, deployment_id, since, until, filter, limit)

    def follow(self, deployment_id: str) -> AsyncIterator[Deployment]:
        return deployments.follow(self._transport, deployment_id)

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
        return await metrics.metrics(
            self._transport, environment_id, measurements, since, until, service_id, sample_seconds
        )

    async def usage(
        self, project_id: str, measurements: Sequence[Measurement], *, since: datetime, until: datetime
    ) -> Sequence[UsageOf]:
        return await metrics.usage(self._transport, project_id, measurements, since, until)

    async def estimated_usage(
        self, project_id: str, measurements: Sequence[Measurement]
    ) -> Sequence[Estimate]:
        return await metrics.estimated_usage(self._transport, project_id, measurements)

    async def billing(self, workspace_id: str) -> Billing:
        return await billing.billing(self._transport, workspace_id)

    async def tcp_proxies(self, environment_id: str, service_id: str) -> Sequence[TcpProxy]:
        return await instances.tcp_proxies(self._transport, environment_id, service_id)

    async def remove_tcp_proxy(self, proxy_id: str) -> None:
        await instances.remove_tcp_proxy(self._transport, proxy_id)

    async def set_image(self, service_id: str, environment_id: str, image: str) -> None:
        await instances.set_image(self._transport, service_id, environment_id, image)

    async def config(self, environment_id: str) -> Mapping[str, Any]:
        return await projects.config(self._transport, environment_id)

    async def made_by(self, environment_id: str) -> Mapping[str, str]:
        return await projects.made_by(self._transport, environment_id)


# Lets the type checker verify that the client implements the port.
_: type[Railway] = RailwayApi
