"""The everyday run leaves tests marked `full("what it is")` out; the last line of a run names what it left."""

from typing import Any

import hypothesis
import pytest

# How fast a machine is at the moment fails no test: speed is measured, elsewhere.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("suite")

LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help='run the tests marked full("..."), too')


@pytest.hookimpl(trylast=True)  # after -k and -m: what those leave out is nobody's surprise
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[LEFT_OUT] = []
    if config.getoption("--full"):
        return
    long = [(item, marker) for item in items if (marker := item.get_closest_marker("full"))]
    for item, marker in long:
        if not marker.args:
            raise pytest.UsageError(f'{item.nodeid}: mark it full("what it is and how long"), for the closing line')
    config.stash[LEFT_OUT] = [str(marker.args[0]) for _, marker in long]
    _tell_the_main_process(config)
    chosen = {item for item, _ in long}
    items[:] = [item for item in items if item not in chosen]
    config.hook.pytest_deselected(items=[item for item, _ in long])


def _tell_the_main_process(config: pytest.Config) -> None:
    """Where the suite runs in several processes, each leaves the same tests out and the main one prints for all."""
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output["left_out"] = config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    said = getattr(node, "workeroutput", {})  # none of a process that died
    node.config.stash[LEFT_OUT] = said.get("left_out", node.config.stash.get(LEFT_OUT, []))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if LEFT_OUT in config.stash and not hasattr(config, "workeroutput"):
        print(closing_line(config.stash[LEFT_OUT], full=bool(config.getoption("--full"))))


def closing_line(left_out: list[str], *, full: bool) -> str:
    """What the run left to `--full`: how many tests, and each kind of them once."""
    if not left_out:
        return "left to --full: nothing" + (", this was the full run" if full else "")
    noun = "test" if len(left_out) == 1 else "tests"
    return f"left to --full: {len(left_out)} {noun} ({', '.join(sorted(set(left_out)))})"
