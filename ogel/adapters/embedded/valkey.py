"""Valkey (or Redis) with a password and an append-only file."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.launch import AS_IS
from ogel.adapters.embedded.server import HOST, Interrupted, Server

_ANSWER_TIMEOUT_SECONDS = 1.0

# `noeviction`: queues live here, and a full memory has to refuse writes rather than forget them.
# `set-proc-title no` leaves the command line as we gave it, which is how we know the process again.
_CONFIG = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
databases 16
daemonize no
set-proc-title no
dir {directory}
logfile ""
loglevel notice
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""


class Valkey(Server):
    name = "redis"
    title = "Valkey"
    stop_signal = signal.SIGTERM
    orphans_signal = signal.SIGTERM
    command_pattern = r"--syslog-ident {marker}( |$)"

    def __init__(self, data: DataDir, program: Path) -> None:
        super().__init__(data)
        self._program = program

    @classmethod
    def url_at(cls, port: int, password: str) -> str:
        return f"redis://:{password}@{HOST}:{port}/0"

    def prepare(self, interrupted: Interrupted) -> tuple[list[str], str]:
        directory = self.data.path / "redis"
        directory.mkdir(mode=0o700, exist_ok=True)
        config = _CONFIG.format(
            host=HOST,
            port=self.port,
            password=self.password,
            directory=_quoted(str(directory)),
        )
        # In the file and not on the command line, where everyone on the machine could read the password.
        path = self.data.write("redis.conf", config)
        return [str(self._program), str(path), "--syslog-ident", self.data.marker], AS_IS

    def answers(self) -> bool:
        ask = f"AUTH {self.password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((HOST, self.port), _ANSWER_TIMEOUT_SECONDS) as connection:
                connection.sendall(ask)
                answer = b""
                # Bounded: two short lines, or the peer closes, or the timeout ends it.
                while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                    answer += part
        except OSError:  # Not listening yet, or too busy loading to answer.
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
