"""What a workspace owes, and the limits it has set itself."""

from __future__ import annotations

from msgspec import Struct

from ogel.adapters.railway.transport import Moment, Transport
from ogel.runtime.railway import Billing


class _Period(Struct):
    start: Moment
    end: Moment


class _Limit(Struct, rename="camel"):
    """Whole dollars; a soft limit of 0 is none."""

    soft_limit: float | None = None
    hard_limit: float | None = None
    is_over_limit: bool = False


class _Customer(Struct, rename="camel"):
    current_usage: float
    billing_period: _Period
    usage_limit: _Limit | None = None


class _Workspace(Struct):
    customer: _Customer


class _Found(Struct):
    workspace: _Workspace


async def billing(transport: Transport, workspace_id: str) -> Billing:
    found = (await transport.call("Billing", {"workspaceId": workspace_id}, _Found)).workspace.customer
    limit = found.usage_limit or _Limit()
    return Billing(
        period_start=found.billing_period.start,
        period_end=found.billing_period.end,
        current_usage=found.current_usage,
        soft_limit=limit.soft_limit or None,
        hard_limit=limit.hard_limit,
        is_over_limit=limit.is_over_limit,
    )
