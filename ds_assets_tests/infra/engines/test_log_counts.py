"""Each fault that is planted into logs is named, in every format, and clean logs have none."""

import gzip
from pathlib import Path

import pytest

from ds_assets.core.log_diagnostics import diagnose_days
from ds_assets.onboarding.diagnosis import describe_sources
from ds_assets_tests.infra.engines.lines import WRITERS
from ds_assets_tests.infra.engines.planted_faults import (
    BEFORE,
    DAY,
    FAULTS,
    LINES,
    USERS,
    bad,
    clean_lines,
    count_files,
    examine_files,
    examine_lines,
    make_planted_game,
)

ONLY_BY_COMPARISON = {"half of the lines"}
each_format = pytest.mark.parametrize("file_format", WRITERS)


@pytest.mark.slow
@each_format
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_clean_logs_have_nothing_to_correct(tmp_path: Path, file_format: str, seed: int) -> None:
    game = make_planted_game(file_format)
    assert bad(examine_lines(clean_lines(DAY, seed), game, tmp_path)) == []


@pytest.mark.slow
@each_format
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(tmp_path: Path, file_format: str, fault: str) -> None:
    code, plant = FAULTS[fault]
    lines = plant(clean_lines(DAY))
    diagnostics = examine_lines(lines, make_planted_game(file_format), tmp_path)
    assert code in {it.code for it in bad(diagnostics)}


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - ONLY_BY_COMPARISON))
def test_a_fault_of_all_days_is_named_without_a_day_to_compare_with(
    tmp_path: Path, fault: str
) -> None:
    _, plant = FAULTS[fault]
    WRITERS["jsonl"](plant(clean_lines(DAY)), tmp_path / "a")
    game = make_planted_game("jsonl")
    counts = count_files(DAY, [tmp_path / "a"], game, tmp_path)
    assert bad(diagnose_days([counts], game, describe_sources(game)))


@pytest.mark.slow
@each_format
def test_files_with_the_same_content_are_named(tmp_path: Path, file_format: str) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        WRITERS[file_format](clean_lines(DAY), path)
    (problem,) = [
        it
        for it in examine_files(paths, make_planted_game(file_format), tmp_path)
        if it.code == "same_files"
    ]
    assert (problem.severity, "a, b" in problem.text) == ("error", True)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["jsonl", "csv"])
def test_a_truncated_gzip_file_is_named(tmp_path: Path, file_format: str) -> None:
    WRITERS[file_format](clean_lines(DAY), tmp_path / "plain")
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress((tmp_path / "plain").read_bytes())[:-2_000])
    diagnostics = examine_files([path], make_planted_game(file_format), tmp_path)
    assert "cut.gz" in next(it.text for it in diagnostics if it.code == "damaged_file")


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not Parquet")
    diagnostics = examine_files([tmp_path / "text"], make_planted_game("parquet"), tmp_path)
    assert [it.code for it in bad(diagnostics)] == ["damaged_file"]


@each_format
def test_everything_is_counted(tmp_path: Path, file_format: str) -> None:
    lines = clean_lines(DAY)
    faulty = [lines[0] | {"u": ""}, lines[1] | {"t": "2026-02-08 99:00:00"}]
    WRITERS[file_format]([*lines, *faulty], tmp_path / "a")
    counts = count_files(DAY, [tmp_path / "a"], make_planted_game(file_format), tmp_path)
    bought = [line for line in lines if line["e"] == "buy"]
    assert (counts.lines, counts.valid, counts.repeated) == (LINES + 2, LINES, 0)
    assert counts.users == len({line["u"] for line in lines}) <= USERS
    assert {name: it.valid for name, it in counts.types.items()} == {
        kind: sum(line["e"] == kind for line in lines) for kind in ("play", "win", "buy")
    }
    reasons = {reason: it.lines for reason, it in counts.quarantine.items()}
    assert reasons == {"no user id": 1, "an impossible time": 1}
    assert counts.amounts.amounts == len(bought)
    assert counts.amounts.payers == len({line["u"] for line in bought})
    assert counts.first is not None
    assert counts.first.written == lines[0]["t"]
    assert sum(counts.hours.values()) == LINES + 1
    assert set(counts.columns) == set(lines[0])


def test_examples_of_quarantine_are_bounded_and_name_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("".join(f"no JSON {'x' * 1000}\n" for _ in range(50)))
    counts = count_files(BEFORE, [tmp_path / "a"], make_planted_game("jsonl"), tmp_path)
    examples = counts.quarantine["not JSON"].examples
    assert [(it.file, it.line) for it in examples] == [("a", 1), ("a", 2), ("a", 3)]
    assert {len(it.content) for it in examples} == {160}


def test_a_day_without_a_line_that_can_be_read_has_zeros(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("not Parquet")
    counts = count_files(BEFORE, [tmp_path / "a"], make_planted_game("parquet"), tmp_path)
    assert (counts.lines, counts.valid, counts.columns, counts.first) == (0, 0, {}, None)
