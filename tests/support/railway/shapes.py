"""The world in the shapes of the schema: what each object answers, field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from graphql import GraphQLError

from tests.support.railway.world import (
    Bucket,
    Deployment,
    Environment,
    Instance,
    Project,
    Proxy,
    Volume,
    Workspace,
)

Shape = dict[str, Any]
Seen = Callable[[Environment], bool]


def time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def connection(things: Sequence[Any], shape: Callable[[Any], Shape], page_size: int) -> Callable[..., Shape]:
    """A field that answers a page of them; cursors are their places."""

    def page(_: Any, first: int | None = None, after: str | None = None, **__: Any) -> Shape:
        begin = int(after) + 1 if after else 0
        size = min(first if first is not None else page_size, page_size)
        found = list(enumerate(things))[begin : begin + size]
        return {
            "edges": [{"cursor": str(place), "node": shape(each)} for place, each in found],
            "pageInfo": {
                "hasNextPage": begin + len(found) < len(things),
                "hasPreviousPage": begin > 0,
                "startCursor": str(found[0][0]) if found else None,
                "endCursor": str(found[-1][0]) if found else None,
            },
        }

    return page


def guarded(field: Callable[..., Any], allowed: bool) -> Callable[..., Any]:
    def asked(info: Any, **given: Any) -> Any:
        if not allowed:
            raise GraphQLError("Not Authorized")
        return field(info, **given)

    return asked


def made(project: Project) -> Shape:
    moment = time(project.world.now())
    return {"createdAt": moment, "updatedAt": moment, "deletedAt": None}


def workspace(found: Workspace) -> Shape:
    start, end = found.period()
    limit = None
    if found.soft_limit is not None or found.hard_limit is not None:
        limit = {
            "id": f"{found.id}-limit",
            "customerId": f"{found.id}-customer",
            "softLimit": found.soft_limit or 0,
            "hardLimit": found.hard_limit,
            "isOverLimit": found.is_over_limit,
        }
    return {
        "id": found.id,
        "name": found.name,
        "createdAt": time(start),
        "customer": {
            "id": f"{found.id}-customer",
            "appliedCredits": 0.0,
            "creditBalance": 0.0,
            "currentUsage": found.current_usage,
            "billingPeriod": {"start": time(start), "end": time(end)},
            "usageLimit": limit,
        },
    }


def project(found: Project, seen: Seen) -> Shape:
    size = found.world.page_size
    services = [
        {"id": id, "name": name, "projectId": found.id, **made(found)}
        for name, id in found.service_ids.items()
    ]
    return {
        "id": found.id,
        "name": found.name,
        "isPublic": False,
        "prDeploys": False,
        "workspaceId": found.workspace.id,
        "workspace": lambda info: workspace(found.workspace),
        "environments": connection(found.environments, lambda each: environment(each, seen), size),
        "services": connection(services, lambda each: each, size),
        "volumes": connection(found.volumes, lambda each: volume(each, seen), size),
        "buckets": connection(found.buckets, lambda each: bucket(each, found), size),
        **made(found),
    }


def bucket(found: Bucket, home: Project) -> Shape:
    return {"id": found.id, "name": found.name, "projectId": home.id, **made(home)}


def volume(found: Volume, seen: Seen) -> Shape:
    home = found.instance.environment.project
    return {
        "id": found.id,
        "name": found.name,
        "projectId": home.id,
        "volumeInstances": guarded(
            connection([found], lambda each: volume_instance(each, seen), home.world.page_size),
            seen(found.instance.environment),
        ),
        **made(home),
    }


def volume_instance(found: Volume, seen: Seen) -> Shape:
    environment = found.instance.environment
    made_at = made(environment.project)
    return {
        "id": f"{found.id}-{environment.name}",
        "volumeId": found.id,
        "environmentId": environment.id,
        "serviceId": found.instance.service_id if found.attached else None,
        "mountPath": found.mount_path,
        "sizeMB": found.size_mb,
        "currentSizeMB": found.used_mb,
        "state": "DELETING" if found.deleted else "READY",
        "isPendingDeletion": found.deleted,
        "volume": lambda info: volume(found, seen),
        **made_at,
        "deletedAt": made_at["createdAt"] if found.deleted else None,
    }


def environment(found: Environment, seen: Seen) -> Shape:
    """Of one that may not be looked into, its name is told."""
    size = found.project.world.page_size
    return {
        "id": found.id,
        "name": found.name,
        "projectId": found.project.id,
        "canAccess": seen(found),
        "isEphemeral": False,
        "configEtag": "etag",
        "config": guarded(lambda info, **_: found.config(), seen(found)),
        "iacPartials": guarded(lambda info, **_: found.made_by or None, seen(found)),
        "serviceInstances": guarded(connection(found.instances, instance, size), seen(found)),
        "volumeInstances": guarded(
            connection(found.volumes(), lambda each: volume_instance(each, seen), size), seen(found)
        ),
        **made(found.project),
    }


def patch(found: Environment) -> Shape:
    return {
        "id": found.patch_id,
        "environmentId": found.id,
        "status": "STAGED",
        "message": None,
        "lastAppliedError": None,
        "patch": lambda info, **_: found.staged,
        **made(found.project),
    }


def instance(found: Instance) -> Shape:
    project = found.environment.project
    latest = max(found.deployments, key=lambda each: each.created_at, default=None)
    of = {
        "environmentId": found.environment.id,
        "serviceId": found.service_id,
        "projectId": project.id,
        "targetPort": 8080,
        **made(project),
    }
    regions = list(found.replicas)
    return {
        "id": found.id,
        "serviceName": found.name,
        "activeDeployments": [deployment(each) for each in [found.active] if each],
        "cronSchedule": found.cron,
        "domains": {
            "serviceDomains": [{"id": name, "domain": name, "suffix": None, **of} for name in found.domains],
            "customDomains": [{"id": name, "domain": name, **of} for name in found.custom_domains],
        },
        "healthcheckPath": found.healthcheck_path,
        "latestDeployment": None if latest is None else deployment(latest),
        "numReplicas": sum(found.replicas.values()) or None,
        "region": regions[0] if regions else None,
        "restartPolicyMaxRetries": 10,
        "restartPolicyType": "ON_FAILURE",
        "sleepApplication": found.sleeps,
        "source": {"image": found.image, "repo": found.repo} if found.image or found.repo else None,
        "startCommand": found.start_command,
        **of,
    }


def proxy(found: Proxy, of: Instance) -> Shape:
    return {
        "id": found.id,
        "domain": found.domain,
        "proxyPort": found.proxy_port,
        "applicationPort": found.application_port,
        "environmentId": of.environment.id,
        "serviceId": of.service_id,
        **made(of.environment.project),
    }


def deployment(found: Deployment) -> Shape:
    of = found.instance
    return {
        "id": found.id,
        "projectId": of.environment.project.id,
        "environmentId": of.environment.id,
        "serviceId": of.service_id,
        "status": found.status,
        "statusUpdatedAt": time(found.updated_at or found.created_at),
        "createdAt": time(found.created_at),
        "updatedAt": time(found.updated_at or found.created_at),
        "canRedeploy": True,
        "canRollback": found.can_rollback,
        # One that starts or sleeps is "stopped", too.
        "deploymentStopped": found.stopped or found.status != "SUCCESS",
        "instances": [],
        "meta": found.meta,
        "snapshotId": None,
        "staticUrl": of.domains[0] if of.domains else None,
        "suggestAddServiceDomain": False,
        "url": None,
    }
