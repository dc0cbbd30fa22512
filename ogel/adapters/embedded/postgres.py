"""PostgreSQL with a password, one database, and room for one small suite."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from ogel.adapters.embedded.cluster import make_cluster, remove_unfinished
from ogel.adapters.embedded.data_dir import DataDir
from ogel.adapters.embedded.launch import NOBODY
from ogel.adapters.embedded.privileges import probe
from ogel.adapters.embedded.process import works_in
from ogel.adapters.embedded.record import password_file
from ogel.adapters.embedded.server import HOST, Interrupted, Server, explain
from ogel.kernel.errors import ConfigError

USER = DATABASE = "ogel"
_CLUSTER = "postgres"
_CONNECT_TIMEOUT_SECONDS = 5

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
    # "Immediate". Sessions outlive a killed server until they next look up; no new one can start before they are gone.
    orphans_signal = signal.SIGQUIT
    command_pattern = r"^postgres: {marker}: |\bcluster_name={marker}( |$)"

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

    def prepare(self, interrupted: Interrupted) -> tuple[list[str], str]:
        program = self._bin / "postgres"
        probed = probe(program)
        if probed.way == NOBODY:
            # Nobody has to pass through it; what lies in it stays closed to them.
            self.data.path.chmod(0o711)
        else:
            probed.own(self.data.path)
        if self.has_run:  # otherwise whoever took the directory has just done so
            self.end_orphans(self.data)
        remove_unfinished(self.data)
        if self._cluster.exists():
            self._refuse_other_version(probed.version)
        elif self.has_run:
            raise ConfigError(f"{self._cluster} is gone, and with it what PostgreSQL held.")
        else:
            make_cluster(
                self.data, self._cluster, self._bin / "initdb", probed, USER, self.password, interrupted
            )
        probed.own(self._cluster)
        self._drop_lock_of_nobody()
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

    def _refuse_other_version(self, version: str) -> None:
        """`version` is what the program calls itself: "postgres (PostgreSQL) 18.6"."""
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        number = re.search(r"\d+", version)
        if number is None or number.group() != made_by:
            raise ConfigError(
                f"{self._cluster} was made by PostgreSQL {made_by}, but {self._bin} is {version!r}:"
                f" set OGEL_PG_BIN to a PostgreSQL {made_by}, or take the data to a new directory by a dump."
            )

    def _drop_lock_of_nobody(self) -> None:
        """
        PostgreSQL believes that a server runs when the pid in a left-over lock file is taken: by a zombie, or in a
        container, where pids repeat, by any other process or thread; and it never starts beside an empty one. We hold
        the directory, so that only a server which somebody started by hand can be at work there. That one PostgreSQL
        may complain of; should we have missed it, it would still find the shared memory in use.
        """
        lock = self._cluster / "postmaster.pid"
        if lock.exists():
            # Negative: that of a server in single-user mode.
            pid = re.match(rb"-?([0-9]{1,10})\b", lock.read_bytes())
            if pid is None or not works_in(int(pid.group(1)), self._cluster):
                lock.unlink()
