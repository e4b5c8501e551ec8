"""Installs the packages of a lock into a virtual environment, by uv or pip, and says in plain words why it could not.

Standard library and old syntax only: see hub/__main__.py.
"""

import configparser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import IO, List, Mapping

MINIMUM = (3, 11)
PROBE_SECONDS = 60

DONE, FAILED, UNREACHABLE, REFUSED = 0, 1, 4, 5

# What pip and uv write when the package index was not reached (as opposed to: reached, and it had no such file).
UNREACHABLE_WORDS = re.compile(
    r"NewConnectionError|Failed to establish a new connection|Connection refused|Connection reset|Max retries exceeded"
    r"|Temporary failure in name resolution|Name or service not known|failed to lookup address|dns error"
    r"|ConnectTimeout|Read timed out|error sending request|Network is unreachable|Cannot connect to proxy|ProxyError"
    r"|tcp connect error|SSLError|CERTIFICATE_VERIFY_FAILED|invalid peer certificate",
    re.IGNORECASE,
)
NO_FILE_WORDS = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)", re.IGNORECASE)


class Refusal(Exception):
    """A start that cannot go on: the text says why and what to do, `exit_code` is the process's."""

    def __init__(self, text: str, exit_code: int = REFUSED) -> None:
        Exception.__init__(self, text)
        self.exit_code = exit_code


def install(lock: str, environment: str) -> None:
    """Installs the packages of a lock, by uv where there is one, else by pip; raises Refusal with the cause."""
    tail = []  # type: List[str]
    total = package_count(lock)
    uv = None if pip_alone_knows_the_index(os.environ) else shutil.which("uv")
    log_path = os.path.join(environment, "setup.log")
    with open(log_path, "a", encoding="utf-8", errors="replace") as log:
        for tool in ["uv", "pip"] if uv else ["pip"]:
            say("Setting up {} with {}: {} packages, once (log: {})".format(environment, tool, total, log_path))
            command = uv_command(uv, environment, lock) if tool == "uv" and uv else pip_command(environment, lock, log)
            code, tail = run_logged(command, log, Progress(total))
            if code == 0:
                return
    raise why_not_installed(tail, log_path)


def package_count(lock: str) -> int:
    """How many packages a lock names."""
    with open(lock, encoding="utf-8") as lines:
        return sum(1 for line in lines if re.match(r"[A-Za-z0-9]", line))


def uv_command(uv: str, environment: str, lock: str) -> List[str]:
    """The command that installs a lock by uv."""
    python = environment_python(environment)
    return [uv, "pip", "install", "--python", python, "--require-hashes", "--no-deps", "-r", lock]


def pip_command(environment: str, lock: str, log: IO[str]) -> List[str]:
    """The command that installs a lock by pip: that of the environment, else that of this interpreter."""
    python = environment_python(environment)
    if not has_module(python, "pip") and importlib.util.find_spec("ensurepip") is not None:
        run_logged([python, "-m", "ensurepip", "--default-pip"], log, Progress(0))
    if has_module(python, "pip"):
        pip = [python, "-m", "pip"]
    elif importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", "--python", python]
    else:
        raise Refusal(
            "This Python ({}) has neither pip nor ensurepip, and there is no uv on PATH.\n"
            "As root: apt-get install python3-venv. Without root: put uv on PATH, or use another Python 3.11+ "
            "(docs/how-to/install.md).".format(sys.executable)
        )
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile"]
    return pip + ["install"] + options + ["--require-hashes", "--no-deps", "-r", lock]


def has_module(python: str, module: str) -> bool:
    """Whether an interpreter finds a module."""
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec({!r}) is None)".format(module)
    return subprocess.call([python, "-c", probe], timeout=PROBE_SECONDS) == 0


def pip_alone_knows_the_index(environ: Mapping[str, str]) -> bool:
    """Whether pip was told to use another index or none, and uv, which does not read pip's settings, was not."""
    if any(name.startswith("UV_") and ("INDEX" in name or name == "UV_FIND_LINKS") for name in environ):
        return False
    if environ.get("PIP_INDEX_URL") or environ.get("PIP_NO_INDEX"):
        return True
    home = os.path.expanduser("~")
    files = [
        environ.get("PIP_CONFIG_FILE", ""),
        os.path.join(os.sep, "etc", "pip.conf"),
        os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "pip", "pip.conf"),
        os.path.join(home, ".pip", "pip.conf"),
        os.path.join(environ.get("APPDATA", ""), "pip", "pip.ini"),
    ]
    settings = configparser.RawConfigParser(strict=False)
    try:
        settings.read([path for path in files if path], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return True  # pip can say better than we what is wrong with its file
    return any(settings.has_option(part, key) for part in ("global", "install") for key in ("index-url", "no-index"))


class Progress(object):
    """One line on a terminal that counts packages as pip names them; silent elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.seen = 0
        self.shows = total > 0 and sys.stderr.isatty()

    def line(self, text: str) -> None:
        found = re.match(r"(?:Collecting|Requirement already satisfied:|Ignoring) ([A-Za-z0-9._-]+)", text)
        if found and self.shows:
            self.seen += 1
            sys.stderr.write("\r  [{}/{}] {:<40}".format(self.seen, self.total, found.group(1)))
            sys.stderr.flush()
        elif text.startswith("Installing collected") and self.shows:
            sys.stderr.write("\r  [{0}/{0}] {1:<40}".format(self.total, "unpacking"))
            sys.stderr.flush()

    def end(self) -> None:
        if self.shows and self.seen:
            sys.stderr.write("\n")


def run_logged(command: List[str], log: IO[str], progress: Progress) -> "tuple[int, List[str]]":
    """Runs a command with its output in the log; returns its exit code and its last lines."""
    log.write("$ {}\n".format(" ".join(command)))
    log.flush()
    environ = dict(os.environ)
    environ.setdefault("PIP_RETRIES", "2")  # the default of five makes a machine without network wait for its answer
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        close_fds=False,  # so that the installer holds the lock, too
    )
    tail = []  # type: List[str]
    try:
        assert process.stdout is not None
        for raw in process.stdout:
            text = raw.decode("utf-8", "replace")
            log.write(text)
            tail = (tail + [text.rstrip()])[-40:]
            progress.line(text)
        return process.wait(), tail
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        log.flush()
        progress.end()


def why_not_installed(tail: List[str], log_path: str) -> Refusal:
    """The answer to a failed installation: no network, no file for this Python, or the installer's own last words."""
    text = "\n".join(tail)
    if UNREACHABLE_WORDS.search(text):
        proxies = [name for name in ("HTTPS_PROXY", "https_proxy") if os.environ.get(name)]
        return Refusal(
            "Cannot reach the package index ({}). The installer's own settings (index, proxy, certificates) are used "
            "as they are.\nOffline: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER python3 -m hub {}   with a folder of wheels.\n"
            "What was downloaded is kept; log: {}".format(
                "{} is set".format(proxies[0]) if proxies else "proxy? HTTPS_PROXY is not set",
                " ".join(sys.argv[1:]),
                log_path,
            ),
            UNREACHABLE,
        )
    missing = NO_FILE_WORDS.search(text)
    if missing:
        return Refusal(
            "The package index has no file of {} for this Python ({} on {}). Python {} to 3.13 on Linux, macOS and "
            "Windows have them; log: {}".format(
                missing.group(1), version_text(sys.version_info[:3]), sys.platform, version_text(MINIMUM), log_path
            ),
            FAILED,
        )
    return Refusal("Setting up failed:\n  {}\nFull log: {}".format("\n  ".join(tail[-8:]), log_path), FAILED)


# ---- small parts


def environment_python(environment: str) -> str:
    """The interpreter inside a virtual environment."""
    if os.name == "nt":
        return os.path.join(environment, "Scripts", "python.exe")
    return os.path.join(environment, "bin", "python")


def version_text(version: "tuple[int, ...]") -> str:
    """(3, 11) as 3.11"""
    return ".".join(str(part) for part in version)


def say(text: str) -> None:
    """Writes a line for people: stdout belongs to data."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
