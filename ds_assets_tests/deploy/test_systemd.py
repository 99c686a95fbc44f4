import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ds_assets_tests.deploy.files import (
    DEPLOY,
    SERVICES,
    compose_command,
    parse_command,
    read_variables,
)

INSTALLED = "/opt/ds_assets/bin"
BIN = Path(sys.executable).parent
UNITS = {name: DEPLOY / "systemd" / f"ds-assets-{name}.service" for name in SERVICES}
EXPOSURE = 20
"""Tenths of the exposure that `systemd-analyze security` calls safe: below it is OK."""
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)
each_unit = pytest.mark.parametrize("name", SERVICES)


def values_of(name: str, key: str) -> list[str]:
    text = UNITS[name].read_text(encoding="utf-8")
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


def command_of(name: str) -> list[str]:
    (command,) = values_of(name, "ExecStart")
    return shlex.split(command.removeprefix(f"{INSTALLED}/"))


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  (a command of these tests)
        command, capture_output=True, text=True, check=False
    )


def test_every_service_has_a_unit() -> None:
    assert sorted((DEPLOY / "systemd").iterdir()) == sorted(UNITS.values())


@needs_systemd
@each_unit
def test_systemd_accepts_a_unit(name: str, tmp_path: Path) -> None:
    for unit in UNITS.values():  # they name each other
        text = unit.read_text(encoding="utf-8").replace(INSTALLED, str(BIN))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    checked = run("systemd-analyze", "verify", "--man=no", tmp_path / UNITS[name].name)
    assert not checked.stdout + checked.stderr


@needs_systemd
@each_unit
def test_systemd_finds_a_unit_little_exposed(name: str) -> None:
    options = ["--offline=true", f"--threshold={EXPOSURE}"]
    checked = run("systemd-analyze", "security", *options, UNITS[name])
    assert checked.returncode == 0, checked.stdout


@each_unit
def test_a_unit_runs_a_command_that_exists(name: str) -> None:
    parse_command(command_of(name))


@each_unit
def test_a_unit_runs_what_a_container_does_but_listens_on_this_machine_only(name: str) -> None:
    in_container = " ".join(compose_command(name))
    here = in_container.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  (of a container)
    assert command_of(name) == shlex.split(here.replace(" workspace", " /srv/dagster/workspace"))


@each_unit
def test_a_unit_may_write_to_the_folders_of_the_settings_alone(name: str) -> None:
    folders = {read_variables("example.env")[key] for key in ("DS_ASSETS_HOME", "DAGSTER_HOME")}
    assert values_of(name, "EnvironmentFile") == ["/etc/ds_assets.env"]
    assert values_of(name, "ProtectSystem") == ["strict"]
    (writable,) = values_of(name, "ReadWritePaths")
    assert set(writable.split()) <= folders
    assert values_of(name, "WorkingDirectory")[0] in writable.split()
