"""What a check found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ogel.cli.doctor.patient import Patient
from ogel.runtime.alerts import RUNBOOKS


@dataclass(frozen=True, slots=True)
class Finding:
    """
    advice   what to do about it; None when nothing is wrong.
    runbook  the page that says more, if there is one.
    """

    subject: str
    ok: bool
    detail: str
    advice: str | None = None
    runbook: str | None = None


def well(subject: str, detail: str) -> Finding:
    return Finding(subject, True, detail)


def ill(subject: str, detail: str, advice: str, runbook: str | None = None) -> Finding:
    """`runbook`: a file in RUNBOOKS."""
    return Finding(subject, False, detail, advice, runbook and f"{RUNBOOKS}/{runbook}")


# Looks at the settings or this machine, in a thread; or asks somebody. Nothing to say: the check does not apply.
Look = Callable[[Patient], Sequence[Finding]]
Ask = Callable[[Patient], Awaitable[Sequence[Finding]]]
