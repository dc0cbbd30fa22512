"""Outgoing requests to addresses that users choose: the address guard and a small HTTP/1.1 client."""

from ogel.adapters.egress.addresses import LOCAL_NAMES, AddressGuard, Network
from ogel.adapters.egress.client import EgressClient
from ogel.adapters.egress.door import Door
from ogel.adapters.egress.own import OwnHosts, OwnServices
from ogel.adapters.egress.proxy import Proxy, ProxyAddress
from ogel.adapters.egress.resolver import Resolver, SystemResolver
from ogel.adapters.egress.target import RequestTarget
from ogel.runtime.egress import EgressError, Exchange, InvalidUrl, RefusedAddress, Timings

__all__ = [
    "LOCAL_NAMES",
    "AddressGuard",
    "Door",
    "EgressClient",
    "EgressError",
    "Exchange",
    "InvalidUrl",
    "Network",
    "OwnHosts",
    "OwnServices",
    "Proxy",
    "ProxyAddress",
    "RefusedAddress",
    "RequestTarget",
    "Resolver",
    "SystemResolver",
    "Timings",
]
