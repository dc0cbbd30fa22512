"""What a process has resident, in bytes. Linux only: /proc tells."""

from __future__ import annotations

from pathlib import Path


def resident_bytes(pid: int) -> int:
    return _field(pid, "VmRSS")


def forget_peak(pid: int) -> None:
    """From now on the peak counts from here; see clear_refs in proc(5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_resident_bytes(pid: int) -> int:
    return _field(pid, "VmHWM")


def _field(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    [kibibytes] = [line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:")]
    return int(kibibytes) * 1024
