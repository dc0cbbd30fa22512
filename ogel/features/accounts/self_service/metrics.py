"""Prometheus metrics of sign-ins by password."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class SignInMetrics:
    """Outcomes: `signed_in`, `wrong` (password or address), `held_up` (banned, not confirmed), `limited`, `crowded`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sign_ins = Counter(
            "ogel_password_sign_ins",
            "Sign-ins by password, by how they ended.",
            ["outcome"],
            registry=registry,
        )
