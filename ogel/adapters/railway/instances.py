"""Services in one environment: what they are made of, how they are reached, what they may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ogel.adapters.railway import deployments
from ogel.adapters.railway.aliases import asked_in_groups
from ogel.adapters.railway.paging import PAGE, Connection, whole
from ogel.adapters.railway.transport import Moment, Transport, changed
from ogel.runtime.railway import Instance, RailwayError, TcpProxy

# What is nice to know, and not told to every token.
_MAY_BE_UNKNOWN = ("forbidden", "not_found", "refused")
_PROXIES = (
    "tcpProxies(environmentId: $environment{n}, serviceId: $service{n})"
    " {{ id domain proxyPort applicationPort deletedAt }}"
)
_LIMITS = "serviceInstanceLimits(environmentId: $environment{n}, serviceId: $service{n})"
_ENDPOINT = (
    "privateNetworkEndpoint(environmentId: $environment{n}, privateNetworkId: $network{n}, serviceId: $service{n})"
    " {{ dnsName }}"
)
_PRIVATE = "railway.internal"


class _Domain(Struct, rename="camel"):
    domain: str
    deleted_at: Moment | None = None


class _Domains(Struct, rename="camel"):
    service_domains: list[_Domain]
    custom_domains: list[_Domain]


class _Source(Struct):
    repo: str | None = None
    image: str | None = None


class _Instance(Struct, rename="camel"):
    service_id: str
    service_name: str
    environment_id: str
    domains: _Domains
    region: str | None = None
    num_replicas: int | None = None
    start_command: str | None = None
    healthcheck_path: str | None = None
    cron_schedule: str | None = None
    sleep_application: bool | None = None
    deleted_at: Moment | None = None
    source: _Source | None = None
    latest_deployment: deployments.Found | None = None


# Of the configuration, which holds much more, and whose shape the schema does not say.
class _Replicas(Struct, rename="camel"):
    num_replicas: int | None = None


class _Deploy(Struct, rename="camel"):
    num_replicas: int | None = None
    multi_region_config: dict[str, _Replicas | None] | None = None


class _Networking(Struct, rename="camel"):
    private_network_endpoint: str | None = None


class _Configured(Struct):
    deploy: _Deploy | None = None
    networking: _Networking | None = None


class _Found(Struct, rename="camel"):
    config: dict[str, Any]
    service_instances: Connection[_Instance]


class _Environment(Struct):
    environment: _Found


class _Proxy(Struct, rename="camel"):
    id: str
    domain: str
    proxy_port: int
    application_port: int
    deleted_at: Moment | None = None


class _Proxies(Struct, rename="camel"):
    tcp_proxies: list[_Proxy]


class _Network(Struct, rename="camel"):
    public_id: str
    dns_name: str
    deleted_at: Moment | None = None


class _Networks(Struct, rename="camel"):
    private_networks: list[_Network]


class _Endpoint(Struct, rename="camel"):
    dns_name: str


class _ProxyDeleted(Struct, rename="camel"):
    tcp_proxy_delete: bool


class _Updated(Struct, rename="camel"):
    service_instance_update: bool


async def instances(transport: Transport, project_id: str, environment_id: str) -> Sequence[Instance]:
    found, configured = await _listed(transport, project_id, environment_id)
    services = [{"environment": environment_id, "service": each.service_id} for each in found]
    proxies = await asked_in_groups(transport, _PROXIES, services, list[_Proxy])
    limits = await _limits(transport, services)
    names = await _private_domains(transport, environment_id, services, configured)
    return [
        _instance(each, configured.get(each.service_id) or _Configured(), _public(ways), names, *limit)
        for each, ways, limit in zip(found, proxies, limits, strict=True)
    ]


async def tcp_proxies(transport: Transport, environment_id: str, service_id: str) -> Sequence[TcpProxy]:
    variables = {"environmentId": environment_id, "serviceId": service_id}
    return _public((await transport.call("TcpProxies", variables, _Proxies)).tcp_proxies)


async def remove_tcp_proxy(transport: Transport, proxy_id: str) -> None:
    if not (await transport.call("TcpProxyDelete", {"id": proxy_id}, _ProxyDeleted)).tcp_proxy_delete:
        raise RailwayError("refused", f"Railway did not delete the TCP proxy {proxy_id}")


async def set_image(transport: Transport, service_id: str, environment_id: str, image: str) -> None:
    input = {"source": {"image": image}}
    variables = {"serviceId": service_id, "environmentId": environment_id, "input": input}
    if not (await transport.call("SetImage", variables, _Updated)).service_instance_update:
        raise RailwayError("refused", f"Railway did not take the image for service {service_id}")


async def _listed(
    transport: Transport, project_id: str, environment_id: str
) -> tuple[list[_Instance], Mapping[str, _Configured]]:
    config: list[Mapping[str, Any]] = []

    async def page(after: Mapping[str, str | None]) -> Mapping[str, Connection[Any]]:
        variables = {
            "projectId": project_id,
            "environmentId": environment_id,
            "first": PAGE,
            "after": after["serviceInstances"],
        }
        found = (await transport.call("Instances", variables, _Environment)).environment
        config.append(found.config)
        return {"serviceInstances": found.service_instances}

    found = (await whole(page, "serviceInstances"))["serviceInstances"]
    return [each for each in found if each.deleted_at is None], _configured(config[0])


def _configured(config: Mapping[str, Any]) -> Mapping[str, _Configured]:
    """By service. What is not as expected is not known; there are other ways to all of it."""
    found = {}
    services = config.get("services")
    for id, service in services.items() if isinstance(services, dict) else ():
        try:
            found[id] = msgspec.convert(service, _Configured)
        except msgspec.ValidationError:
            continue
    return found


def _instance(
    found: _Instance,
    configured: _Configured,
    proxies: Sequence[TcpProxy],
    names: Mapping[str, str],
    memory: float | None,
    cpu: float | None,
) -> Instance:
    domains = (*found.domains.service_domains, *found.domains.custom_domains)
    source = found.source or _Source()
    return Instance(
        service_id=found.service_id,
        name=found.service_name,
        environment_id=found.environment_id,
        repo=source.repo,
        image=source.image,
        start_command=found.start_command,
        healthcheck_path=found.healthcheck_path,
        cron=found.cron_schedule,
        sleeps=bool(found.sleep_application),
        replicas=_replicas(found, configured.deploy or _Deploy()),
        domains=[each.domain for each in domains if each.deleted_at is None],
        private_domain=names.get(found.service_id),
        proxies=proxies,
        latest=deployments.known(found.latest_deployment),
        memory_limit_gb=memory,
        cpu_limit=cpu,
    )


def _replicas(found: _Instance, deploy: _Deploy) -> dict[str, int]:
    """By region, where that is said; else as many as there are, in the one region that the instance has."""
    regions = {
        region: each.num_replicas
        for region, each in (deploy.multi_region_config or {}).items()
        if each is not None and each.num_replicas is not None
    }
    if regions:
        return regions
    count = found.num_replicas or deploy.num_replicas
    return {} if count is None or found.region is None else {found.region: count}


def _public(ways: Sequence[_Proxy] | None) -> list[TcpProxy]:
    if ways is None:
        raise changed("tcpProxies", "Expected `array`, got `null`")
    living = (each for each in ways if each.deleted_at is None)
    return [TcpProxy(each.id, each.domain, each.proxy_port, each.application_port) for each in living]


async def _limits(
    transport: Transport, services: Sequence[Mapping[str, str]]
) -> Sequence[tuple[float | None, float | None]]:
    try:
        found = await asked_in_groups(transport, _LIMITS, services, dict[str, Any])
    except RailwayError as error:
        if error.cause not in _MAY_BE_UNKNOWN:
            raise
        return [(None, None)] * len(services)
    return [_limit(each or {}) for each in found]


def _limit(found: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """GB of memory and vCPUs. The scalar has no published shape; both that were seen are read."""
    containers = found.get("containers")
    if isinstance(containers, Mapping):
        memory = _number(containers.get("memoryBytes"))
        return None if memory is None else memory / 1e9, _number(containers.get("cpu"))
    return _number(found.get("memoryGB")), _number(found.get("vCPUs"))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


async def _private_domains(
    transport: Transport,
    environment_id: str,
    services: Sequence[Mapping[str, str]],
    configured: Mapping[str, _Configured],
) -> Mapping[str, str]:
    """By service: as the configuration names them, and where it does not, as the private network does."""
    names: dict[str, str] = {}
    unnamed = []
    for service in services:
        each = configured.get(service["service"])
        endpoint = each.networking.private_network_endpoint if each and each.networking else None
        if endpoint:
            names[service["service"]] = _full(endpoint, _PRIVATE)
        else:
            unnamed.append(service)
    if not unnamed:
        return names
    try:
        names |= await _endpoints(transport, environment_id, unnamed)
    except RailwayError as error:
        if error.cause not in _MAY_BE_UNKNOWN:
            raise
    return names


async def _endpoints(
    transport: Transport, environment_id: str, services: Sequence[Mapping[str, str]]
) -> Mapping[str, str]:
    found = await transport.call("PrivateNetworks", {"environmentId": environment_id}, _Networks)
    network = next((each for each in found.private_networks if each.deleted_at is None), None)
    if network is None:
        return {}
    asked = [{**service, "network": network.public_id} for service in services]
    endpoints = await asked_in_groups(transport, _ENDPOINT, asked, _Endpoint)
    return {
        service["service"]: _full(endpoint.dns_name, network.dns_name)
        for service, endpoint in zip(services, endpoints, strict=True)
        if endpoint is not None
    }


def _full(endpoint: str, network: str) -> str:
    return endpoint if endpoint.endswith(f".{network}") else f"{endpoint}.{network}"
