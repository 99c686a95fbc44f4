"""The files that a game file can read together are read, and the others are named."""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ds_assets_tests.exports import Line, write_csv
from ds_assets_tests.onboarding.games import look, play, put

Days = range(1, 6)


def buy(**more: Any) -> list[Line]:
    return [
        {"user_id": f"u{n % 10}", "time": f"2026-02-01T10:{n:02}:00Z", "price": 1, **more}
        for n in range(30)
    ]


def fill(folder: Path, files: Mapping[str, Callable[[], list[Line]]]) -> None:
    for path, make in files.items():
        for day in Days:
            put(folder / path.format(f"2026-02-0{day}"), make())


def kinds_of(folder: Path) -> dict[str, str]:
    return {kind.name: kind.files for kind in look(folder).source.kinds}


@pytest.mark.parametrize(
    ("files", "path", "patterns"),
    [
        (
            {"dt={}/play.jsonl": play, "dt={}/buy.jsonl": buy},
            "dt=%Y-%m-%d",
            {"play": "play*", "buy": "buy*"},
        ),
        (
            {"play/{}.jsonl": play, "buy/{}.jsonl": buy},
            "*/%Y-%m-%d.jsonl",
            {"play": "play/*", "buy": "buy/*"},
        ),
        (
            {"a/play/dt={}/1.jsonl": play, "a/buy/dt={}/1.jsonl": buy},
            "a/*/dt=%Y-%m-%d",
            {"play": "play/*", "buy": "buy/*"},
        ),
        ({"play.jsonl": play, "buy.jsonl": buy}, None, {"play": "play*", "buy": "buy*"}),
    ],
)
def test_kinds_of_files_have_one_path_and_names_of_their_own(
    files: Mapping[str, Callable[[], list[Line]]],
    path: str | None,
    patterns: Mapping[str, str],
    tmp_path: Path,
) -> None:
    fill(tmp_path, files)
    result = look(tmp_path)
    assert (result.source.layout and result.source.layout.path) == path
    assert kinds_of(tmp_path) == patterns
    assert result.others == ()


def crash() -> list[Line]:
    return [{"stack": "x", "build": number} for number in range(5)]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (
            {"play/{}.jsonl": play, "more/buy/{}.jsonl": buy},
            "not read, as no path leads to them and to the others",
        ),
        (
            {"dt={}/play.jsonl": play, "dt={}/sale.jsonl": buy, "dt={}/crash.jsonl": crash},
            "not read, as no path leads to them alone",
        ),
        (
            {"dt={}/x.jsonl": play, "dt={}/y.jsonl": play, "dt={}/crash.jsonl": crash},
            "are read, too",
        ),
    ],
)
def test_what_cannot_be_read_together_is_named(
    files: Mapping[str, Callable[[], list[Line]]], why: str, tmp_path: Path
) -> None:
    fill(tmp_path, files)
    result = look(tmp_path)
    assert len(result.source.kinds) == 1
    assert any(why in it for it in result.others)


def test_the_same_lines_in_another_format_are_not_read_twice(tmp_path: Path) -> None:
    for day in Days:
        put(tmp_path / f"2026-02-0{day}" / "a.jsonl", play())
        write_csv(play(), tmp_path / f"2026-02-0{day}" / "a.csv")
    result = look(tmp_path)
    assert len(result.source.kinds) == 1
    assert "not read, as they hold the same lines as others" in result.others[0]


def test_the_logs_are_the_files_with_users_even_if_others_are_larger(tmp_path: Path) -> None:
    fill(tmp_path, {"crash/{}.jsonl": lambda: crash() * 1_000, "play/{}.jsonl": play})
    result = look(tmp_path)
    assert result.source.layout
    assert result.source.layout.path == "play/%Y-%m-%d.jsonl"


def test_metrics_of_servers_are_not_the_logs_of_a_game(tmp_path: Path) -> None:
    metrics = [
        {"host": f"h{n % 3}", "ts": f"2026-02-01T10:{n % 60:02}:00Z", "cpu": n % 90}
        for n in range(500)
    ]
    fill(tmp_path, {"metrics/{}.jsonl": lambda: metrics, "play/{}.jsonl": play})
    result = look(tmp_path)
    assert len(result.source.kinds) == 1
    assert result.source.layout
    assert result.source.layout.path == "play/%Y-%m-%d.jsonl"
    assert "not read, as their lines have no user and time" in result.others[0]


def test_a_user_is_found_by_the_ids_that_other_files_have(tmp_path: Path) -> None:
    named = {"play/{}.jsonl": lambda: play(200)}
    payers = [{"payer": f"u{n}", "at": f"2026-02-01T10:{n:02}:00Z", "eur": 2} for n in range(9)]
    fill(tmp_path, {**named, "buy/{}.jsonl": lambda: payers})
    assert look(tmp_path).source.kinds[1].user_path == "payer"


def test_a_kind_that_days_lack_is_optional_unless_it_is_only_late(tmp_path: Path) -> None:
    fill(tmp_path, {"play/{}.jsonl": play, "buy/{}.jsonl": buy})
    assert [kind.gaps for kind in look(tmp_path).source.kinds] == ["", ""]
    (tmp_path / "buy" / "2026-02-05.jsonl").unlink()
    assert [kind.gaps for kind in look(tmp_path).source.kinds] == ["", ""]
    (tmp_path / "buy" / "2026-02-03.jsonl").unlink()
    assert [kind.gaps for kind in look(tmp_path).source.kinds] == ["", "1 of 5 days have none"]
    put(tmp_path / "play" / "2026-03-09.jsonl", play())
    assert look(tmp_path).source.kinds[1].gaps == "3 of 6 days have none"


def test_folders_of_a_kind_that_were_not_looked_into_are_no_gaps(tmp_path: Path) -> None:
    days = [dt.date(2026, 1, 1) + dt.timedelta(number) for number in range(40)]
    for day in days:
        put(tmp_path / "play" / f"dt={day}" / "1.jsonl", play(5))
        if day != days[1]:
            put(tmp_path / "buy" / f"dt={day}" / "1.jsonl", buy())
    gaps = {kind.name: kind.gaps for kind in look(tmp_path).source.kinds}
    assert gaps == {"play": "", "buy": "1 of 40 days have none"}
