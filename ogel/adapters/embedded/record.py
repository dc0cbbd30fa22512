"""The record of a server that a run of ogel leaves on disk: its process, its port and its password."""

from __future__ import annotations

import json

from msgspec import Struct

from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.process import Identity, is_running
from ogel.kernel.errors import ConfigError


class Record(Struct, frozen=True):
    """The server started last, from its start to its orderly stop."""

    process: Identity
    port: int

    def runs(self, data: DataDir) -> bool:
        return is_running(self.process, data.marker)


def password_file(server: str) -> str:
    return f"{server}.password"


def save_record(data: DataDir, server: str, record: Record) -> None:
    content = {"pid": record.process.pid, "started": record.process.started, "port": record.port}
    data.write(_file(server), json.dumps(content) + "\n")


def load_record(data: DataDir, server: str) -> Record | None:
    text = data.read(_file(server))
    if text is None:
        return None
    try:
        content = json.loads(text)
        return Record(Identity(int(content["pid"]), str(content["started"])), int(content["port"]))
    except (ValueError, KeyError, TypeError):
        where = data.path / _file(server)
        raise ConfigError(f"{where} is damaged: stop that {server} by hand and remove the file.") from None


def remove_record(data: DataDir, server: str) -> None:
    data.remove(_file(server))


def _file(server: str) -> str:
    return f"{server}.running.json"
