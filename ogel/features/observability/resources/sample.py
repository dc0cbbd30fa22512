"""A sample is one number about one thing at one time; and the names of samples."""

from __future__ import annotations

from collections.abc import Mapping

# name → what it says. `…_share` is a part of a whole, 0 to 1.
NAMES: Mapping[str, str] = {
    "database.size_bytes": "Of the database.",
    "database.connections": "By state.",
    "database.connections_share": "Of max_connections that are taken, by whomever.",
    "database.takes_writes": "1, or 0 while its disk is full or it is read-only.",
    "database.cache_hit_share": "Of blocks that were found in shared_buffers; none before 100,000 were looked for.",
    "database.transaction_id_age": "Transactions since the oldest that is not frozen; Postgres stops at 2^31.",
    "database.longest_transaction_seconds": "Of the oldest transaction that is open.",
    "database.replication_lag_bytes": "That a standby has not replayed yet.",
    "database.table_bytes": "Of the largest tables, without their indexes.",
    "database.index_bytes": "Of all indexes of the largest tables.",
    "database.dead_rows": "Of the largest tables, that vacuum has not removed yet.",
    "database.vacuum_age_seconds": "Since the largest tables were vacuumed, by hand or not; none: never.",
    "redis.memory_bytes": "Used.",
    "redis.memory_share": "Of maxmemory; 0 when that is not set.",
    "redis.keys": "In all databases.",
    "redis.evicted_keys": "Since Redis started.",
    "redis.clients": "Connected.",
    "queue.jobs": "By queue and status.",
    "queue.oldest_seconds": "Since when the oldest job has been due that is not held.",
    "queue.stuck_seconds": "Since when the oldest job has been due that no pause, rate, slowing or breaker holds back.",
    "webhooks.breakers": "Endpoints by the state of their breaker.",
    "network.public_hops": "Servers with a public name of Railway's, of the process that takes the samples.",
    "storage.bytes": "Of all objects.",
    "storage.objects": "In all buckets.",
    "storage.pending_bytes": "Announced by uploads under way.",
    "storage.deleting_bytes": "Replaced or deleted, and still in the store.",
    "storage.late_seconds": "Since when the first of what nobody wants any more should be gone from the store.",
    "slo.burn.fast": "The rate at which an objective's budget is used, over an hour and five minutes; none: it is not.",
    "slo.burn.slow": "Likewise, over six hours and thirty minutes.",
    "slo.burn.steady": "Likewise, over three days and six hours.",
    "process.memory_bytes": "Resident, of every process.",
    "process.cpu_seconds": "User and system, since a process started.",
    "cost.spent_dollars": "Of the project on Railway, in the billing period so far.",
    "cost.forecast_dollars": "What it will come to at the end of the billing period.",
    "cost.spent_share": "Of OGEL_COST_BUDGET, that is spent.",
    "cost.forecast_share": "Of OGEL_COST_BUDGET, that will be spent.",
    "cost.read_hours": "Since what it costs was last read.",
    "disk.free_bytes": "Where OGEL_DATA_DIR is, of the process that takes the samples.",
    "disk.free_share": "Likewise, of the whole.",
}
# Counters that only grow until a server restarts.
CUMULATIVE = ("redis.evicted_keys",)
# What /metrics shows under another name already; of a process, only its own.
SHOWN_ELSEWHERE = (
    "queue.jobs",
    "queue.oldest_seconds",
    "network.public_hops",
    "webhooks.breakers",
    "slo.burn.fast",
    "slo.burn.slow",
    "slo.burn.steady",
    "process.memory_bytes",
    "process.cpu_seconds",
)
