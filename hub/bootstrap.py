"""Sets up the environment of a checkout: `.venv` with the packages of the lock, made once, used by every later start.

Standard library and old syntax only (no future imports, no format strings, no walrus): see hub/__main__.py. The user's
own pip and uv settings (index, proxy, certificates) are used as they are.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from typing import IO, Dict, List, Mapping, Optional

from hub.installer import (
    FAILED,
    MINIMUM,
    PROBE_SECONDS,
    Refusal,
    environment_python,
    install,
    say,
    version_text,
)

NEWER = ("python3.14", "python3.13", "python3.12", "python3.11", "python3", "python")

RUNTIME_LOCK = "requirements.lock"
TEST_LOCK = "requirements-test.lock"
STAMP = "hub-stamp"

CHECKOUT_COMMANDS = ("test", "bench", "chaos", "simulation")

# One module of each package that the code imports itself: enough to tell a prepared environment from a bare one.
RUNTIME_MODULES = tuple(
    "alembic apscheduler click connexion flask jmespath jsonschema jsonschema_rs lxml msgspec paramiko psycopg "
    "psycopg_pool requests sqlalchemy uvicorn yaml zeep".split()
)
TEST_MODULES = ("hypothesis", "pytest", "pytest_randomly", "pytest_timeout", "responses", "schemathesis", "xdist")

LOCK_WAIT_SECONDS = 1800
MOST_TEST_PROCESSES = 4  # each starts systems, browsers and databases of its own


def ensure_environment(arguments: List[str]) -> None:
    """Returns when this process can run the command; otherwise replaces it by one that can, or raises Refusal."""
    checkout = find_checkout()
    command = arguments[0] if arguments else ""
    if checkout is None:
        if command in CHECKOUT_COMMANDS:
            raise Refusal("hub {} needs a checkout of the source: it runs the code under tests/.".format(command))
        return
    if sys.version_info[:2] < MINIMUM:
        go_to_newer_python(arguments)
    need = TEST_LOCK if command in CHECKOUT_COMMANDS else RUNTIME_LOCK
    place = environment_place(checkout)
    environment = os.path.join(place, ".venv")
    inside = os.path.realpath(sys.prefix) == os.path.realpath(environment)
    if not inside and runs_elsewhere(need):
        return
    hashes = lock_hashes(checkout)
    stamp = read_stamp(environment)
    if inside:
        if next_step(stamp, need, hashes) == "use" and stamp.get("python") == version_text(sys.version_info[:2]):
            return
        leave_environment(environment, arguments)
    python = environment_python(environment)
    if next_step(stamp, need, hashes) != "use" or not os.path.exists(python):
        prepare(checkout, place, need, hashes)
    replace_process([python, "-m", "hub"] + arguments)


def run_checkout_command(command: str, arguments: List[str]) -> None:
    """Replaces this process by pytest (`test`) or by `tests.<command>.cli`; raises Refusal where there is none."""
    checkout = find_checkout()
    assert checkout is not None, "ensure_environment refuses these commands outside a checkout"
    environ, options = surroundings(os.environ, checkout)
    if command == "test":
        os.chdir(checkout)
        replace_process([sys.executable, "-m", "pytest"] + options + side_by_side(arguments) + arguments, environ)
    if not os.path.isfile(os.path.join(checkout, "tests", command, "cli.py")):
        raise Refusal("hub {0} is not part of this checkout: tests/{0}/cli.py is missing.".format(command))
    replace_process([sys.executable, "-m", "tests.{}.cli".format(command)] + arguments, environ)


def side_by_side(arguments: List[str]) -> List[str]:
    """Options that run the whole suite in a process a core, each file in one; what is named runs alone."""
    cores = os.cpu_count() or 1
    if cores == 1 or any(not argument.startswith("-") or argument.startswith("-n") for argument in arguments):
        return []
    return ["-n", str(min(cores, MOST_TEST_PROCESSES)), "--dist", "loadfile"]


def surroundings(environ: Mapping[str, str], checkout: str) -> "tuple[Dict[str, str], List[str]]":
    """The environment for the code under tests/, and options for pytest.

    The user's own hub is not the one under test. Where HUB_HOME was set, the checkout may be one not to write to, so
    the caches go there too.
    """
    changed = {name: value for name, value in environ.items() if name not in ("HUB_HOME", "HUB_CONFIG")}
    changed["PYTHONPATH"] = os.pathsep.join([checkout] + [path for path in [environ.get("PYTHONPATH")] if path])
    home = environ.get("HUB_HOME")
    if not home:
        return changed, []
    changed.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.path.join(os.path.abspath(home), ".hypothesis"))
    return changed, ["-o", "cache_dir={}".format(os.path.join(os.path.abspath(home), ".pytest_cache"))]


def find_checkout() -> Optional[str]:
    """The folder of the source checkout that this file belongs to, or None for an installed package."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in ("pyproject.toml", RUNTIME_LOCK, TEST_LOCK):
        if not os.path.isfile(os.path.join(folder, name)):
            return None
    return folder


def environment_place(checkout: str) -> str:
    """The folder that holds `.venv`: HUB_HOME where it is set, else the checkout."""
    home = os.environ.get("HUB_HOME")
    return os.path.abspath(home) if home else checkout


# ---- an interpreter that is new enough


def go_to_newer_python(arguments: List[str]) -> None:
    """Replaces this process by a newer interpreter from PATH, or raises Refusal."""
    for name in NEWER:
        path = shutil.which(name)
        if path is not None and is_new_enough(path):
            replace_process([path, "-m", "hub"] + arguments)
    raise Refusal(too_old(sys.version_info[:3], sys.executable, arguments))


def is_new_enough(path: str) -> bool:
    """Whether the interpreter at this path starts and is at least MINIMUM."""
    probe = "import sys; sys.exit(sys.version_info[:2] < {!r})".format(MINIMUM)
    try:
        with open(os.devnull, "w") as nothing:
            return subprocess.call([path, "-c", probe], stdout=nothing, stderr=nothing, timeout=PROBE_SECONDS) == 0
    except (OSError, subprocess.SubprocessError):
        return False


def too_old(version: "tuple[int, ...]", path: str, arguments: List[str]) -> str:
    """The answer to a Python that is too old when PATH has no newer one."""
    return (
        (
            "Order Hub needs Python {} or newer. This is {} ({}).\n"
            "Install a newer one (docs/how-to/install.md says how), or name it: python3.12 -m hub {}"
        )
        .format(version_text(MINIMUM), version_text(version), path, " ".join(arguments))
        .rstrip()
    )


# ---- what is there already


def runs_elsewhere(need: str) -> bool:
    """Whether this interpreter, which is not that of our `.venv`, was prepared by somebody for this command.

    Trusted are a virtual environment of one's own that has the packages, and an installed order-hub.
    """
    modules = RUNTIME_MODULES + (TEST_MODULES if need == TEST_LOCK else ())
    if any(importlib.util.find_spec(name) is None for name in modules):
        return False
    return sys.prefix != sys.base_prefix or is_installed("order-hub")


def is_installed(distribution: str) -> bool:
    """Whether a distribution of this name is installed for this interpreter."""
    from importlib import metadata

    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def lock_hashes(checkout: str) -> Dict[str, str]:
    """SHA-256 of each lock, in hexadecimal."""
    hashes = {}
    for name in (RUNTIME_LOCK, TEST_LOCK):
        with open(os.path.join(checkout, name), "rb") as lock:
            hashes[name] = hashlib.sha256(lock.read().replace(b"\r\n", b"\n")).hexdigest()
    return hashes


def read_stamp(environment: str) -> Dict[str, str]:
    """What the stamp of an environment says was installed: lock name -> hash, and python -> version; empty if none."""
    try:
        with open(os.path.join(environment, STAMP), encoding="ascii") as stamp:
            pairs = [line.split() for line in stamp]
    except (OSError, ValueError):
        return {}
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def write_stamp(environment: str, need: str, hashes: Mapping[str, str], python: str) -> None:
    """Says what is installed. Written last and whole: an environment with a stamp is a complete one."""
    locks = (RUNTIME_LOCK, TEST_LOCK) if need == TEST_LOCK else (RUNTIME_LOCK,)
    lines = ["{} {}\n".format(name, hashes[name]) for name in locks] + ["python {}\n".format(python)]
    path = os.path.join(environment, STAMP)
    with open(path + ".new", "w", encoding="ascii") as stamp:
        stamp.writelines(lines)
    os.replace(path + ".new", path)


def remove_stamp(environment: str) -> None:
    """Says that an environment is not complete."""
    try:
        os.remove(os.path.join(environment, STAMP))
    except FileNotFoundError:
        return


def next_step(stamp: Mapping[str, str], need: str, hashes: Mapping[str, str]) -> str:
    """`use` a complete environment, `install` into a partial one, `rebuild` one that was made for another lock.

    The test lock holds every package of the runtime lock in the same version, so an environment for tests runs the
    demo too.
    """
    if stamp and stamp.get(RUNTIME_LOCK) != hashes[RUNTIME_LOCK]:
        return "rebuild"
    return "use" if stamp.get(need) == hashes[need] else "install"


def leave_environment(environment: str, arguments: List[str]) -> None:
    """An environment cannot be rebuilt by its own interpreter: goes back to the one that it was made from."""
    outer = getattr(sys, "_base_executable", None)
    if not outer or os.path.realpath(os.path.dirname(outer)) == os.path.realpath(os.path.dirname(sys.executable)):
        raise Refusal("{} was made for another Python or another lock. Delete it and start again.".format(environment))
    if read_stamp(environment).get("python") != version_text(sys.version_info[:2]):
        writable_folder(os.path.dirname(environment), arguments)
        remove_stamp(environment)
    replace_process([outer, "-m", "hub"] + arguments)


# ---- making it


def prepare(checkout: str, place: str, need: str, hashes: Mapping[str, str]) -> None:
    """Makes `.venv` complete for this lock. Of several starters one does it, the others wait for it."""
    writable_folder(place, sys.argv[1:])
    environment = os.path.join(place, ".venv")
    with open(os.path.join(place, ".venv.lock"), "a") as lock:
        take_lock(lock)
        os.set_inheritable(lock.fileno(), True)  # an installer that outlives a killed starter keeps the others waiting
        step = next_step(read_stamp(environment), need, hashes)
        if step == "use" and os.path.exists(environment_python(environment)):
            return
        started = time.monotonic()
        python = make_environment(environment, from_scratch=step == "rebuild")
        remove_stamp(environment)
        install(os.path.join(checkout, need), environment)
        add_checkout_to_path(python, checkout)
        write_stamp(environment, need, hashes, interpreter_version(python))
        say("  ready in {:.0f} s".format(time.monotonic() - started))


def writable_folder(place: str, arguments: List[str]) -> None:
    """Makes sure that files can be made in a folder; raises Refusal that names HUB_HOME otherwise."""
    try:
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, ".venv.lock"), "a"):
            return
    except OSError as error:
        raise Refusal(
            "Cannot write to {} ({}).\nName a folder for .venv and data that you may write to: "
            "HUB_HOME=$HOME/.order-hub python3 -m hub {}".format(place, error.strerror, " ".join(arguments)).rstrip()
        ) from None


def take_lock(lock: IO[str]) -> None:
    """Waits for the lock that says who sets up the environment; it ends with the process that holds it."""
    told = False
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while not try_lock(lock):
        if not told:
            say("Another start is setting up .venv: waiting for it.")
            told = True
        if time.monotonic() > deadline:
            raise Refusal("Another start has been setting up .venv for half an hour: {}".format(lock.name))
        time.sleep(0.2)


def try_lock(lock: IO[str]) -> bool:
    """Takes an exclusive lock on an open file if it is free."""
    try:
        if sys.platform == "win32":
            import msvcrt

            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def make_environment(environment: str, from_scratch: bool) -> str:
    """An empty or partial environment that its interpreter can use; returns the path of that interpreter."""
    python = environment_python(environment)
    if not from_scratch and os.path.exists(python) and interpreter_version(python) == configured_version(environment):
        return python
    command = [sys.executable, "-m", "venv", "--clear", "--without-pip", environment]
    made = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode != 0:
        raise Refusal("{} failed:\n{}".format(" ".join(command), made.stdout.decode(errors="replace")), FAILED)
    return python


def interpreter_version(python: str) -> str:
    """Major and minor version that an interpreter says it is; empty if it does not start."""
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([python, "-c", probe], check=False, stdout=subprocess.PIPE, timeout=PROBE_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode().strip()


def configured_version(environment: str) -> str:
    """Major and minor version that an environment was made for (`version` or `version_info` in pyvenv.cfg)."""
    try:
        with open(os.path.join(environment, "pyvenv.cfg"), encoding="utf-8") as settings:
            found = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", settings.read(), re.MULTILINE)
    except OSError:
        return ""
    return found.group(1) if found else ""


def add_checkout_to_path(python: str, checkout: str) -> None:
    """Makes `import hub` work for the environment's tools in any folder."""
    probe = "import sysconfig; print(sysconfig.get_path('purelib'))"
    folder = subprocess.run([python, "-c", probe], stdout=subprocess.PIPE, timeout=PROBE_SECONDS, check=True)
    with open(os.path.join(folder.stdout.decode().strip(), "order_hub_checkout.pth"), "w", encoding="utf-8") as path:
        path.write(checkout + "\n")


def replace_process(command: List[str], environ: Optional[Mapping[str, str]] = None) -> None:
    """Becomes another program: exit code, signals and terminal are then its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    surrounding = dict(os.environ if environ is None else environ)
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=surrounding))
    os.execve(command[0], command, surrounding)
