from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import uplift_file
from benchmarks.uplift_file import MAX_ARMS, choose_covariates, main, read_outcome, read_spend
from ds_assets.errors import INPUT_ERROR, InputError

GENERATOR = np.random.default_rng(0)
ROWS = 3_000


def email_test(rows: int = ROWS) -> pd.DataFrame:
    """Three arms, texts, missing values, visits and spend."""
    recency, likes = GENERATOR.normal(size=(2, rows))
    arm = GENERATOR.choice(["No E-Mail", "A E-Mail", "B E-Mail"], rows)
    chance = 0.2 + np.where((arm != "No E-Mail") & (likes > 0), 0.3, 0.0)
    visit = GENERATOR.random(rows) < chance
    return pd.DataFrame(
        {
            "recency": np.where(GENERATOR.random(rows) < 0.1, np.nan, recency),
            "likes": likes,
            "zip": GENERATOR.choice(np.array(["urban", "rural", None], dtype=object), rows),
            "segment": arm,
            "visit": visit.astype(int),
            "spend": np.where(visit & (GENERATOR.random(rows) < 0.4), 20.0, 0.0),
        }
    )


def write(frame: pd.DataFrame, folder: Path, kind: str = "csv") -> str:
    path = folder / f"test.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return str(path)


Measured = Callable[..., str]


@pytest.fixture
def measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Measured:
    """What the command prints for a table."""

    def run(frame: pd.DataFrame, *options: str, kind: str = "csv") -> str:
        main([write(frame, tmp_path, kind), *options])
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Measured:
    """The sentence with which the command refuses a table."""

    def run(frame: pd.DataFrame, *options: str) -> str:
        with pytest.raises(SystemExit) as end:
            main([write(frame, tmp_path), *options])
        assert end.value.code == INPUT_ERROR
        return capsys.readouterr().err.strip()

    return run


SEGMENT, VISIT = ("--treatment", "segment"), ("--outcome", "visit")


@pytest.mark.slow
def test_each_arm_is_compared_with_the_one_without_treatment(measured: Measured) -> None:
    text = measured(email_test(), *SEGMENT, *VISIT, "--spend", "spend")
    assert "A E-Mail (" in text
    assert "B E-Mail (" in text
    assert "against No E-Mail" in text
    assert text.count("effects differ between users beyond noise") >= 2
    assert text.count("calibration slope") >= 2
    for ranking in ("ours, by uplift", "by response", "by propensity (risk)"):
        assert text.count(ranking) >= 2


@pytest.mark.slow
def test_a_test_without_different_effects_claims_no_ranking(measured: Measured) -> None:
    frame = email_test().assign(visit=lambda rows: GENERATOR.random(len(rows)) < 0.3)
    text = measured(frame, *SEGMENT, *VISIT, "--ignore", "spend", kind="parquet")
    assert text.count("no ranking is claimed") == 2


@pytest.mark.slow
def test_unequal_arms_and_a_rare_outcome_are_measured(measured: Measured) -> None:
    rows = 120_000
    trait = GENERATOR.normal(size=rows)
    treated = GENERATOR.random(rows) < 0.85
    bought = GENERATOR.random(rows) < 0.003 * np.exp(trait) * np.where(treated, 1.6, 1.0)
    frame = pd.DataFrame({"f0": trait, "treatment": treated.astype(int), "bought": bought})
    text = measured(frame, "--treatment", "treatment", "--outcome", "bought", kind="parquet")
    assert "1 (102," in text or "1 (101," in text
    assert "average effect" in text


def test_a_large_table_is_sampled_arm_by_arm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplift_file, "MAX_ARM_ROWS", 100)
    path = write(email_test(), tmp_path)
    options = uplift_file.parse_arguments([path, *SEGMENT, *VISIT])
    frame, treated, counts = uplift_file.Source(options).read("No E-Mail", "A E-Mail")
    assert (len(frame), treated.sum()) == (200, 100)
    assert min(counts.values()) > 900
    again, _, _ = uplift_file.Source(options).read("No E-Mail", "A E-Mail")
    pd.testing.assert_frame_equal(frame, again)


def test_a_column_that_does_not_exist_is_named_with_those_that_do(refused: Measured) -> None:
    assert refused(email_test(20), "--treatment", "arm", *VISIT) == (
        "ds-assets: --treatment: found arm; the columns are recency, likes, zip, segment, visit, "
        "spend"
    )


def test_arms_without_a_clear_control_have_to_name_it(refused: Measured) -> None:
    frame = email_test(200).replace({"segment": {"No E-Mail": "C"}})
    assert "--control VALUE" in refused(frame, *SEGMENT, *VISIT)
    assert "the values are A E-Mail, B E-Mail, C" in refused(
        frame, *SEGMENT, *VISIT, "--control", "D"
    )


@pytest.mark.parametrize("name", ["control", "Control group", "0", "No E-Mail", "false", "none"])
def test_usual_names_of_the_control_are_recognised(name: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"arm": [name, "shown"] * 5, "x": range(10), "visit": [0, 1] * 5})
    path = write(frame, tmp_path)
    options = uplift_file.parse_arguments([path, "--treatment", "arm", *VISIT])
    assert uplift_file.Source(options).find_arms() == (name, ["shown"])


def test_a_table_without_rows_has_no_arms(refused: Measured) -> None:
    message = refused(email_test(5)[:0], *SEGMENT, *VISIT)
    assert "segment has 0 different values" in message


def test_a_treatment_with_many_values_is_none(refused: Measured) -> None:
    message = refused(email_test(200), "--treatment", "likes", *VISIT)
    assert f"more than {MAX_ARMS} different values" in message


def test_amounts_are_no_outcome(refused: Measured) -> None:
    assert "as --spend" in refused(email_test(200), *SEGMENT, "--outcome", "spend")


def test_too_few_rows_are_refused_with_what_is_needed(refused: Measured) -> None:
    message = refused(email_test(300), *SEGMENT, *VISIT)
    assert "where 25 are needed" in message
    assert message.count("\n") == 0


def test_a_file_that_is_no_table_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none.csv"), *SEGMENT, *VISIT])
    assert "is not a file" in capsys.readouterr().err
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 nothing")
    with pytest.raises(SystemExit):
        main([str(broken), *SEGMENT, *VISIT])
    assert "is no CSV or Parquet file" in capsys.readouterr().err


def columns(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"plain": GENERATOR.normal(size=ROWS)} | columns)


TREATED = GENERATOR.random(ROWS) < 0.7
WANTED = GENERATOR.random(ROWS) < 0.2


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (np.arange(ROWS), "as an id is"),
        ([f"user {number}" for number in range(ROWS)], "as an id is"),
        (np.ones(ROWS), "the same in all rows"),
        (
            np.where(TREATED, GENERATOR.random(ROWS) < 0.1, 0).astype(int),
            "differs between the arms",
        ),
        (np.where(TREATED, "shown", "not"), "differs between the arms"),
        ((WANTED & (GENERATOR.random(ROWS) < 0.3)).astype(int), "a part of the outcome"),
        ((WANTED | (GENERATOR.random(ROWS) < 0.3)).astype(int), "a part of the outcome"),
        ([[1]] * ROWS, "neither numbers nor text"),
    ],
)
def test_a_column_that_is_no_covariate_is_left_out_with_the_reason(
    column: Any, reason: str
) -> None:
    chosen = choose_covariates(columns(other=column), TREATED, WANTED)
    assert list(chosen.frame) == ["plain"]
    assert reason in chosen.left_out["other"]


@pytest.mark.parametrize(
    "column",
    [
        GENERATOR.normal(size=ROWS),
        GENERATOR.choice(np.array(["a", "b", None], dtype=object), ROWS),
        GENERATOR.random(ROWS) < 0.5,
        pd.Timestamp("2026-01-01") + pd.to_timedelta(GENERATOR.integers(0, 90, ROWS), unit="D"),
        np.where(GENERATOR.random(ROWS) < 0.5, np.nan, 3.0),
    ],
)
def test_numbers_texts_dates_and_columns_with_gaps_are_covariates(column: Any) -> None:
    assert choose_covariates(columns(other=column), TREATED, WANTED).left_out == {}


@pytest.mark.parametrize("values", [[1, 0], [True, False], ["yes", "no"], [1.0, 0.0]])
def test_outcomes_are_read_in_the_usual_spellings(values: list[Any]) -> None:
    assert read_outcome(pd.Series(values), "visit").tolist() == [1.0, 0.0]


def test_an_outcome_without_a_value_is_missing() -> None:
    assert np.isnan(read_outcome(pd.Series([1.0, None, 0.0]), "visit")[1])


@pytest.mark.parametrize("values", [[1, 1], ["often", "no"], [0, 2]])
def test_other_outcomes_are_refused(values: list[Any]) -> None:
    with pytest.raises(InputError, match="--outcome: visit"):
        read_outcome(pd.Series(values), "visit")


def test_missing_spend_counts_as_nothing_and_is_counted() -> None:
    amounts, missing = read_spend(pd.Series([1.5, None]), "spend")
    assert (amounts.tolist(), missing) == ([1.5, 0.0], 1)
    with pytest.raises(InputError, match="numbers are accepted"):
        read_spend(pd.Series(["a lot"]), "spend")
