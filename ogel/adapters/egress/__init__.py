"""Outgoing requests to addresses that users choose: the address guard and a small HTTP/1.1 client."""

from ogel.adapters.egress.addresses import LOCAL_NAMES, AddressGuard, Network
from ogel.adapters.egress.client import EgressClient, Exchange
from ogel.adapters.egress.errors import EgressError, InvalidUrl, Reason, RefusedAddress, Timings
from ogel.adapters.egress.resolver import Resolver, SystemResolver
from ogel.adapters.egress.target import Target

__all__ = [
    "LOCAL_NAMES",
    "AddressGuard",
    "EgressClient",
    "EgressError",
    "Exchange",
    "InvalidUrl",
    "Network",
    "Reason",
    "RefusedAddress",
    "Resolver",
    "SystemResolver",
    "Target",
    "Timings",
]
