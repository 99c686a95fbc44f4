"""A connection to MySQL that knows how long to wait, and sends rows where a file is asked for.

Belongs here: what PyMySQL's connection lacks for a delivery. Which statements are sent does not.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pymysql.connections import Connection, MySQLResult
from pymysql.constants import CR
from pymysql.err import OperationalError
from pymysql.protocol import LoadLocalPacketWrapper

CONNECT_SECONDS = 4
"""Longest wait for a server to take a connection, for each step of its greeting, and for a sign of
life of a connection that was not used for a while."""
ANSWER_SECONDS = 60
"""Longest wait for the answer to a statement. Those of a delivery are cut so that none has work
that grows with the delivery."""
_TAKE_SECONDS = 20
"""Longest wait for the server to take a packet of rows."""
_COMMIT_SECONDS = 600
"""A commit alone may have such work: a server that keeps a binary log writes all rows to it."""
_LOCK_SECONDS = 10
_PACKET_BYTES = 1 << 16
_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 25_000,
}
"""A host that is gone is found out within half a minute, however long an answer may take."""


class _Result(MySQLResult):  # type: ignore[misc]  # PyMySQL has no types
    """An answer. Where it asks for a file, it gets the rows on offer; no file is ever opened."""

    def _read_load_local_packet(self, first_packet: Any) -> None:
        connection = self.connection
        wanted = LoadLocalPacketWrapper(first_packet).filename
        try:
            connection.send_offered(wanted)
        except BaseException:
            # The end of the file must not be told: the server would keep what it has.
            connection._force_close()  # noqa: SLF001  (there is no other way to close it at once)
            raise
        self._read_ok_packet(connection._read_packet())  # noqa: SLF001


class MySQLConnection(Connection):  # type: ignore[misc]  # PyMySQL has no types
    """A connection of PyMySQL with a timeout for each kind of wait.

    It answers LOAD DATA LOCAL INFILE with rows from memory. A server can ask a client for any file,
    whatever the statement was; this client has nothing to give but what is on offer.

    Args:
        options: PyMySQL's.

    Attributes:
        OFFERED: Name of the file in a LOAD DATA statement; there is no such file.

    Raises:
        OperationalError: there is no connection within the time.
    """

    OFFERED = "rows-of-this-delivery"

    def __init__(self, **options: Any) -> None:
        self._offer: Iterable[bytes] | None = None
        super().__init__(
            **options
            | {
                "charset": "utf8mb4",
                "sql_mode": "STRICT_ALL_TABLES",
                "init_command": f"SET SESSION innodb_lock_wait_timeout = {_LOCK_SECONDS}, "
                f"lock_wait_timeout = {_LOCK_SECONDS}",
                "local_infile": True,
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": CONNECT_SECONDS,
                "write_timeout": _TAKE_SECONDS,
            }
        )

    def connect(self, sock: Any = None) -> None:
        """See PyMySQL; afterwards, answers may take longer than the greeting may."""
        self._read_timeout = CONNECT_SECONDS
        super().connect(sock)
        self._read_timeout = ANSWER_SECONDS
        if self._sock.family != socket.AF_UNIX:
            for name, value in _KEEP_ALIVE.items():
                if hasattr(socket, name):  # which there are depends on the system
                    self._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def ping(self, reconnect: bool = False) -> None:
        """See PyMySQL; a server that does not answer soon is taken to be gone."""
        with self.patience(CONNECT_SECONDS):
            super().ping(reconnect)

    def commit(self) -> None:
        """See PyMySQL."""
        with self.patience(_COMMIT_SECONDS):
            super().commit()

    @contextmanager
    def patience(self, seconds: int) -> Iterator[None]:
        """For a while, wait longer or shorter for answers."""
        self._read_timeout, before = seconds, self._read_timeout
        try:
            yield
        finally:
            self._read_timeout = before

    @contextmanager
    def offering(self, rows: Iterable[bytes]) -> Iterator[None]:
        """For one LOAD DATA statement, have rows on offer as the file `OFFERED`."""
        self._offer = rows
        try:
            yield
        finally:
            self._offer = None

    def send_offered(self, wanted: bytes) -> None:
        """Send the rows on offer, and their end.

        Raises:
            OperationalError: there are none, or the server wants something else.
        """
        offer, self._offer = self._offer, None
        if offer is None or wanted != self.OFFERED.encode():
            raise OperationalError(
                CR.CR_COMMANDS_OUT_OF_SYNC, "the server asked for a file that is not on offer"
            )
        for rows in offer:
            content = memoryview(rows)
            for start in range(0, len(content), _PACKET_BYTES):
                self.write_packet(content[start : start + _PACKET_BYTES])
        self.write_packet(b"")

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        # As PyMySQL's own, but for the class of the result.
        self._result = None
        result = _Result(self)
        if unbuffered:
            result.init_unbuffered_query()
        else:
            result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows
