"""A hub that is killed at a point of its work with files; started as a process by test_sftp_crash.

    python -m tests.connectors.sftp_dying_hub CONFIG HOME POINT MINUTES

POINT is before_store, before_settle, after_settle or never; when the first files reach it nothing gets to finish.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.sftp_files.connector import SftpFiles
from hub.actions.table import act
from hub.domain.ids import IdSource
from hub.exchange.polls import Polls
from hub.runtime.configuration import load_configuration
from hub.runtime.hub import Hub
from hub.runtime.place import Place
from hub.store.open import Mode, open_store
from tests.conftest import SettableClock

POINTS: dict[str, tuple[type, str, bool]] = {
    "before_store": (Polls, "_store", True),
    "before_settle": (SftpFiles, "settle", True),
    "after_settle": (SftpFiles, "settle", False),
}


def die_at(point: str) -> None:
    if point == "never":
        return
    owner, name, before = POINTS[point]
    real: Callable[..., Any] = getattr(owner, name)

    def dying(*given: Any) -> Any:
        if not given[-1].receipts:  # a batch that only moves the cursor
            return real(*given)
        if not before:
            real(*given)
        return os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


def main(config: str, home: str, point: str, minutes: str) -> None:
    die_at(point)
    environ = dict(os.environ)
    clock = SettableClock()
    clock.advance(float(os.environ["HUB_TEST_SECONDS"]))
    place = Place(Path(config), Path(home))
    source = random.Random(int(os.environ["HUB_TEST_SECONDS"]))
    ids = IdSource(source)
    store = open_store("hub.db", home=place.home, clock=clock, ids=ids, mode=Mode.OWN)
    loaded = load_configuration(place.config, environ)
    hub = Hub(place, loaded, store, clock=clock, ids=ids, source=source, environ=environ, act=act)
    hub.engine.start()
    for _ in range(int(minutes)):
        clock.advance(60)
        hub.engine.run_until_idle()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
