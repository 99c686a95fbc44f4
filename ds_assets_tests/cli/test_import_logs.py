"""`ds-assets import-logs`: what it says, its exit codes, and that a run reads what it wrote."""

import re
from pathlib import Path

import pytest

from ds_assets_tests.assets.factories import START, Installation, day, event
from ds_assets_tests.cli.test_main import Shell, shell

__all__ = ["shell"]


def warnings(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("warning: ")]


def write_export(shell: Shell, *lines: str) -> Path:
    path = shell.home.parent / "export.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.slow
def test_an_export_of_several_days_is_imported_and_read(shell: Shell) -> None:
    lines = [event(user, f"{day(n)}T10:00:00Z") for n in range(3) for user in range(20)]
    code, out, err = shell("import-logs", str(write_export(shell, *lines)))
    source = Installation(shell.home).settings.source
    assert (code, warnings(err)) == (0, [])
    assert out == (
        f"60 lines of 1 file, now in files of 3 days from {day(0)} to {day(2)} in {source}: 3 new\n"
    )
    code, out, _ = shell("run", str(day(0)), str(day(2)))
    assert "60 events of 60 lines" in " ".join(out.split())


def test_what_has_no_day_or_no_use_is_named_and_left_to_a_person(shell: Shell) -> None:
    before = f"{day(-2)}T10:00:00Z"
    lines = [event(1, f"{START}T10:00:00Z"), event(1, before), event(1, "x\u202e"), "{"]
    code, out, err = shell("import-logs", str(write_export(shell, *lines)))
    assert (code, out.split(":")[-1]) == (1, " 2 new\n")
    impossible, broken, early = warnings(err)
    assert "export.jsonl: lines without a day because of 'an impossible time': 1" in impossible
    assert "the first is line 3: " in impossible
    assert "\u202e" not in impossible
    assert "because of 'not JSON': 1, kept in" in broken
    assert early == (
        f"warning: {day(-2)} will not be collected, because first_day is {START}; set it to "
        f"{day(-2)} to use them"
    )


def test_days_after_the_end_of_a_game_are_named(shell: Shell) -> None:
    game = shell.home / "game.yaml"
    game.write_text(re.sub("last_day: .*", f"last_day: {day(1)}", game.read_text()))
    lines = [event(1, f"{day(n)}T10:00:00Z") for n in range(4)]
    _, _, err = shell("import-logs", str(write_export(shell, *lines)))
    assert f"{day(2)} to {day(3)} will not be collected, because last_day is {day(1)}" in err


def test_a_damaged_export_is_named(shell: Shell) -> None:
    path = write_export(shell)
    path.write_bytes(b"\x1f\x8b\x08\x00")
    code, out, err = shell("import-logs", str(path))
    assert (code, out) == (1, "0 lines of 1 file, none of which has a day\n")
    assert "warning: export.jsonl is not imported: the file is damaged" in err


@pytest.mark.slow
def test_days_with_a_marker_wait_for_it(shell: Shell) -> None:
    game = shell.home / "game.yaml"
    game.write_text(game.read_text().replace("logs:\n", "logs:\n  marker: _SUCCESS\n"))
    export = str(write_export(shell, *(event(1, f"{day(n)}T10:00:00Z") for n in range(3))))
    code, _, err = shell("import-logs", export)
    assert code == 1
    assert f"{day(0)} to {day(2)} are collected when _SUCCESS is in their folders" in err
    for n in range(3):
        (shell.home / "source" / f"dt={day(n)}" / "_SUCCESS").touch()
    assert shell("import-logs", export)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing.jsonl"], "nothing.jsonl does not exist"),
        (["home"], "would be written into home itself; name the files in it"),
        (["home/source"], "would be written into home/source itself"),
        (["export.jsonl", "--out", "export.jsonl"], "export.jsonl cannot be used: "),
    ],
)
def test_mistakes_are_named(shell: Shell, arguments: list[str], sentence: str) -> None:
    write_export(shell)
    (shell.home / "source").mkdir(exist_ok=True)
    assert sentence in shell.mistake("import-logs", *arguments)


def test_for_a_source_in_s3_the_files_are_written_to_a_folder(shell: Shell, tmp_path: Path) -> None:
    shell.env("DS_ASSETS_SOURCE_URL", "s3://bucket/logs")
    export = str(write_export(shell, event(1, f"{START}T10:00:00Z")))
    assert "the log source is s3://bucket/logs; write to a folder with --out" in shell.mistake(
        "import-logs", export
    )
    code, _, _ = shell("import-logs", export, "--out", "days")
    assert code == 0
    assert (tmp_path / "days" / f"dt={START}" / "export.jsonl.gz").is_file()
