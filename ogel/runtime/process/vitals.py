"""The resource usage of this process, as the kernel reports it."""

from __future__ import annotations

import os
import resource


def resident_bytes() -> int:
    """Returns the resident memory; 0 where the kernel does not report it (no /proc)."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def cpu_seconds() -> float:
    """Returns user and system CPU time since the process started."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
