"""Programs that the private servers need, installed where they are missing.

Belongs here: which they are, and the commands that bring them. Nothing is installed that is there.
"""

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


@dataclass(frozen=True)
class Program:
    """A program and where it comes from.

    Attributes:
        name: Its command.
        use: What it is for.
        packages: Debian's packages that hold it; none where npm brings it.
    """

    name: str
    use: str
    packages: tuple[str, ...] = ()


PROGRAMS = (
    Program("mariadbd", "the results database", ("mariadb-server-core", "mariadb-client-core")),
    Program("redis-server", "the cache", ("redis-server",)),
    Program("java", "Spark", ("openjdk-17-jre-headless",)),
    Program("npm", "Azurite", ("nodejs", "npm")),
    Program("azurite-blob", "the Blob container"),
)


def find(name: str) -> str | None:
    """Path of a program; None where it is not installed. Servers may lie beyond a user's PATH."""
    folders = [str(_AZURITE_FOLDER / "node_modules" / ".bin"), os.environ.get("PATH", "")]
    return shutil.which(name, path=os.pathsep.join([*folders, "/usr/sbin", "/usr/local/sbin"]))


def path_of(name: str) -> str:
    """Path of a program.

    Raises:
        InputError: it is not installed.
    """
    found = find(name)
    if found is None:
        raise InputError(
            f"{name} is not installed; `python -m ds_assets.local_servers` installs it"
        )
    return found


def install_missing(say: Callable[[str], None], programs: Sequence[Program] = PROGRAMS) -> None:
    """Install the programs that are missing: by apt where it can, Azurite by npm.

    Args:
        say: Told of each command.
        programs: Which are needed.

    Raises:
        InputError: one cannot be installed; the message has the command to run.
    """
    for program in programs:
        if find(program.name) is None:
            for command in _commands(program):
                say(f"{program.name}, for {program.use}, is missing: {' '.join(command)}")
                _run(command, program)


def _commands(program: Program) -> list[Sequence[str]]:
    if program.packages:
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends")
        return [("apt-get", "update", "-qq"), (*install, *program.packages)]
    options = ("--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(_AZURITE_FOLDER))
    return [(path_of("npm"), "install", *options, AZURITE)]


def _run(command: Sequence[str], program: Program) -> None:
    by_hand = f"install {program.name} by hand: {' '.join(command)}"
    if command[0] == "apt-get" and (shutil.which("apt-get") is None or os.geteuid() != 0):
        raise InputError(f"{program.name} is missing, and only root can use apt; {by_hand}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise InputError(f"{by_hand}; it said: {(done.stderr or done.stdout).strip()[-1000:]}")
