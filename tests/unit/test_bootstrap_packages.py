"""What the code imports is what `pyproject.toml` declares, and what it declares is in the locks."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from hub import bootstrap

ROOT = Path(bootstrap.__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"hub", "connectors", "tests"}


def names(requirements: list[str]) -> set[str]:
    """The distributions in a list of requirements, as a lock spells them."""
    return {normal(re.split(r"[^A-Za-z0-9._-]", requirement)[0]) for requirement in requirements}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_modules(*folders: str) -> set[str]:
    """The top-level modules that the code in these folders imports, without our own and the standard library's."""
    modules: set[str] = set()
    for path in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").partition(".")[0])
    return modules - set(sys.stdlib_module_names) - OURS


def undeclared(modules: set[str], declared: set[str]) -> set[str]:
    """The modules that no declared distribution brings. One with a platform marker may be absent: its name decides."""
    brought_by = packages_distributions()
    return {name for name in modules if not declared & {normal(dist) for dist in brought_by.get(name, [name])}}


def test_the_package_imports_only_what_it_declares() -> None:
    assert undeclared(imported_modules("hub", "connectors"), names(PROJECT["dependencies"])) == set()


def test_the_tests_import_only_what_is_declared() -> None:
    extras = PROJECT["optional-dependencies"]
    assert (
        undeclared(imported_modules("tests"), names(PROJECT["dependencies"] + extras["test"] + extras["dev"])) == set()
    )


@pytest.mark.parametrize("extras", [(), ("test", "docs", "dev")])
def test_every_declared_package_is_in_the_lock(extras: tuple[str, ...]) -> None:
    declared = names(
        PROJECT["dependencies"] + [line for name in extras for line in PROJECT["optional-dependencies"][name]]
    )
    lock = (ROOT / ("requirements-test.lock" if extras else "requirements.lock")).read_text()
    assert declared - set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)) == set()


def test_a_prepared_environment_is_known_by_modules_of_declared_packages() -> None:
    runtime, test = set(bootstrap.RUNTIME_MODULES), set(bootstrap.TEST_MODULES)
    assert undeclared(runtime, names(PROJECT["dependencies"])) == set()
    assert undeclared(test, names(PROJECT["optional-dependencies"]["test"])) == set()


def test_what_the_package_imports_tells_a_prepared_environment() -> None:
    by_marker = {"httptools", "pysqlite3", "uvloop"}
    brought_by_another = {"starlette", "urllib3", "werkzeug", "markupsafe", "jinja2", "asgiref"}
    wanted = imported_modules("hub", "connectors") - by_marker - brought_by_another
    assert wanted <= set(bootstrap.RUNTIME_MODULES)
