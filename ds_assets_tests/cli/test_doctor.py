"""`ds-assets doctor`: lines for people, JSON for programs, and an exit code by the worst."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.settings import Settings
from ds_assets.simulate import SimulationOptions, simulate
from ds_assets_tests.assets.factories import START, Installation, day, event
from ds_assets_tests.cli.test_main import Shell, shell

__all__ = ["shell"]

Damage = Callable[[Path], None]


def simulated(shell: Shell, seed: int = 1) -> Path:
    """Two weeks of a game; returns the only log file of its last day."""
    home = shell.home.parent / f"game{seed}"
    simulate(SimulationOptions(users=300, days=14, seed=seed, start=START), home)
    shell.env("DS_ASSETS_HOME", str(home))
    (file,) = (home / "source" / f"dt={day(13)}").iterdir()
    return file


def files_of(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_simulated_game_is_clean_and_nothing_is_written(shell: Shell, seed: int) -> None:
    home = simulated(shell, seed).parents[2]
    before = files_of(home)
    code, out, err = shell("doctor")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == [str(day(n)) for n in (11, 12, 13)]
    assert {line.split()[0] for line in lines[3:]} == {"info"}
    assert files_of(home) == before


def test_the_first_and_the_last_time_are_in_the_words_of_the_file(shell: Shell) -> None:
    Installation(shell.home).write_logs(START, event(1, f"{START}T10:00:00+09:00"))
    _, out, _ = shell("doctor")
    assert f"first {START}T10:00:00+09:00 = {START} 01:00:00 on the game's clock" in out


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-500])


def replace_with_text(file: Path) -> None:
    file.write_text("no log\n" * 50)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "code"), [(cut, "damaged_file"), (replace_with_text, "quarantine")]
)
def test_an_error_ends_with_2_and_is_first_in_json(shell: Shell, damage: Damage, code: str) -> None:
    damage(simulated(shell))
    ended, out, err = shell("doctor", "--day", str(day(13)), "--json")
    content = json.loads(out)
    assert (ended, err, content["format"]) == (2, "", 1)
    assert [it["day"] for it in content["days"]] == [str(day(13))]
    assert [it["day"] for it in content["earlier"]] == [str(day(6))]
    assert content["diagnostics"][0]["severity"] == "error"
    assert code in {it["code"] for it in content["diagnostics"]}


def test_what_is_in_the_logs_cannot_control_the_terminal(shell: Shell) -> None:
    line = event(1, f"{START}T10:00:00Z", kind="[red]\\u001b[2J")
    Installation(shell.home).write_logs(START, line, "no JSON \x1b[2J")
    _, out, _ = shell("doctor")
    assert "\x1b" not in out
    assert "[red] [2J 1" in out


def test_a_warning_ends_with_1(shell: Shell) -> None:
    code, out, err = shell("doctor")
    assert (code, err) == (1, "")
    assert "warning there are no logs yet" in out


@pytest.mark.slow
def test_a_server_that_is_down_ends_with_3(shell: Shell) -> None:
    simulated(shell)
    shell.env("DS_ASSETS_CACHE_URL", "redis://127.0.0.1:1")
    code, out, err = shell("doctor")
    assert (code, err) == (3, "")
    assert "DS_ASSETS_CACHE_URL" in out


@pytest.mark.slow
def test_every_place_that_exists_is_written_to_and_left_as_it_was(shell: Shell) -> None:
    home = simulated(shell).parents[2]
    lake = FolderLake(home / "lake")
    lake.write(f"raw/dt={day(0)}/a.jsonl", b"{}\n")
    with ResultsDatabase(f"sqlite:///{home}/results.sqlite") as database:
        database.ensure_schema()
    (home / "cache").mkdir()
    _, out, _ = shell("doctor")
    lines = [line for line in out.splitlines() if "taken back succeeded" in line]
    assert [line.split()[1] for line in lines] == ["lake", "results", "cache"]
    assert [it.name for it in lake.objects("")] == [f"raw/dt={day(0)}/a.jsonl"]


def test_a_write_that_is_refused_is_a_warning(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("read-only file system")

    Settings.model_validate({"home": shell.home}).lake.mkdir()
    monkeypatch.setattr(FolderLake, "write", refuse)
    code, out, _ = shell("doctor")
    assert code == 1
    assert "a write is refused" in out
    assert "read-only file system" in out
