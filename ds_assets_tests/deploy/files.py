"""Reads the files of deploy/ for the tests."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from ds_assets.cli.main import load_command
from ds_assets.settings import PREFIX

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = ("code", "daemon", "webserver", "api")
"""Services of an installation, each with a unit of systemd and a container of its own."""
ADDRESSES = {f"{PREFIX}{place}_URL" for place in ("SOURCE", "LAKE", "RESULTS", "CACHE")}
"""Settings without which an installation would store data where the other services see nothing."""
_DAGSTER = {
    "dagster": "dagster._cli",
    "dagster-daemon": "dagster._daemon.cli",
    "dagster-webserver": "dagster_webserver.cli",
}
"""Modules of Dagster's programs."""


def read_yaml(name: str) -> Any:
    """A file of deploy/, or a list of its documents if it has several."""
    documents = list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))
    return documents[0] if len(documents) == 1 else documents


def read_variables(name: str) -> dict[str, str]:
    """The variables that a file of settings sets."""
    lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    return dict(pairs)


def compose_service(name: str) -> dict[str, Any]:
    service: dict[str, Any] = read_yaml("compose.yaml")["services"][name]
    return service


def compose_command(name: str) -> list[str]:
    return shlex.split(compose_service(name)["command"])


def compose_check(name: str) -> list[str]:
    """The command of a service's health check."""
    kind, *command = compose_service(name)["healthcheck"]["test"]
    assert kind == "CMD"
    return list(command)


def filled_in(environment: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """An environment of compose.yaml with the values of its variables."""
    return {
        name: re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda it: values[it[1]], str(text))
        for name, text in environment.items()
    }


def settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings of an environment by field name."""
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }


def parse_command(command: Sequence[str]) -> None:
    """Parse a command as its program does, without running it: options and values must exist.

    The file of code locations, which is copied to Dagster's home, is that of deploy/.
    """
    program, *arguments = (
        str(DEPLOY / it.removeprefix("/srv/dagster/")) if it.endswith("workspace.yaml") else it
        for it in command
    )
    name = Path(program).name
    if name == "ds-assets":
        parsed, arguments = load_command(arguments[0]), arguments[1:]
    else:
        parsed = import_module(_DAGSTER[name]).cli
    _parse(parsed, name, arguments)


def _parse(command: Any, name: str, arguments: list[str]) -> None:
    context = command.make_context(name, list(arguments))
    if hasattr(command, "resolve_command"):
        _, part, rest = command.resolve_command(context, arguments)
        _parse(part, arguments[0], rest)


def option_of(command: Iterable[str], name: str) -> str:
    """The value of an option of a command."""
    words = list(command)
    return words[words.index(name) + 1]
