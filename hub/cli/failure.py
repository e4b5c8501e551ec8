"""How a command ends badly: what failed, why, what to do, and an exit code."""

from __future__ import annotations

FAILED = 1
UNREACHABLE = 4
REFUSED = 5


class Failure(Exception):
    """Shown to the user as it is."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
