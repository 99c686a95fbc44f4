"""The package as people install it: a wheel in an environment of its own, without a checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("ds_assets", "pyproject.toml", "setup.py", "README.md", "LICENSE")
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, folder: Path) -> str:
    """Run a command in a folder that is no checkout, with no settings of this process."""
    names = [name for name in os.environ if name.startswith(("DS_ASSETS_", "DAGSTER_", "PYTHON"))]
    environment = {name: it for name, it in os.environ.items() if name not in names}
    process = subprocess.run(  # noqa: S603  (a command of this test)
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def copy_sources(folder: Path) -> Path:
    """Copy what a wheel is made of: building one leaves files beside it."""
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the programs of an environment that only has the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = tmp_path_factory.mktemp("sources")
    run(UV, "build", "--wheel", "--out-dir", folder, copy_sources(sources), folder=folder)
    run(UV, "venv", "--python", sys.executable, "environment", folder=folder)
    (wheel,) = folder.glob("*.whl")
    into: list[str | Path] = [
        "--python",
        "environment",
        "--constraints",
        ROOT / "requirements.lock",
    ]
    run(UV, "pip", "install", *into, wheel, folder=folder)
    return folder / "environment" / "bin"


@pytest.mark.slow
def test_an_installed_wheel_predicts_a_game(installed: Path, tmp_path: Path) -> None:
    command = installed / "ds-assets"
    options = ["--users", "100", "--days", "3", "--out", "ds_assets_home"]
    run(command, "simulate", *options, folder=tmp_path)
    assert "All settings are valid." in run(command, "check", folder=tmp_path)
    run(command, "run", "2026-01-01", "2026-01-02", folder=tmp_path)
    answer = run(command, "predict", "u0000001", folder=tmp_path)
    assert '"as_of":"2026-01-02"' in answer


@pytest.mark.slow
def test_an_installed_wheel_has_the_configuration_of_dagster(installed: Path) -> None:
    assert list(installed.parent.glob("lib/python3*/site-packages/ds_assets/dagster.yaml"))
