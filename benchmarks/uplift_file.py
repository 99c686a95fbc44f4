"""`python -m benchmarks uplift FILE`: uplift models on a table of a randomised test.

One half of the rows, drawn at random, is learnt from; the other half measures. Arms are assumed to
have been assigned at random. A covariate that differs between the arms was measured after the
treatment, or contradicts that, so it is left out.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks import econml_peer
from benchmarks.measuring import say
from ds_assets.core.encoding import Encoding, encode, fit_encoding
from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.evaluation.metrics import Measure
from ds_assets.core.promotions.uplift.arms import list_shortfalls
from ds_assets.core.promotions.uplift.effects import NEEDED_DEVIATIONS
from ds_assets.core.promotions.uplift.measures import measure_rankings
from ds_assets.core.promotions.uplift.training import UpliftModel, fit_uplift
from ds_assets.core.promotions.uplift.trial import Trial, folds_of
from ds_assets.core.promotions.uplift.validation import (
    RESPONSE,
    RISK,
    UPLIFT,
    EffectValidation,
    predict_effects,
    validate_effect,
)
from ds_assets.errors import InputError, exit_on_error

MAX_ARM_ROWS = 1_000_000
"""Rows of an arm that are read at most, drawn at random."""
MAX_CELLS = 40_000_000
"""Values that are held at once; a wide table has fewer rows."""
MAX_ARMS = 10
MAX_SHARE_OF_VALUES = 0.5
"""Different values per row from which on texts and whole numbers are ids."""
LARGEST_Z = 5.5
"""Standard errors by which the means of a covariate may differ: chance exceeds them once in
thirty million columns."""
MIN_EXPECTED = 20
"""Rows that would be expected where there are none, for a column to count as a part of the
outcome."""
SEED = 0
_WIDTH = 150
_NAMES_OF_CONTROL = ("control", "0", "0.0", "none", "no", "false", "placebo", "holdout")
_STARTS_OF_CONTROL = ("control", "no ", "no-")
_NAMES = {
    UPLIFT: "ours, by uplift",
    RESPONSE: "by response: expected outcome if treated",
    RISK: "by propensity (risk): expected outcome if not",
}


@dataclass(frozen=True)
class Options:
    """What the command line says of the table."""

    file: Path
    treatment: str
    outcome: str
    spend: str | None
    control: str | None
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class Covariates:
    """Features of a table.

    Attributes:
        frame: One column per covariate.
        left_out: Columns that are none, with the reason.
    """

    frame: pd.DataFrame
    left_out: Mapping[str, str]


def main(arguments: Sequence[str]) -> None:
    """Measure what the command line names, and print it; a mistake is one sentence."""
    options = parse_arguments(arguments)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    with exit_on_error():
        for words in run(options, console):
            console.print(words, markup=False, soft_wrap=True)


def parse_arguments(arguments: Sequence[str]) -> Options:
    """Read the command line; a mistake ends the program with a message."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks uplift", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="a CSV or Parquet file")
    parser.add_argument("--treatment", required=True, metavar="COL", help="the arm of each user")
    parser.add_argument("--outcome", required=True, metavar="COL", help="0 or 1, true or false")
    parser.add_argument("--spend", metavar="COL", help="what each user spent afterwards")
    parser.add_argument("--control", metavar="VALUE", help="value of users without treatment")
    parser.add_argument(
        "--ignore", nargs="+", default=[], metavar="COL", help="columns that are no covariates"
    )
    parsed = parser.parse_args(arguments)
    return Options(
        parsed.file,
        parsed.treatment,
        parsed.outcome,
        parsed.spend,
        parsed.control,
        tuple(parsed.ignore),
    )


def run(options: Options, console: Console) -> Iterator[str]:
    """Measure every treated arm against the control, and yield sentences about the table."""
    source = Source(options)
    control, arms = source.find_arms()
    for arm in arms:
        frame, treated, rows = source.read(control, arm)
        yield (
            f"{options.treatment}: {arm} ({rows[arm]:,} rows) against {control} "
            f"({rows[control]:,} rows)"
        )
        if len(frame) < sum(rows.values()):
            yield f"  a sample of {len(frame):,} rows, drawn at random in each arm"
        yield from measure(frame, treated, options, console)


class Source:
    """A file as a table of DuckDB."""

    def __init__(self, options: Options) -> None:
        import duckdb  # noqa: PLC0415  # slow to import

        self._options = options
        if not options.file.is_file():
            raise InputError(f"{options.file} is not a file; a CSV or Parquet file is needed")
        is_parquet = _is_parquet(options.file)
        reader, header = ("read_parquet", "") if is_parquet else ("read_csv", ", header = true")
        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 1")  # samples are repeatable
        path = str(options.file).replace("'", "''")
        try:
            self._connection.execute(f"CREATE VIEW rows AS FROM {reader}('{path}'{header})")
            rows = self._connection.table("rows")
            self._columns = dict(zip(rows.columns, map(str, rows.types), strict=True))
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise InputError(f"{options.file} is no CSV or Parquet file: {first}") from None
        self._check_columns()

    def _check_columns(self) -> None:
        options = self._options
        given = {
            "--treatment": [options.treatment],
            "--outcome": [options.outcome],
            "--spend": [options.spend] if options.spend else [],
            "--ignore": options.ignored,
        }
        for key, names in given.items():
            for name in names:
                if name not in self._columns:
                    listed = ", ".join(self._columns)
                    raise InputError(f"{key}: found {name}; the columns are {listed}")

    def find_arms(self) -> tuple[str, list[str]]:
        """The value of the users without treatment, and every other one."""
        name, column = self._options.treatment, _quoted(self._options.treatment)
        listed = self._query(
            f"SELECT {column}::VARCHAR FROM rows WHERE {column} IS NOT NULL GROUP BY 1 "
            f"ORDER BY 1 LIMIT {MAX_ARMS + 1}"
        )
        values = [str(row[0]) for row in listed]
        if not 2 <= len(values) <= MAX_ARMS:
            many = f"more than {MAX_ARMS}" if len(values) > MAX_ARMS else str(len(values))
            raise InputError(
                f"--treatment: {name} has {many} different values; 2 to {MAX_ARMS} are accepted"
            )
        control = self._find_control(values)
        return control, [value for value in values if value != control]

    def _find_control(self, values: Sequence[str]) -> str:
        given = self._options.control
        if given is not None:
            if given not in values:
                raise InputError(f"--control: found {given}; the values are {', '.join(values)}")
            return given
        likely = [
            value
            for value in values
            if value.lower() in _NAMES_OF_CONTROL
            or value.lower().startswith(("no ", "no-", "control"))
        ]
        if len(likely) != 1:
            raise InputError(
                f"--treatment: {self._options.treatment} has the values {', '.join(values)}; name "
                "the one without treatment with --control VALUE"
            )
        return likely[0]

    def read(self, control: str, arm: str) -> tuple[pd.DataFrame, Labels, dict[str, int]]:
        """A bounded sample of two arms, who was treated, and how many rows each arm has."""
        column = f"{_quoted(self._options.treatment)}::VARCHAR"
        counts = {
            value: int(self._query(f"SELECT count(*) FROM rows WHERE {column} = ?", value)[0][0])
            for value in (control, arm)
        }
        limit = min(MAX_ARM_ROWS, MAX_CELLS // len(self._columns) // 2)
        ignored = [name for name in self._options.ignored if name != self._options.treatment]
        names = ", ".join(_quoted(name) for name in self._columns if name not in ignored)
        parts = [
            self._connection.sql(
                f"FROM (SELECT {names} FROM rows WHERE {column} = ?) "
                f"USING SAMPLE reservoir({limit} ROWS) REPEATABLE ({SEED})",
                params=[value],
            ).df()
            for value in counts
        ]
        treated = np.repeat([False, True], [len(part) for part in parts])
        return pd.concat(parts, ignore_index=True), treated, counts

    def _query(self, sql: str, *parameters: str) -> list[Any]:
        import duckdb  # noqa: PLC0415  # slow to import

        try:
            return self._connection.execute(sql, parameters).fetchall()
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise InputError(f"{self._options.file} cannot be read: {first}") from None


def measure(
    frame: pd.DataFrame, treated: Labels, options: Options, console: Console
) -> Iterator[str]:
    """Learn from one half of two arms, measure on the other, and print the figures."""
    wanted = read_outcome(frame[options.outcome], options.outcome)
    keep = ~np.isnan(wanted)
    if not keep.all():
        yield f"  {np.count_nonzero(~keep):,} rows without {options.outcome} are left out"
    spend = None
    if options.spend is not None:
        spend, missing = read_spend(frame[options.spend], options.spend)
        if missing:
            yield f"  {missing:,} rows without {options.spend} count as 0"
    names = {options.treatment, options.outcome, options.spend}
    others = frame.drop(columns=[name for name in names if name])[keep]
    covariates = choose_covariates(others, treated[keep], wanted[keep] > 0)
    for name, reason in covariates.left_out.items():
        yield f"  left out: {name}, {reason}"
    trial = _make_trial(
        covariates.frame, treated[keep], wanted[keep] > 0, spend if spend is None else spend[keep]
    )
    half = np.random.default_rng(SEED).permutation(len(trial)) % 2 == 0
    training, later = trial.rows(half), trial.rows(~half)
    _require_enough(training, later, options.outcome)
    model = fit_uplift(training, SEED)
    if model is None:
        raise InputError(f"too few rows with {options.outcome} to learn from")
    yield from _report(model, training, later, options, console)


def _report(
    model: UpliftModel, training: Trial, later: Trial, options: Options, console: Console
) -> Iterator[str]:
    happened = later.wanted.astype(np.float64)
    predicted = predict_effects(model.wanted, later, happened)
    validation = validate_effect(predicted, model.wanted.line, later, happened, SEED)
    yield from describe(options.outcome, validation)
    console.print(table_of(options.outcome, validation, _measure_peer(training, later, happened)))
    console.print(table_of_tenths(validation))
    if model.spend is not None and later.spend is not None:
        predicted = predict_effects(model.spend, later, later.spend)
        spent = validate_effect(predicted, model.spend.line, later, later.spend, SEED)
        yield from describe(str(options.spend), spent)
        console.print(table_of(str(options.spend), spent, {}))
    elif later.spend is not None:
        yield f"  too few rows with {options.spend} above 0 to learn from"


def describe(outcome: str, validation: EffectValidation) -> Iterator[str]:
    """Sentences about an effect on the measuring half."""
    yield (
        f"{outcome}: {validation.mean_treated:.5g} of {validation.treated:,} treated, "
        f"{validation.mean_control:.5g} of {validation.control:,} control; average effect "
        f"{show(validation.average)}"
    )
    line = validation.line
    verdict = (
        "effects differ between users beyond noise"
        if line.differs
        else "effects do not differ between users beyond noise: no ranking is claimed"
    )
    yield (
        f"  {verdict} (slope in cross-fitting {line.measured_slope:.2f}, standard error "
        f"{line.slope_deviation:.2f}; {NEEDED_DEVIATIONS:.2f} of them above 0 are needed)"
    )
    slope = (
        "none, as the same effect is predicted for all"
        if validation.slope is None
        else show(validation.slope)
    )
    yield f"  calibration slope on the measuring half, 1 is perfect: {slope}"


def table_of(outcome: str, validation: EffectValidation, of_peer: Mapping[str, Any]) -> Table:
    """Uplift of the top tenth and Qini of all rankings."""
    table = Table(title=f"{outcome}: rankings on the measuring half", title_justify="left")
    for heading in ("ranking", "uplift of the top tenth", "Qini per 1,000 users"):
        table.add_column(heading, justify="left" if heading == "ranking" else "right")
    rankings = {_NAMES[name]: it for name, it in validation.rankings.items()} | dict(of_peer)
    for name, measures in rankings.items():
        table.add_row(name, show(measures.top_uplift), show(measures.qini, 1000))
    table.add_row("at random", show(validation.average), "0")
    return table


def table_of_tenths(validation: EffectValidation) -> Table:
    """Predicted beside measured effects; without rows where effects do not differ."""
    table = Table(title="tenths by predicted effect", title_justify="left")
    for heading in ("tenth", "users", "predicted", "measured"):
        table.add_column(heading, justify="right")
    for number, tenth in enumerate(validation.tenths, start=1):
        table.add_row(
            str(number), f"{tenth.users:,}", f"{tenth.predicted:.5f}", show(tenth.measured)
        )
    return table


def show(measure: Measure, factor: float = 1.0) -> str:
    """A measure with its interval."""
    value, low, high = (f"{factor * it:z.4g}" for it in (measure.value, measure.low, measure.high))
    return f"{value} ({low} to {high})"


def _measure_peer(training: Trial, later: Trial, happened: Floats) -> Mapping[str, Any]:
    if not econml_peer.is_installed():
        return {}
    say("  econml learns from the same half")
    effects = econml_peer.effects_of_peer(training, later.matrix)
    return measure_rankings(
        later, happened, {f"{name} of econml": scores for name, scores in effects.items()}, SEED
    )


def read_outcome(column: pd.Series, name: str) -> Floats:
    """0, 1 and NaN for a missing one, shape (rows,).

    Raises:
        InputError: there are other values than two, or only one.
    """
    words = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "1": 1.0, "0": 0.0}
    if column.dtype.kind in "iufb":
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        texts = column.astype("string").str.strip().str.lower()
        numbers = texts.map(words).to_numpy(dtype=np.float64, na_value=np.nan)
        strange = texts[texts.notna().to_numpy() & np.isnan(numbers)]
        if len(strange):
            raise InputError(
                f"--outcome: {name} has the value {strange.iloc[0]!r}; 0 and 1 are accepted"
            )
    values = np.unique(numbers[~np.isnan(numbers)])
    others = values[~np.isin(values, (0, 1))]
    if len(others):
        raise InputError(
            f"--outcome: {name} has values such as {others[0]:g}; 0 and 1 are accepted, and "
            "amounts as --spend"
        )
    if len(values) < 2:
        raise InputError(f"--outcome: {name} is the same in all rows")
    return numbers


def read_spend(column: pd.Series, name: str) -> tuple[Floats, int]:
    """Amounts, 0 for a missing one, and how many are missing.

    Raises:
        InputError: the column holds no numbers.
    """
    if column.dtype.kind not in "iufb":
        raise InputError(f"--spend: {name} holds {column.dtype}; numbers are accepted")
    amounts = column.to_numpy(dtype=np.float64, na_value=np.nan)
    missing = ~np.isfinite(amounts)
    return np.where(missing, 0.0, amounts), int(missing.sum())


def choose_covariates(frame: pd.DataFrame, treated: Labels, wanted: Labels) -> Covariates:
    """Leave out columns that are no covariates: ids, constants, and what came of the treatment.

    Args:
        frame: All columns but treatment and outcomes.
        treated: Who was treated, shape (rows,).
        wanted: For whom the outcome happened, shape (rows,).
    """
    columns, left_out = {}, {}
    for name in map(str, frame.columns):
        column = _as_feature(frame[name])
        reason = (
            "it is neither numbers nor text"
            if column is None
            else _objection(column, treated, wanted)
        )
        if column is None or reason is not None:
            left_out[name] = str(reason)
        else:
            columns[name] = column
    if not columns:
        raise InputError("the table has no covariate beside treatment and outcomes")
    return Covariates(pd.DataFrame(columns, index=frame.index), left_out)


def _as_feature(column: pd.Series) -> pd.Series | None:
    """Numbers as they are, dates as days, text as text; None for anything else."""
    if column.dtype.kind in "iuf":
        return column
    if column.dtype.kind == "b" or str(column.dtype) == "boolean":
        return column.astype("float64")
    if column.dtype.kind == "M":
        days = (column - pd.Timestamp(0, tz=column.dt.tz)) / pd.Timedelta(days=1)
        return days.astype("float64")
    if pd.api.types.infer_dtype(column, skipna=True) in {"string", "empty", "categorical"}:
        return column.astype("string").astype(object)
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.astype("float64") if (numbers.notna() == column.notna()).all() else None


def _objection(column: pd.Series, treated: Labels, wanted: Labels) -> str | None:
    """Why a column is no covariate; None if it is."""
    values = column.nunique()
    if not values or (values < 2 and not column.isna().any()):
        return "it is the same in all rows"
    is_name = column.dtype == object or column.dtype.kind in "iu"
    if is_name and values > MAX_SHARE_OF_VALUES * len(column):
        return "it is different in most rows, as an id is"
    if column.dtype != object and _is_part_of_outcome(column, wanted):
        return "it is 0 whenever the outcome is, or the other way round: a part of the outcome"
    z = _difference(column, treated)
    if z > LARGEST_Z:
        return (
            f"it differs between the arms by {z:.1f} standard errors: it was measured after the "
            "treatment, or arms were not assigned at random"
        )
    return None


def _is_part_of_outcome(column: pd.Series, wanted: Labels) -> bool:
    """Whether a value other than 0 never comes without the outcome, or the outcome without it."""
    present = (column.fillna(0) != 0).to_numpy(dtype=bool)
    rate, expected = wanted.mean(), MIN_EXPECTED
    implies = present & ~wanted
    implied = ~present & wanted
    return bool(
        (present.sum() * (1 - rate) > expected and not implies.any())
        or ((~present).sum() * rate > expected and not implied.any())
    )


def _difference(column: pd.Series, treated: Labels) -> float:
    """Largest difference of the arms' means in standard errors, of values or their frequency."""
    missing = column.isna().to_numpy(dtype=np.float64)
    if column.dtype == object:
        common = column.value_counts().index[:20]
        parts = [(column == value).to_numpy(dtype=np.float64) for value in common]
    else:
        numbers = pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan))
        parts = [numbers.rank(pct=True).fillna(0.5).to_numpy(), (numbers != 0).to_numpy(np.float64)]
    return max(_z(part, treated) for part in (missing, *parts))


def _z(values: Floats, treated: Labels) -> float:
    arms = values[treated], values[~treated]
    error = np.sqrt(sum(arm.var() / len(arm) for arm in arms))
    distance = abs(float(arms[0].mean() - arms[1].mean()))
    if not error:
        return np.inf if distance else 0.0
    return distance / float(error)


def _make_trial(
    covariates: pd.DataFrame, treated: Labels, wanted: Labels, spend: Floats | None
) -> Trial:
    encoding: Encoding = fit_encoding([covariates])
    share = np.full(len(treated), treated.mean())
    folds = folds_of(range(len(treated)))
    matrix = encode(covariates, encoding)
    return Trial(matrix, treated, wanted, spend, share, folds, encoding=encoding)


def _require_enough(training: Trial, later: Trial, outcome: str) -> None:
    for name, rows in (("learning", training), ("measuring", later)):
        lack = list_shortfalls(rows.wanted, rows.treated, outcome)
        if lack:
            raise InputError(f"the {name} half has too few rows: {'; '.join(lack)}")


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"PAR1"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
