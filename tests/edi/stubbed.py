"""Makes the connector of tests/edi/stub known, as an installed one would be."""

from __future__ import annotations

import sys
from pathlib import Path

STUB = Path(__file__).with_name("stub")


def install() -> None:
    """Once a process; entry points are found on the import path."""
    if str(STUB) not in sys.path:
        sys.path.append(str(STUB))


install()
