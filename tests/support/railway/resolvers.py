"""The fields of Query and Mutation. Arguments have the names of the schema; `info.context` is who asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from graphql import GraphQLError

from tests.support.railway import shapes
from tests.support.railway.filters import chooses
from tests.support.railway.principals import Principal, bad_input
from tests.support.railway.references import as_written, rendered, rendered_shared
from tests.support.railway.series import amount, samples
from tests.support.railway.world import Instance, Project

_MOST_LINES = 5000
_HTTP = {
    name: name
    for name in ("method", "path", "host", "httpStatus", "totalDuration", "txBytes", "rxBytes", "requestId")
}
_TAGS = {
    "SERVICE_ID": "serviceId",
    "ENVIRONMENT_ID": "environmentId",
    "PROJECT_ID": "projectId",
    "REGION": "region",
}


def _who(info: Any) -> Principal:
    principal: Principal = info.context
    return principal


class Query:
    """An object whose methods are the fields."""

    def apiToken(self, info: Any) -> Any:
        who = _who(info)
        who.account()
        seen = [each for each in who.world.workspaces if who.workspace in (None, each)]
        return {"workspaces": [{"id": each.id, "name": each.name} for each in seen]}

    def me(self, info: Any) -> Any:
        """A workspace is nobody."""
        who = _who(info)
        who.account()
        if who.workspace is not None:
            raise GraphQLError("Not Authorized")
        return {"id": "user", "name": "Ada", "email": "ada@example.com"}

    def projectToken(self, info: Any) -> Any:
        environment = _who(info).environment
        if environment is None:
            raise GraphQLError("Project Token not found")
        project = environment.project
        return {
            "id": "token",
            "name": "ogel",
            "createdAt": shapes.time(project.world.now()),
            "projectId": project.id,
            "environmentId": environment.id,
            "project": lambda info: shapes.project(project, _who(info).sees),
            "environment": lambda info: shapes.environment(environment, _who(info).sees),
        }

    def projects(self, info: Any, workspaceId: str | None = None, **page: Any) -> Any:
        who = _who(info)
        who.account()
        if workspaceId is None and who.workspace is None:
            found: Sequence[
                Project
            ] = []  # those of one's own, outside of workspaces; there are none any more
        else:
            workspace = who.workspace_of(
                who.workspace.id if who.workspace and workspaceId is None else str(workspaceId)
            )
            found = [each for each in who.world.projects if each.workspace is workspace]
        listed = shapes.connection(found, lambda each: shapes.project(each, who.sees), who.world.page_size)
        return listed(info, **page)

    def project(self, info: Any, id: str) -> Any:
        return shapes.project(_who(info).project(id), _who(info).sees)

    def environments(self, info: Any, projectId: str, isEphemeral: bool | None = None, **page: Any) -> Any:
        project = _who(info).project(projectId)
        found = [] if isEphemeral else project.environments
        listed = shapes.connection(
            found, lambda each: shapes.environment(each, _who(info).sees), project.world.page_size
        )
        return listed(info, **page)

    def environment(self, info: Any, id: str, projectId: str | None = None) -> Any:
        found = _who(info).environment_of(id)
        if projectId not in (None, found.project.id):
            raise GraphQLError("Environment not found")
        return shapes.environment(found, _who(info).sees)

    def service(self, info: Any, id: str) -> Any:
        for project in _who(info).world.projects:
            for name, service_id in project.service_ids.items():
                if service_id == id:
                    _who(info).project(project.id)
                    return {"id": id, "name": name, "projectId": project.id, **shapes.made(project)}
        raise GraphQLError("Service not found")

    def serviceInstance(self, info: Any, environmentId: str, serviceId: str) -> Any:
        return shapes.instance(_who(info).instance(environmentId, serviceId))

    def serviceInstanceLimits(self, info: Any, environmentId: str, serviceId: str) -> Any:
        limits = _who(info).instance(environmentId, serviceId).limits
        if limits is None:
            raise GraphQLError("Not Authorized")
        return limits

    def serviceInstanceLimitOverride(self, info: Any, environmentId: str, serviceId: str) -> Any:
        _who(info).instance(environmentId, serviceId)

    def domains(self, info: Any, environmentId: str, projectId: str, serviceId: str) -> Any:
        return shapes.instance(_who(info).instance(environmentId, serviceId))["domains"]

    def tcpProxies(self, info: Any, environmentId: str, serviceId: str) -> Any:
        found = _who(info).instance(environmentId, serviceId)
        return [shapes.proxy(each, found) for each in found.proxies]

    def privateNetworks(self, info: Any, environmentId: str) -> Any:
        found = _who(info).environment_of(environmentId)
        network = {
            "publicId": f"{found.id}-network",
            "projectId": found.project.id,
            "environmentId": found.id,
            "name": found.name,
            "dnsName": "railway.internal",
            "networkId": "1234567890123",
            "tags": [],
        }
        return [network]

    def privateNetworkEndpoint(
        self, info: Any, environmentId: str, privateNetworkId: str, serviceId: str
    ) -> Any:
        found = _who(info).instance(environmentId, serviceId)
        if privateNetworkId != f"{environmentId}-network":
            return None
        return {
            "publicId": f"{found.id}-endpoint",
            "serviceInstanceId": found.id,
            "dnsName": found.private_domain.removesuffix(".railway.internal"),
            "privateIps": [],
            "tags": [],
        }

    def volumeInstance(self, info: Any, id: str) -> Any:
        for environment in _who(info).world.environments():
            for volume in environment.volumes():
                shape = shapes.volume_instance(volume, _who(info).sees)
                if shape["id"] == id and _who(info).sees(environment):
                    return shape
        raise GraphQLError("Volume Instance not found")

    def bucketInstanceDetails(self, info: Any, bucketId: str, environmentId: str) -> Any:
        """BigInt is text."""
        project = _who(info).environment_of(environmentId).project
        found = next((each for each in project.buckets if each.id == bucketId), None)
        return found and {"sizeBytes": str(int(found.size_bytes)), "objectCount": str(found.objects)}

    def workspace(self, info: Any, workspaceId: str) -> Any:
        return shapes.workspace(_who(info).workspace_of(workspaceId))

    def workflowStatus(self, info: Any, workflowId: str) -> Any:
        found = _who(info).world.workflows.get(workflowId)
        if found is None:
            return {"status": "NotFound", "error": None}
        status = found.status
        found.running -= 1
        return {"status": status, "error": found.error if status == "Error" else None}

    def variables(
        self,
        info: Any,
        environmentId: str,
        projectId: str,
        serviceId: str | None = None,
        unrendered: bool = False,
    ) -> Any:
        environment = _who(info).environment_of(environmentId)
        _who(info).project(projectId)
        if serviceId is None:
            return environment.shared if unrendered else rendered_shared(environment)
        instance = _who(info).instance(environmentId, serviceId)
        return as_written(instance) if unrendered else rendered(instance)

    def variablesForServiceDeployment(
        self, info: Any, environmentId: str, projectId: str, serviceId: str
    ) -> Any:
        return self.variables(info, environmentId, projectId, serviceId)

    def environmentStagedChanges(self, info: Any, environmentId: str) -> Any:
        return shapes.patch(_who(info).environment_of(environmentId))

    def deployments(self, info: Any, input: dict[str, Any], **page: Any) -> Any:
        who, status = _who(info), input.get("status") or {}
        if input.get("projectId"):
            who.project(input["projectId"])
        if input.get("environmentId"):
            who.environment_of(input["environmentId"])
        found = [
            each
            for each in who.world.deployments()
            if who.sees(each.instance.environment)
            and input.get("projectId") in (None, each.instance.environment.project.id)
            and input.get("environmentId") in (None, each.instance.environment.id)
            and input.get("serviceId") in (None, each.instance.service_id)
            and each.status in (status.get("in") or [each.status])
            and each.status not in (status.get("notIn") or [])
        ]
        found.sort(key=lambda each: each.created_at, reverse=True)
        return shapes.connection(found, shapes.deployment, who.world.page_size)(info, **page)

    def deployment(self, info: Any, id: str) -> Any:
        found = _who(info).deployment(id)
        shape = shapes.deployment(found)
        found.move_on()
        return shape

    def environmentLogs(self, info: Any, environmentId: str, filter: str | None = None, **window: Any) -> Any:
        environment = _who(info).environment_of(environmentId)
        lines = []
        for instance in environment.instances:
            for log in instance.logs:
                tags = {
                    "projectId": environment.project.id,
                    "environmentId": environment.id,
                    "serviceId": instance.service_id,
                    "deploymentId": log.deployment and log.deployment.id,
                }
                line = {
                    "timestamp": log.at,
                    "message": log.message,
                    "severity": log.severity,
                    "tags": tags,
                    "attributes": [{"key": "level", "value": f'"{log.severity}"'}],
                }
                lines.append({**line, "_service": instance.service_id, "_deployment": tags["deploymentId"]})
        known = {
            "level": "severity",
            "service": "_service",
            "deployment": "_deployment",
        }
        return _window(lines, filter, known, window)

    def httpLogs(self, info: Any, deploymentId: str, filter: str | None = None, **window: Any) -> Any:
        found = _who(info).deployment(deploymentId)
        unknown = {
            **dict.fromkeys(
                ("clientUa", "responseDetails", "upstreamAddress", "upstreamErrors", "deploymentInstanceId"),
                "",
            ),
            "deploymentId": found.id,
            "downstreamProto": "HTTP/2.0",
            "upstreamProto": "HTTP/1.1",
            "edgeRegion": "us-east4-eqdc4a",
            "srcIp": "203.0.113.9",
        }
        lines = [{**unknown, "upstreamRqDuration": each["totalDuration"], **each} for each in found.requests]
        return _window(lines, filter, _HTTP, window)

    def metrics(
        self,
        info: Any,
        measurements: Sequence[str],
        startDate: str,
        endDate: str | None = None,
        groupBy: Sequence[str] = (),
        sampleRateSeconds: int = 60,
        environmentId: str | None = None,
        projectId: str | None = None,
        serviceId: str | None = None,
        **_: Any,
    ) -> Any:
        who = _who(info)
        instances = _instances(who, projectId, environmentId, serviceId)
        start, end = _moment(startDate) or who.world.now(), _moment(endDate) or who.world.now()
        found: dict[tuple[str, tuple[tuple[str, str], ...]], dict[int, float]] = {}
        for measurement in measurements:
            for instance in instances:
                if measurement not in instance.metrics:
                    continue
                key = measurement, _tags(instance, groupBy)
                points = found.setdefault(key, {})
                spec = instance.metrics[measurement]
                for ts, value in samples(spec, measurement, start, end, sampleRateSeconds):
                    points[ts] = points.get(ts, 0.0) + value
        return [
            {
                "measurement": measurement,
                "tags": dict(tags),
                "values": [{"ts": ts, "value": value} for ts, value in sorted(points.items())],
            }
            for (measurement, tags), points in found.items()
        ]

    def usage(
        self,
        info: Any,
        measurements: Sequence[str],
        startDate: str | None = None,
        endDate: str | None = None,
        groupBy: Sequence[str] = (),
        projectId: str | None = None,
        workspaceId: str | None = None,
        **_: Any,
    ) -> Any:
        who = _who(info)
        found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for project in _projects(who, projectId, workspaceId):
            start = _moment(startDate) or project.workspace.period()[0]
            end = _moment(endDate) or who.world.now()
            for measurement in measurements:
                for instance in _instances(who, project.id, None, None):
                    if measurement in instance.usage or measurement in instance.metrics:
                        key = measurement, _tags(instance, groupBy)
                        found[key] = found.get(key, 0.0) + _used(instance, measurement, start, end)
                if measurement in project.usage:
                    of = (("projectId", project.id),) if "PROJECT_ID" in groupBy else ()
                    key = measurement, of
                    found[key] = found.get(key, 0.0) + project.usage[measurement]
        parts = (0.25, 0.75) if who.world.splits else (1.0,)
        return [
            {"measurement": measurement, "tags": dict(tags), "value": value * part}
            for (measurement, tags), value in found.items()
            for part in parts
        ]

    def estimatedUsage(
        self,
        info: Any,
        measurements: Sequence[str],
        projectId: str | None = None,
        workspaceId: str | None = None,
        **_: Any,
    ) -> Any:
        who = _who(info)
        found = []
        for project in _projects(who, projectId, workspaceId):
            start, end = project.workspace.period()
            for measurement in measurements:
                value = project.estimate.get(measurement)
                if value is None:
                    value = sum(
                        _used(each, measurement, start, end)
                        for each in _instances(who, project.id, None, None)
                        if measurement in each.usage or measurement in each.metrics
                    ) + project.usage.get(measurement, 0.0)
                found.append({"measurement": measurement, "estimatedValue": value, "projectId": project.id})
        return found


def _window(
    lines: list[dict[str, Any]], filter: str | None, known: dict[str, str], window: dict[str, Any]
) -> list[dict[str, Any]]:
    """Around the anchor: those before it back to `beforeDate`, those after it up to `afterDate`; oldest first."""
    fits = chooses(filter or "", known)
    lines = sorted((line for line in lines if fits(line)), key=lambda line: line["timestamp"])
    anchor = _moment(window.get("anchorDate"))
    if anchor is None:
        return [_told(line) for line in lines[-min(window.get("limit") or 100, _MOST_LINES) :]]
    oldest, latest = _moment(window.get("beforeDate")), _moment(window.get("afterDate"))
    before = [
        line
        for line in lines
        if line["timestamp"] <= anchor and (oldest is None or oldest <= line["timestamp"])
    ]
    after = [
        line
        for line in lines
        if line["timestamp"] > anchor and (latest is None or line["timestamp"] <= latest)
    ]
    count = min(window.get("beforeLimit") or 0, _MOST_LINES)
    chosen = before[-count:] if count else []
    return [_told(line) for line in chosen + after[: min(window.get("afterLimit") or 0, _MOST_LINES)]]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise bad_input(f"DateTime cannot represent an invalid date-time-string {text}.") from None
    if moment.tzinfo is None:
        raise bad_input(f"DateTime cannot represent an invalid date-time-string {text}.")
    return moment


def _told(line: dict[str, Any]) -> dict[str, Any]:
    """With nanoseconds."""
    return {**line, "timestamp": line["timestamp"].strftime("%Y-%m-%dT%H:%M:%S.%f000Z")}


def _projects(who: Principal, project_id: str | None, workspace_id: str | None) -> list[Project]:
    if project_id is not None:
        return [who.project(project_id)]
    if workspace_id is None:
        raise bad_input("projectId or workspaceId is needed")
    workspace = who.workspace_of(workspace_id)
    return [each for each in who.world.projects if each.workspace is workspace]


def _instances(
    who: Principal, project_id: str | None, environment_id: str | None, service_id: str | None
) -> list[Instance]:
    if environment_id is not None:
        environments = [who.environment_of(environment_id)]
    elif project_id is not None:
        environments = [each for each in who.project(project_id).environments if who.sees(each)]
    else:
        raise bad_input("projectId or environmentId is needed")
    return [
        instance
        for environment in environments
        for instance in environment.instances
        if service_id in (None, instance.service_id)
    ]


def _tags(instance: Instance, group_by: Sequence[str]) -> tuple[tuple[str, str], ...]:
    values = {
        "SERVICE_ID": instance.service_id,
        "ENVIRONMENT_ID": instance.environment.id,
        "PROJECT_ID": instance.environment.project.id,
        "REGION": next(iter(instance.replicas), "us-west2"),
    }
    return tuple((_TAGS[tag], values[tag]) for tag in group_by if tag in _TAGS)


def _used(instance: Instance, measurement: str, start: datetime, end: datetime) -> float:
    if measurement in instance.usage:
        return instance.usage[measurement]
    return amount(instance.metrics[measurement], measurement, start, end)
