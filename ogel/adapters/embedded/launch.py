"""Becomes a server: gives up root, ties its life to ogel's, then execs the command.

Run as a script with the standard library only. It stands in for a `preexec_fn`, which may deadlock in a
parent that has threads; a fresh interpreter has none, as `unshare(CLONE_NEWUSER)` demands anyway.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

# Ways to run, see privileges.py.
AS_IS, USER_NAMESPACE, NOBODY = "as-is", "user-namespace", "nobody"
NOBODY_ID = 65534

_CLONE_NEWUSER = 0x10000000  # <linux/sched.h>
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(parent_pid: str, death_signal: str, way: str, *command: str) -> None:
    os.umask(0o077)
    if way == USER_NAMESPACE:
        _enter_user_namespace()
    elif way == NOBODY:
        os.setgroups([])
        os.setgid(NOBODY_ID)
        os.setuid(NOBODY_ID)
    if sys.platform == "linux":
        _die_with_parent(int(parent_pid), int(death_signal))
    os.execv(command[0], command)  # noqa: S606 - no shell is what we want


def _enter_user_namespace() -> None:
    """Inside we are `nobody`, whom initdb finds in passwd; outside, files still belong to who started us."""
    uid, gid = os.geteuid(), os.getegid()
    _check(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER), "unshare")
    # Without "deny" the kernel refuses the gid map of an unprivileged process (user_namespaces(7)).
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY_ID} {gid} 1")


def _die_with_parent(parent_pid: int, death_signal: int) -> None:
    """Must come after every change of credentials, for those clear it (prctl(2))."""
    _check(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0), "prctl")
    if os.getppid() != parent_pid:  # It died before we asked to hear of it.
        sys.exit("the process that started this server has ended")


def _check(result: int, call: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"cannot start {sys.argv[4]}: {error}")
