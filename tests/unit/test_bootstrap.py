"""The first start on a bare checkout, run as a user runs it: a bare interpreter and an index of two small wheels."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub import bootstrap, installer

SOURCE = Path(bootstrap.__file__).parent
ROOT = SOURCE.parent
BARE_PYTHON = str(getattr(sys, "_base_executable", sys.executable))
NOBODY = 65534
MIRROR = "https://mirror.example/simple"

COMMAND_LINE = """
import sys
import parcel

def main(arguments):
    print("ran", " ".join(arguments), "with parcel", parcel.VERSION, "in", sys.prefix)
    return 0
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str
    seconds: float

    @property
    def installed(self) -> bool:
        return "Setting up" in self.err


@dataclass
class Checkout:
    """A copy of the bootstrap's files with locks of its own, and the bare environment that they are started in."""

    folder: Path
    wheels: Path
    environ: dict[str, str]

    def start(self, *arguments: str, python: str = BARE_PYTHON, user: int | None = None, **environ: str) -> Answer:
        return self.run([python, "-m", "hub", *arguments], user, **environ)

    def run(self, command: list[str], user: int | None = None, **environ: str) -> Answer:
        started = time.monotonic()
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=self.environ | environ,
            user=user,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Answer(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    @property
    def environment(self) -> Path:
        return self.folder / ".venv"

    def release_parcel(self, version: str) -> None:
        """Publishes a version of the runtime package and locks it."""
        pin = wheel(self.wheels, "parcel", version)
        (self.folder / "requirements.lock").write_text(pin)
        (self.folder / "requirements-test.lock").write_text(pin + wheel(self.wheels, "scales", "1.0"))


def wheel(folder: Path, name: str, version: str) -> str:
    """Writes a wheel of one module; returns its line in a lock."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def make_checkout(folder: Path) -> Checkout:
    checkout, wheels, home = folder / "checkout", folder / "wheels", folder / "home"
    for made in (checkout / "hub" / "cli", checkout / "tests", wheels, home):
        made.mkdir(parents=True)
    for name in ("__init__.py", "__main__.py", "bootstrap.py", "installer.py"):
        shutil.copy(SOURCE / name, checkout / "hub" / name)
    (checkout / "hub" / "cli" / "__init__.py").touch()
    (checkout / "hub" / "cli" / "main.py").write_text(COMMAND_LINE)
    (checkout / "pyproject.toml").touch()
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }
    made_checkout = Checkout(checkout, wheels, environ)
    made_checkout.release_parcel("1.0")
    return made_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout after its first start; tests that use it leave it complete."""
    made = make_checkout(tmp_path_factory.mktemp("prepared"))
    first = made.start("demo")
    assert first.code == 0, first.err
    assert first.installed
    return made


# ---- the files themselves


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py", "bootstrap.py", "installer.py"])
def test_an_old_interpreter_can_read_the_file(name: str) -> None:
    tree = ast.parse((SOURCE / name).read_text(), feature_version=(3, 6))
    newer = (ast.NamedExpr, ast.Match, ast.JoinedStr)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    assert "__future__" not in imported(tree)


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py", "bootstrap.py", "installer.py"])
def test_the_file_needs_nothing_but_the_standard_library(name: str) -> None:
    assert imported(ast.parse((SOURCE / name).read_text())) <= set(sys.stdlib_module_names) | {"hub"}


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


def test_an_environment_for_tests_holds_every_package_of_the_demo_in_the_same_version() -> None:
    runtime, test = pins("requirements.lock"), pins("requirements-test.lock")
    assert len(runtime) > 20
    assert runtime.items() <= test.items()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-test.lock"])
def test_a_lock_holds_pins_and_hashes_and_says_nothing_about_where_they_come_from(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    pin = re.compile(r"[a-z0-9-]+==\S+ (; .+ )?\\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not pin.fullmatch(line) and not digest.fullmatch(line)] == []


# ---- starting


def test_the_first_start_makes_the_environment_and_runs_the_command_in_it(prepared: Checkout) -> None:
    again = prepared.start("orders", "show", "A-1")
    assert again.out == f"ran orders show A-1 with parcel 1.0 in {prepared.environment}\n"
    assert "Setting up" not in again.err


def test_the_second_start_installs_nothing_and_needs_no_network(prepared: Checkout) -> None:
    second = prepared.start("demo", PIP_FIND_LINKS="/nowhere")
    assert (second.code, second.installed, second.err) == (0, False, "")


def test_the_interpreter_of_the_environment_runs_the_command_at_once(prepared: Checkout) -> None:
    direct = prepared.start("status", python=str(prepared.environment / "bin" / "python"))
    assert direct.out.startswith("ran status with parcel 1.0")


def test_what_the_installer_said_is_in_the_log(prepared: Checkout) -> None:
    assert "Successfully installed parcel-1.0" in (prepared.environment / "setup.log").read_text()


def test_a_half_made_environment_is_completed_by_the_next_start(checkout: Checkout) -> None:
    interrupted = checkout.start("demo", PIP_FIND_LINKS="/nowhere")
    assert interrupted.code == 1
    assert "no file of parcel" in interrupted.err
    assert checkout.environment.is_dir()
    repaired = checkout.start("demo")
    assert (repaired.code, repaired.installed) == (0, True)


def test_a_changed_lock_makes_a_new_environment(checkout: Checkout) -> None:
    checkout.start("demo")
    leftover = checkout.environment / "leftover"
    leftover.touch()
    checkout.release_parcel("2.0")
    inside = str(checkout.environment / "bin" / "python")
    changed = checkout.start("demo", python=inside)
    assert "with parcel 2.0" in changed.out
    assert not leftover.exists()


def test_an_environment_of_another_python_version_is_made_again(checkout: Checkout) -> None:
    checkout.start("demo")
    for name, old in (("hub-stamp", "python 3.1"), ("pyvenv.cfg", "version = 3.1.0")):
        path = checkout.environment / name
        path.write_text(re.sub(rf"^{old.split()[0]}\b.*$", old, path.read_text(), flags=re.MULTILINE))
    answer = checkout.start("demo", python=str(checkout.environment / "bin" / "python"))
    assert (answer.code, answer.installed) == (0, True)
    assert not checkout.start("demo").installed


def test_the_environment_for_tests_is_installed_on_top_and_serves_the_demo(checkout: Checkout) -> None:
    checkout.start("demo")
    (checkout.folder / "tests" / "bench").mkdir()
    (checkout.folder / "tests" / "bench" / "cli.py").write_text("import scales, sys; print('bench', sys.argv[1:])")
    bench = checkout.start("bench", "intake", "--json")
    assert (bench.out, bench.installed) == ("bench ['intake', '--json']\n", True)
    assert not checkout.start("demo").installed


def test_two_starters_at_once_make_one_environment_and_both_run(checkout: Checkout) -> None:
    command = [BARE_PYTHON, "-m", "hub", "demo"]
    starters = [
        subprocess.Popen(
            command,
            cwd=checkout.folder,
            env=checkout.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [starter.communicate(timeout=120) for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0]
    assert all(out.startswith("ran demo with parcel 1.0") for out, _ in answers)
    assert sum("Setting up" in err for _, err in answers) == 1


def test_a_start_killed_half_way_is_completed_by_the_next(checkout: Checkout) -> None:
    command = [BARE_PYTHON, "-m", "hub", "demo"]
    starter = subprocess.Popen(command, cwd=checkout.folder, env=checkout.environ, stderr=subprocess.PIPE)
    assert starter.stderr is not None
    assert starter.stderr.readline().startswith(b"Setting up")
    starter.kill()
    starter.communicate()
    assert not (checkout.environment / "hub-stamp").exists()
    completed = checkout.start("demo")
    assert completed.out.startswith("ran demo with parcel 1.0")
    assert not checkout.start("demo").installed


def test_tests_see_neither_the_users_hub_nor_a_checkout_not_to_write_to(tmp_path: Path) -> None:
    mine = {"HUB_HOME": str(tmp_path), "HUB_CONFIG": "/etc/hub", "HUB_TEST_POSTGRESQL": "url", "PYTHONPATH": "/p"}
    environ, options = bootstrap.surroundings(mine, "/checkout")
    assert environ == {
        "HUB_TEST_POSTGRESQL": "url",
        "PYTHONPATH": "/checkout:/p",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / ".hypothesis"),
    }
    assert options == ["-o", f"cache_dir={tmp_path / '.pytest_cache'}"]
    assert bootstrap.surroundings({}, "/checkout") == ({"PYTHONPATH": "/checkout"}, [])


@pytest.mark.parametrize(
    ("cores", "arguments", "options"),
    [
        (2, ["--full"], ["-n", "2", "--dist", "loadfile"]),
        (64, [], ["-n", "4", "--dist", "loadfile"]),
        (1, [], []),
        (2, ["tests/unit"], []),
        (2, ["-n0"], []),
    ],
)
def test_only_the_whole_suite_runs_in_a_process_a_core(
    cores: int, arguments: list[str], options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert bootstrap.side_by_side(arguments) == options


def test_uv_is_used_where_there_is_one(checkout: Checkout, tmp_path: Path) -> None:
    uv = f'[ "$1 $2 $3" = "pip install --python" ] || exit 2; python=$4; shift 4; exec {BARE_PYTHON} -m pip'
    programs = programs_on_path(tmp_path, uv=f'{uv} --python "$python" install "$@"')
    answer = checkout.start("demo", PATH=f"{programs}:/usr/bin:/bin", UV_INDEX_URL=MIRROR)
    assert answer.out.startswith("ran demo with parcel 1.0")
    assert "with uv:" in answer.err
    assert "with pip:" not in answer.err


def test_pip_takes_over_when_uv_fails(checkout: Checkout, tmp_path: Path) -> None:
    programs = programs_on_path(tmp_path, uv="echo no certificate for you; exit 2")
    answer = checkout.start("demo", PATH=f"{programs}:/usr/bin:/bin", UV_INDEX_URL=MIRROR)
    assert answer.out.startswith("ran demo with parcel 1.0")
    log = (checkout.environment / "setup.log").read_text()
    assert log.index("no certificate for you") < log.index("-m pip install")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"PIP_INDEX_URL": MIRROR}, True),
        ({"PIP_NO_INDEX": "1"}, True),
        (
            {"PIP_INDEX_URL": MIRROR, "UV_DEFAULT_INDEX": MIRROR},
            False,
        ),
    ],
)
def test_uv_is_left_alone_where_only_pip_knows_the_mirror(
    environ: dict[str, str], expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert installer.pip_alone_knows_the_index(environ) is expected


def test_a_mirror_in_the_users_pip_settings_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = tmp_path / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[global]\nindex-url = https://mirror.example/simple\n")
    assert installer.pip_alone_knows_the_index({})


# ---- failing well


def programs_on_path(folder: Path, **scripts: str) -> Path:
    programs = folder / "programs"
    programs.mkdir()
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    return programs


AS_OLD_PYTHON = (
    "import sys, runpy, subprocess, shutil; sys.argv = ['hub', 'demo', '--exit']; "
    "sys.version_info = (3, 6, 9, 'final', 0); runpy.run_module('hub', run_name='__main__')"
)


def test_a_python_that_is_too_old_says_so(checkout: Checkout, tmp_path: Path) -> None:
    programs = programs_on_path(tmp_path, **{"python3.12": "exit 1"})
    answer = checkout.run([BARE_PYTHON, "-c", AS_OLD_PYTHON], PATH=str(programs))
    assert answer.code == 5
    assert f"Order Hub needs Python 3.11 or newer. This is 3.6.9 ({BARE_PYTHON})." in answer.err
    assert "python3.12 -m hub demo --exit" in answer.err


def test_a_newer_python_on_path_takes_over(prepared: Checkout, tmp_path: Path) -> None:
    programs = programs_on_path(tmp_path, **{"python3.14": "exit 1", "python3.12": f'exec {BARE_PYTHON} "$@"'})
    answer = prepared.run([BARE_PYTHON, "-c", AS_OLD_PYTHON], PATH=f"{programs}:/usr/bin:/bin")
    assert answer.out.startswith("ran demo --exit with parcel 1.0")


def test_no_network_is_said_quickly_with_exit_4(checkout: Checkout) -> None:
    answer = checkout.start("demo", PIP_NO_INDEX="", PIP_FIND_LINKS="", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert answer.code == 4
    assert "Cannot reach the package index" in answer.err
    assert "PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER python3 -m hub demo" in answer.err
    assert answer.seconds < 60


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755)


@pytest.fixture
def ordinary_user(tmp_path: Path) -> tuple[str, int | None]:
    """An interpreter and a user id that file permissions hold for: root may write everywhere."""
    if os.geteuid() != 0:
        return BARE_PYTHON, None
    closed = [path for path in (tmp_path, *tmp_path.parents) if path.stat().st_mode & 0o005 != 0o005]
    for path in closed:
        assert path.is_relative_to(tempfile.gettempdir()), f"{path} is not the tests' own to open"
        path.chmod(0o755)
    for python in (BARE_PYTHON, "/usr/bin/python3"):
        if runs_for_nobody(python):
            return python, NOBODY
    pytest.skip("this is root, and no Python 3.11 here may be run by others")


def runs_for_nobody(python: str) -> bool:
    probe = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", probe], check=False, user=NOBODY, cwd="/").returncode == 0
    except OSError:
        return False


def test_a_read_only_checkout_names_hub_home_which_moves_the_environment(
    checkout: Checkout, ordinary_user: tuple[str, int | None], tmp_path: Path
) -> None:
    python, user = ordinary_user
    home = tmp_path / "elsewhere"
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    with read_only(checkout.folder):
        refused = checkout.start("demo", python=python, user=user)
        moved = checkout.start("demo", python=python, user=user, HUB_HOME=str(home))
    assert refused.code == 5
    assert f"Cannot write to {checkout.folder} (Permission denied)" in refused.err
    assert "HUB_HOME=$HOME/.order-hub python3 -m hub demo" in refused.err
    assert moved.out == f"ran demo with parcel 1.0 in {home / '.venv'}\n"


def test_a_python_without_pip_and_ensurepip_is_told_what_to_install(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys; sys.modules.update(pip=None, ensurepip=None)\n")
    answer = checkout.start("demo", PYTHONPATH=str(tmp_path / "site"), PATH="/nowhere")
    assert answer.code == 5
    assert "neither pip nor ensurepip" in answer.err
    assert "apt-get install python3-venv" in answer.err


def test_a_python_without_ensurepip_lends_its_own_pip(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys; sys.modules.update(ensurepip=None)\n")
    answer = checkout.start("demo", PYTHONPATH=str(tmp_path / "site"))
    if not has_pip(BARE_PYTHON):
        assert answer.code == 5
        return
    assert answer.out.startswith("ran demo with parcel 1.0")
    assert not list(checkout.environment.glob("lib/python*/site-packages/pip"))


def has_pip(python: str) -> bool:
    return subprocess.run([python, "-c", "import pip"], check=False, capture_output=True).returncode == 0


def test_a_file_that_is_not_what_the_lock_says_is_refused(checkout: Checkout) -> None:
    lock = checkout.folder / "requirements.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.read_text()))
    answer = checkout.start("demo")
    assert answer.code == 1
    assert "DO NOT MATCH THE HASHES" in answer.err


def test_commands_of_the_checkout_are_refused_without_one(prepared: Checkout, tmp_path: Path) -> None:
    shutil.copytree(prepared.folder / "hub", tmp_path / "hub")
    answer = Checkout(tmp_path, prepared.wheels, prepared.environ).start("chaos")
    assert (answer.code, answer.err) == (
        5,
        "hub chaos needs a checkout of the source: it runs the code under tests/.\n",
    )


# ---- the closing line of a test run


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Answer]:
    shutil.copy(ROOT / "conftest.py", tmp_path)
    marker = "[pytest]\nmarkers = full(what)\n"
    (tmp_path / "pytest.ini").write_text(marker)
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "def test_short(): pass\n"
        "@pytest.mark.full('chaos 60 s')\n"
        "@pytest.mark.parametrize('kill', [1, 2])\n"
        "def test_chaos(kill): pass\n"
        "@pytest.mark.full('simulation 1000 seeds')\n"
        "def test_seeds(): pass\n"
    )

    def run(*arguments: str) -> Answer:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return Checkout(tmp_path, tmp_path, dict(os.environ)).run(command)

    return run


@pytest.mark.parametrize(
    ("arguments", "last_line"),
    [
        ([], "left to --full: 3 tests (chaos 60 s, simulation 1000 seeds)"),
        (["-k", "seeds"], "left to --full: 1 test (simulation 1000 seeds)"),
        (["-k", "short"], "left to --full: nothing"),
        (["--full"], "left to --full: nothing, this was the full run"),
    ],
)
def test_the_last_line_of_a_run_names_what_it_left_out(
    suite: Callable[..., Answer], arguments: list[str], last_line: str
) -> None:
    assert suite(*arguments).out.splitlines()[-1] == last_line


def test_the_full_run_runs_them_all(suite: Callable[..., Answer]) -> None:
    assert "4 passed" in suite("--full").out
