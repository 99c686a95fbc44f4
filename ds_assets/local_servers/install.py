"""Installing the programs of the private servers if they are missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ds_assets.errors import InputError

AZURITE = "azurite@3.35.0"  # later ones need a newer Node.js than Debian's
_AZURITE_FOLDER = Path(sys.prefix) / "azurite"
_POSTGRESQL_FOLDER = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Program:
    """A program and its source.

    Attributes:
        name: Its command.
        use: What it is used for.
        packages: Debian packages that contain it; empty if npm installs it.
        file_before: Path and content of a file that must exist before the packages are installed.
    """

    name: str
    use: str
    packages: tuple[str, ...] = ()
    file_before: tuple[str, str] | None = None


PROGRAMS = (
    Program("mariadbd", "the results database", ("mariadb-server-core", "mariadb-client-core")),
    Program(
        "postgres",
        "the results database",
        ("postgresql",),
        # Else the package makes a cluster of its own and starts it.
        (
            "/etc/postgresql-common/createcluster.d/no_main_cluster.conf",
            "create_main_cluster = false",
        ),
    ),
    Program("redis-server", "the cache", ("redis-server",)),
    Program("java", "Spark", ("openjdk-17-jre-headless",)),
    Program("npm", "Azurite", ("nodejs", "npm")),
    Program("azurite-blob", "the Blob container"),
)


def find(name: str) -> str | None:
    """Find a program; None if it is not installed. Servers may be outside a user's PATH."""
    versions = sorted(_POSTGRESQL_FOLDER.glob("*/bin"), key=lambda path: int(path.parent.name))
    folders = [
        str(_AZURITE_FOLDER / "node_modules" / ".bin"),
        os.environ.get("PATH", ""),
        "/usr/sbin",
        "/usr/local/sbin",
        *map(str, reversed(versions)),
    ]
    return shutil.which(name, path=os.pathsep.join(folders))


def path_of(name: str) -> str:
    """Return the path of a program.

    Raises:
        InputError: it is not installed.
    """
    path = find(name)
    if path is None:
        raise InputError(
            f"{name} is not installed; `python -m ds_assets.local_servers` installs it"
        )
    return path


def install_missing(say: Callable[[str], None], programs: Sequence[Program] = PROGRAMS) -> None:
    """Install missing programs with apt, and Azurite with npm.

    Args:
        say: Receives each command before it runs.
        programs: The programs to check.

    Raises:
        InputError: a program cannot be installed; the message contains the command to run.
    """
    for program in programs:
        if find(program.name) is None:
            for command in _commands(program):
                say(f"{program.name}, for {program.use}, is missing: {' '.join(command)}")
                _run(command, program)


def _commands(program: Program) -> list[Sequence[str]]:
    if program.packages:
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends")
        commands: list[Sequence[str]] = [
            ("apt-get", "update", "-qq"),
            (*install, *program.packages),
        ]
        if program.file_before:
            path, content = program.file_before
            write = f"mkdir -p {Path(path).parent} && echo '{content}' > {path}"
            commands.insert(1, ("sh", "-c", write))
        return commands
    options = ("--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(_AZURITE_FOLDER))
    return [(path_of("npm"), "install", *options, AZURITE)]


def _write_file(program: Program) -> list[Sequence[str]]:
    if program.file_before is None:
        return []
    path, content = program.file_before
    return [("sh", "-c", f"mkdir -p {Path(path).parent} && echo '{content}' > {path}")]


def _run(command: Sequence[str], program: Program) -> None:
    by_hand = f"install {program.name} manually: {' '.join(command)}"
    if command[0] == "apt-get" and (shutil.which("apt-get") is None or os.geteuid() != 0):
        raise InputError(f"{program.name} is missing, and only root can use apt; {by_hand}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise InputError(f"{by_hand}; it printed: {(done.stderr or done.stdout).strip()[-1000:]}")
