"""How a command ends badly: what failed, why, what to do, and an exit code."""

from __future__ import annotations

FAILED = 1
USAGE = 2
UNREACHABLE = 4
REFUSED = 5


class Failure(Exception):
    """Shown to the user as it is."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def failure_of(error: Exception) -> Failure | None:
    """The words and the exit code of an error that has a meaning for the person at the keyboard; None for a bug.

    Imported when something has gone wrong only: a command that works pays nothing for it.
    """
    from hub.config.findings import ConfigErrors
    from hub.config.secrets import SecretError
    from hub.exchange.ports import StoreUnavailable
    from hub.sdk.errors import ConfigurationError
    from hub.store.owner import OwnerRunning

    if isinstance(error, ConfigErrors):
        return Failure(str(error), FAILED)
    if isinstance(error, SecretError | ConfigurationError):
        return Failure(f"The configuration cannot be used: {error}", FAILED)
    if isinstance(error, OwnerRunning):
        return Failure(
            f"Another hub runs on this data: {error}.\nStop that one, or give this one a home of its own with --home.",
            REFUSED,
        )
    if isinstance(error, StoreUnavailable):
        return Failure(f"The database cannot be used: {error}\nNothing was done.", UNREACHABLE)
    if isinstance(error, PermissionError | FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return Failure(f"{error.strerror}: {error.filename}", FAILED)
    return None
