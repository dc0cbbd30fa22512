"""`python -m tests.support.railway --world MODULE:FUNCTION [--port N]`: the stand-in as a process, until SIGTERM."""

from __future__ import annotations

import argparse
import importlib
import signal

from tests.support.railway.server import RailwayServer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--world", required=True, help="what makes the world: tests.some.module:function")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    module, _, function = given.world.partition(":")
    server = RailwayServer(getattr(importlib.import_module(module), function)())
    server.port = given.port
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with server:
        for name, value in server.variables().items():
            print(f"{name}={value}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


main()
