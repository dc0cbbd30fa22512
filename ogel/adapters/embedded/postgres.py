"""PostgreSQL with a password, one database, and room for one small suite."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from ogel.adapters.embedded.cluster import make_cluster, remove_unfinished
from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.launch import NOBODY
from ogel.adapters.embedded.privileges import probe
from ogel.adapters.embedded.process import describe, end, with_title
from ogel.adapters.embedded.record import password_file
from ogel.adapters.embedded.server import HOST, Server, explain
from ogel.kernel.errors import ConfigError

USER = DATABASE = "ogel"
_CLUSTER = "postgres"
_CONNECT_TIMEOUT_SECONDS = 5
_ORPHAN_TIMEOUT_SECONDS = 5.0

# Small, but nothing that PostgreSQL confirmed is ever lost. `log_min_messages=log` leaves out the errors of
# single statements: whoever sent one is told, and the log must not grow with every refused row.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",
    "log_checkpoints": "off",
    "logging_collector": "off",
}


class Postgres(Server):
    name = "postgres"
    title = "PostgreSQL"
    stop_signal = signal.SIGINT  # "Fast": ends sessions, writes a checkpoint.

    def __init__(self, data: DataDir, bin_dir: Path) -> None:
        self._bin = bin_dir
        self._cluster = data.path / _CLUSTER
        self._password_path = data.path / password_file(self.name)
        if self._cluster.exists() and not self._password_path.exists():
            raise ConfigError(
                f"{self._password_path} is missing, and {self._cluster} does not open without it:"
                " restore it, or set another OGEL_DATA_DIR."
            )
        super().__init__(data)

    @classmethod
    def url_at(cls, port: int, password: str) -> str:
        return f"postgresql://{USER}:{password}@{HOST}:{port}/{DATABASE}"

    def prepare(self) -> tuple[list[str], str]:
        program = self._bin / "postgres"
        probed = probe(program)
        if probed.way == NOBODY:
            # Nobody has to pass through it; what lies in it stays closed to them.
            self.data.path.chmod(0o711)
        else:
            probed.own(self.data.path)
        _end_orphans(self.data)
        remove_unfinished(self.data)
        if self._cluster.exists():
            self._refuse_other_version(probed.version)
        else:
            make_cluster(self.data, self._cluster, self._bin / "initdb", probed, USER, self.password)
        probed.own(self._cluster)
        self._drop_lock_of_another_process()
        settings = {**_SETTINGS, "port": str(self.port), "cluster_name": self.data.marker}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(program), "-D", str(self._cluster), *options], probed.way

    def answers(self) -> bool:
        import psycopg  # Late: a process with servers of its own elsewhere never needs it for this.

        try:
            connection = psycopg.connect(
                host=HOST,
                port=self.port,
                user=USER,
                password=self.password,
                dbname="postgres",
                sslmode="disable",
                gssencmode="disable",
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise ConfigError(
                    f"The password in {self._password_path} does not open {self._cluster}:"
                    " restore it, or set another OGEL_DATA_DIR."
                ) from error
            return False  # Not listening yet, or still replaying its log.
        try:
            with connection:
                # Here and not after initdb, so that it is made up for when the first start was interrupted.
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'ogel'").fetchone()
                if known is None:
                    connection.execute("CREATE DATABASE ogel")
        except psycopg.Error as error:
            raise explain("PostgreSQL did not make its database", [str(error)], self.data) from error
        return True

    def wait_stopped(self, timeout_seconds: float) -> bool:
        killed = super().wait_stopped(timeout_seconds)
        if killed:
            _end_orphans(self.data)
        return killed

    @classmethod
    def end_stale(cls, data: DataDir, timeout_seconds: float) -> int | None:
        pid = super().end_stale(data, timeout_seconds)
        _end_orphans(data)
        return pid

    def _refuse_other_version(self, version: str) -> None:
        """`version` is what the program calls itself: "postgres (PostgreSQL) 18.6"."""
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        number = re.search(r"\d+", version)
        if number is None or number.group() != made_by:
            raise ConfigError(
                f"{self._cluster} was made by PostgreSQL {made_by}, but {self._bin} is {version!r}:"
                f" set OGEL_PG_BIN to a PostgreSQL {made_by}, or take the data to a new directory by a dump."
            )

    def _drop_lock_of_another_process(self) -> None:
        """
        PostgreSQL believes that a server runs when the pid in a left-over lock file is alive, and in a
        container, where pids repeat, it soon is: as something else. Other left-overs it deals with itself.
        """
        lock = self._cluster / "postmaster.pid"
        first_line = lock.read_text().partition("\n")[0] if lock.exists() else ""
        running = describe(int(first_line)) if first_line.isdigit() else None
        if running is not None and not re.search(r"(^|/)postgres(:| |$)", running.command):
            lock.unlink()


def _end_orphans(data: DataDir) -> None:
    """Sessions outlive a killed server until they next look up; no new one can start before they are gone."""
    for orphan in with_title(f"postgres: {data.marker}: "):
        end(orphan, data.marker, signal.SIGQUIT, _ORPHAN_TIMEOUT_SECONDS)
