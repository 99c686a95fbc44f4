import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[1] / "deploy"
INSTALLED = "/opt/ds_assets/bin"
BIN = Path(sys.executable).parent


def output_of(*command: str | Path) -> str:
    """What a linter says of files that are correct: nothing."""
    process = subprocess.run(  # noqa: S603  (a command of these tests)
        command, capture_output=True, text=True, check=False
    )
    return process.stdout + process.stderr


def test_the_dockerfile_passes_its_linter() -> None:
    assert not output_of(BIN / "hadolint", DEPLOY / "Dockerfile")


def test_what_the_dockerfile_copies_exists() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    names = [name for words in copies if not words[0].startswith("--from") for name in words]
    assert "requirements.lock" in names
    assert [name for name in names if not (DEPLOY.parent / name).exists()] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", sorted(DEPLOY.glob("*.service")), ids=lambda path: path.name)
def test_systemd_accepts_a_unit(unit: Path, tmp_path: Path) -> None:
    here = tmp_path / unit.name
    text = unit.read_text(encoding="utf-8")
    assert f"ExecStart={INSTALLED}/" in text
    here.write_text(text.replace(INSTALLED, str(BIN)), encoding="utf-8")
    assert not output_of("systemd-analyze", "verify", "--man=no", here)
