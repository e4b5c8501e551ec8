"""Which driver errors mean what: the closed lists by SQLSTATE and by SQLite result code.

    Fault.ROW        the row itself is refused (unique, check, a value no database takes): its write set conflicts
    Fault.RETRY      nothing happened and trying again may work (deadlock, serialisation, lock timeout)
    Fault.LOST       the connection is gone; before COMMIT nothing happened, during COMMIT nobody knows
    Fault.FULL       no room (disk, database, memory): nothing can be stored for now
    Fault.BROKEN     the disk refuses to keep what it was given: writing stops until a person looked
    Fault.PROGRAM    everything else, a mistake of ours

Sources: SQLite "Result and Error Codes"; PostgreSQL documentation, appendix A "PostgreSQL Error Codes".
"""

from __future__ import annotations

import enum
import sqlite3
import sys

try:
    import pysqlite3.dbapi2 as _bundled
except ImportError:
    SQLITE_ERRORS: tuple[type[Exception], ...] = (sqlite3.Error,)
else:
    SQLITE_ERRORS = (sqlite3.Error, _bundled.Error)


def driver_errors() -> tuple[type[Exception], ...]:
    """What to except: psycopg's errors only where it was imported, which a hub on SQLite does not wait for."""
    psycopg = sys.modules.get("psycopg")
    return SQLITE_ERRORS if psycopg is None else (*SQLITE_ERRORS, psycopg.Error)


VALUE_ERRORS: tuple[type[Exception], ...] = (UnicodeError, OverflowError)
"""What drivers raise for text that is no Unicode and numbers beyond 64 bits."""


class Fault(enum.Enum):
    ROW = "row"
    RETRY = "retry"
    LOST = "lost"
    FULL = "full"
    BROKEN = "broken"
    PROGRAM = "program"


_SQLITE = {
    5: Fault.RETRY,  # SQLITE_BUSY
    6: Fault.RETRY,  # SQLITE_LOCKED
    7: Fault.FULL,  # SQLITE_NOMEM
    8: Fault.BROKEN,  # SQLITE_READONLY: the medium or its rights changed below us
    10: Fault.BROKEN,  # SQLITE_IOERR
    11: Fault.BROKEN,  # SQLITE_CORRUPT
    13: Fault.FULL,  # SQLITE_FULL
    14: Fault.FULL,  # SQLITE_CANTOPEN: no file handles, a missing folder
    18: Fault.ROW,  # SQLITE_TOOBIG
    19: Fault.ROW,  # SQLITE_CONSTRAINT
    26: Fault.BROKEN,  # SQLITE_NOTADB
}

_SQLSTATE = {
    "40001": Fault.RETRY,  # serialization_failure
    "40P01": Fault.RETRY,  # deadlock_detected
    "55P03": Fault.RETRY,  # lock_not_available
    "57014": Fault.RETRY,  # query_canceled: a statement timeout
    "25P03": Fault.LOST,  # idle_in_transaction_session_timeout
    "57P01": Fault.LOST,  # admin_shutdown
    "57P02": Fault.LOST,  # crash_shutdown
    "57P03": Fault.LOST,  # cannot_connect_now
    "57P05": Fault.LOST,  # idle_session_timeout
    "53100": Fault.FULL,  # disk_full
    "53200": Fault.FULL,  # out_of_memory
    "53300": Fault.FULL,  # too_many_connections
    "53400": Fault.FULL,  # configuration_limit_exceeded
    "58030": Fault.BROKEN,  # io_error
    "25006": Fault.LOST,  # read_only_sql_transaction: we were moved to a standby
}
_SQLSTATE_CLASS = {"08": Fault.LOST, "22": Fault.ROW, "23": Fault.ROW}


def fault_of(error: BaseException) -> Fault:
    if isinstance(error, VALUE_ERRORS):
        return Fault.ROW
    if isinstance(error, SQLITE_ERRORS):
        code = getattr(error, "sqlite_errorcode", None)  # none: the driver's own complaint about a call
        return Fault.PROGRAM if code is None else _SQLITE.get(code & 0xFF, Fault.PROGRAM)
    psycopg = sys.modules.get("psycopg")
    if psycopg is not None and isinstance(error, psycopg.Error):
        state: str | None = getattr(error, "sqlstate", None)
        if state is None:  # raised by the client: the connection is gone, or a value has no form
            return Fault.ROW if isinstance(error, psycopg.DataError) else Fault.LOST
        return _SQLSTATE.get(state) or _SQLSTATE_CLASS.get(state[:2], Fault.PROGRAM)
    return Fault.PROGRAM
