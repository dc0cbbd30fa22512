"""
Ctrl-C before there is anything to clean up: while modules are imported. As an exception it would end in a traceback
there, or be swallowed by whatever is being imported, and the process would go on.
"""

from __future__ import annotations

import signal


def end_us() -> None:
    """From now on Ctrl-C is the end, without a word. Who started us to ignore it, or listens, is let be."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_again() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt: the command has something to put away, a connection or a prompt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
