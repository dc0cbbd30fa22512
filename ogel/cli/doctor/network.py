"""Whether a server of the settings is reached by a public name of Railway's, from inside of it."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.platform.named_servers import named_servers

SUBJECT = "network"


def public_hops(patient: Patient) -> Sequence[Finding]:
    """By their names. Elsewhere than on Railway there is no other way to them."""
    if not patient.on_railway:
        return []
    servers = named_servers(patient.settings)
    found = [
        ill(
            SUBJECT,
            f"{each.variable or each.name} leads to {each.places[0][0]}, which is public: billed as egress, and slower",
            "`ogel network plan` says what it would be",
            "private-network.md",
        )
        for each in servers
        if each.is_public_hop
    ]
    return found or [
        well(SUBJECT, f"none of {len(servers)} servers is reached by a public name of Railway's")
    ]
