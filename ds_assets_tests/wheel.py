"""The package as people install it: a wheel in an environment of its own, without a checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("ds_assets", "pyproject.toml", "setup.py", "README.md", "LICENSE")
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, folder: Path, codes: Collection[int] = (0,)) -> str:
    """Run a command in a folder that is no checkout, with no settings of this process."""
    process = subprocess.run(  # noqa: S603  (a command of this test)
        command,
        cwd=folder,
        env=strangers_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode in codes, process.stdout + process.stderr
    return process.stdout


def strangers_environment() -> dict[str, str]:
    """The variables of this process without its settings."""
    names = [name for name in os.environ if name.startswith(("DS_ASSETS_", "DAGSTER_", "PYTHON"))]
    return {name: it for name, it in os.environ.items() if name not in names}


def install_wheel(folder: Path, sources: Path) -> Path:
    """Build a wheel, and install it with what it needs, and nothing else.

    Args:
        folder: Folder of the environment.
        sources: Folder for a copy of what the wheel is built of: building leaves files beside it.

    Returns:
        The folder with the programs of the environment.
    """
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, sources / name)
    run(UV, "build", "--wheel", "--out-dir", folder, sources, folder=folder)
    run(UV, "venv", "--python", sys.executable, "environment", folder=folder)
    (wheel,) = folder.glob("*.whl")
    lock = ROOT / "requirements.lock"
    into: list[str | Path] = ["--python", "environment", "--constraints", lock]
    run(UV, "pip", "install", *into, wheel, folder=folder)
    return folder / "environment" / "bin"
