"""Files of many days in the log source: where its days are, replaced as a whole, never in part."""

import datetime as dt
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.engines import day_split
from ds_assets.infra.log_import import Import, list_files, open_importer
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets_tests.infra.engines.lines import make_game

FIRST, SECOND = dt.date(2026, 2, 1), dt.date(2026, 2, 2)


def lines(*times: object) -> bytes:
    return "".join(f'{{"u": "a", "t": "{time}", "e": "play"}}\n' for time in times).encode()


def write(path: Path, *times: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lines(*times))
    return path


def run(paths: list[Path], place: Path, game: Game | None = None) -> Import:
    game = game or make_game("jsonl")
    with open_importer(game, place, 256) as importer:
        for name, path in list_files(paths).items():
            importer.add(name, path, lambda _done: None)
    return importer.result


def contents(place: Path) -> dict[str, bytes]:
    return {
        file.relative_to(place).as_posix(): gzip.decompress(file.read_bytes())
        for file in place.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize(
    "pattern",
    [
        "dt=%Y-%m-%d",
        "logs/year=%Y/month=%-m/day=%-d",
        "%Y-%m-%d-%H",
        "events-%Y%m%d*.json.gz",
        "*_%s.json",
        "*/dt=%Y-%m-%d",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_a_log_source_finds_what_was_imported(pattern: str, zone: str, tmp_path: Path) -> None:
    game = make_game("jsonl", logs={"path": pattern}, time_zone=zone)
    run([write(tmp_path / "all.jsonl", FIRST, SECOND, "x", SECOND)], tmp_path / "source", game)
    source = FolderLogSource(tmp_path / "source", game.log_path)
    for day, times in ((FIRST, [FIRST]), (SECOND, [SECOND, SECOND])):
        (file,) = source.objects(day)
        assert file.name.endswith("all.jsonl.gz")
        assert gzip.decompress(b"".join(source.blocks(file))) == lines(*times)
    assert source.objects(SECOND + dt.timedelta(days=1)) == []


@pytest.mark.slow
def test_files_of_days_are_named_by_the_file_so_that_tables_stay_apart(tmp_path: Path) -> None:
    place = tmp_path / "source"
    run([write(tmp_path / "sessions.jsonl", FIRST)], place)
    run([write(tmp_path / "revenue.jsonl", FIRST, "x")], place)
    folder = tmp_path / "exports"
    write(folder / "eu/revenue.jsonl", FIRST)
    write(folder / "us/revenue.jsonl.tmp", FIRST)
    run([folder], place)
    assert contents(place) == {
        "dt=2026-02-01/sessions.jsonl.gz": lines(FIRST),
        "dt=2026-02-01/revenue.jsonl.gz": lines(FIRST),
        "dt=2026-02-01/eu/revenue.jsonl.gz": lines(FIRST),
        "_undated/revenue.jsonl.gz": lines("x"),
    }


def test_logs_in_an_archive_are_files_of_their_own(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("a.jsonl", lines(FIRST))
        members.writestr("__MACOSX/a.jsonl", b"no log")
    (tmp_path / "all.zip").write_bytes(archive.getvalue())
    run([tmp_path / "all.zip"], tmp_path / "source")
    assert contents(tmp_path / "source") == {"dt=2026-02-01/all.zip/a.jsonl.gz": lines(FIRST)}


@pytest.mark.slow
def test_a_repeated_import_leaves_equal_files_alone_and_replaces_others(tmp_path: Path) -> None:
    place, file = tmp_path / "source", tmp_path / "all.jsonl"
    assert run([write(file, FIRST, SECOND, "x")], place).files == {"new": 2}
    day = place / "dt=2026-02-01" / "all.jsonl.gz"
    before = (day.stat().st_mtime_ns, day.read_bytes())
    assert run([file], place).files == {"unchanged": 2}
    result = run([write(file, FIRST, SECOND, SECOND)], place)
    assert result.files == {"unchanged": 1, "replaced": 1}
    assert result.lines == {FIRST: 1, SECOND: 2}
    assert (day.stat().st_mtime_ns, day.read_bytes()) == before
    assert contents(place) == {
        "dt=2026-02-01/all.jsonl.gz": lines(FIRST),
        "dt=2026-02-02/all.jsonl.gz": lines(SECOND, SECOND),
    }


@pytest.mark.parametrize("pattern", ["dt=%Y-%m-%d", "*/dt=%Y-%m-%d"])
def test_each_file_is_imported_by_the_rules_of_its_kind(pattern: str, tmp_path: Path) -> None:
    kinds = {
        "sessions": {"files": "*sessions*"},
        "revenue": {
            "files": "*revenue*",
            "format": "csv",
            "time_format": "epoch_seconds",
            "fields": {"event_time": "ts"},
        },
    }
    game = make_game("jsonl", logs={"path": pattern, "kinds": kinds})
    (tmp_path / "revenue.csv").write_bytes(b"u,ts\na,1769904000\n")
    paths = [write(tmp_path / "sessions.jsonl", SECOND), write(tmp_path / "x.jsonl", FIRST)]
    place = tmp_path / "source"
    result = run([*paths, tmp_path / "revenue.csv"], place, game)
    folder = "" if pattern.startswith("dt") else "import/"
    assert contents(place) == {
        f"{folder}dt=2026-02-01/revenue.csv.gz": b"u,ts\na,1769904000\n",
        f"{folder}dt=2026-02-02/sessions.jsonl.gz": lines(SECOND),
    }
    assert list(result.damaged) == ["x.jsonl"]
    assert "are not of one kind in logs.kinds" in result.damaged["x.jsonl"]


def test_days_that_only_an_earlier_import_had_stay_and_are_named(tmp_path: Path) -> None:
    place = tmp_path / "source"
    run([write(tmp_path / "january/all.jsonl", FIRST)], place)
    result = run([write(tmp_path / "february/all.jsonl", SECOND)], place)
    assert result.earlier == {"all.jsonl.gz": [FIRST]}
    assert len(contents(place)) == 2


def test_a_damaged_file_is_named_and_nothing_of_it_is_imported(tmp_path: Path) -> None:
    place = tmp_path / "source"
    whole = write(tmp_path / "whole.jsonl", SECOND)
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(lines(FIRST))[:-1])
    result = run([tmp_path / "cut.jsonl.gz", whole], place)
    assert result.damaged == {
        "cut.jsonl.gz": "the file is damaged: it ends before its content does"
    }
    assert contents(place) == {"dt=2026-02-02/whole.jsonl.gz": lines(SECOND)}


@pytest.mark.slow
def test_an_import_that_is_killed_leaves_whole_days_and_the_next_one_ends_as_if_it_were_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, file = tmp_path / "source", write(tmp_path / "all.jsonl", FIRST, SECOND, "x")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(day_split, "_compress", die)
        with pytest.raises(KeyboardInterrupt):
            run([file], place)
    assert contents(place) == {}
    (place / "_importing").mkdir()
    (place / "_importing" / "2026-02-01").write_text("of a process that was killed")
    run([file], place)
    expected = run([file], tmp_path / "other")
    assert expected.files == {"new": 2}
    assert contents(place) == contents(tmp_path / "other")


def test_two_imports_do_not_write_to_one_folder_at_once(tmp_path: Path) -> None:
    file = write(tmp_path / "all.jsonl", FIRST)
    with (
        open_importer(make_game("jsonl"), tmp_path / "source", 256),
        pytest.raises(InputError, match="another import writes to"),
    ):
        run([file], tmp_path / "source")


def test_the_progress_is_the_bytes_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "all.jsonl", *[FIRST] * 20_000)
    done: list[int] = []
    with open_importer(make_game("jsonl"), tmp_path / "source", 256) as importer:
        importer.add("all.jsonl", file, done.append)
    assert done == sorted(done)
    assert len(set(done)) > 1
    assert done[-1] == file.stat().st_size


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["gone"], "gone does not exist; name a file or a folder with log files"),
        (["empty"], "there is no log file in .*empty"),
        (["_a.jsonl"], "_a.jsonl is not the name of a log file; rename it"),
        (["a.csv", "a.csv.gz"], "would have one name, a.csv; import the folder that both are in"),
        (["a.csv", "x/a.csv"], "would have one name, a.csv"),
    ],
)
def test_paths_that_cannot_be_imported_are_named(
    names: list[str], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("_a.jsonl", "a.csv", "a.csv.gz", "x/a.csv"):
        write(tmp_path / name)
    with pytest.raises(InputError, match=sentence):
        list_files([tmp_path / name for name in names])


def test_a_file_in_the_place_of_a_day_is_named(tmp_path: Path) -> None:
    write(tmp_path / "source/dt=2026-02-01", FIRST)
    with pytest.raises(InputError, match=r"all\.jsonl cannot be imported: .*/dt=2026-02-01'"):
        run([write(tmp_path / "all.jsonl", FIRST)], tmp_path / "source")


def test_a_disk_that_is_full_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(day_split, "_compress", refuse)
    with pytest.raises(InputError, match=r"cannot be imported: .*No space left on device"):
        run([write(tmp_path / "all.jsonl", FIRST)], tmp_path / "source")
    assert contents(tmp_path / "source") == {}
