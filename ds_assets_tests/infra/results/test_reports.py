"""Reports in the results database: a day's rows as a whole, whoever reads or writes beside."""

import datetime as dt
import math
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_assets.core.schema import Table
from ds_assets.core.tables import MODEL_METRICS, PREDICTION_OUTCOMES, PREDICTIONS
from ds_assets.infra.results.database import (
    KEY_LENGTH,
    DeliveryDiffers,
    ResultsDatabase,
    ResultsUnavailable,
)
from ds_assets.infra.results.schema import REPORTS
from ds_assets_tests.infra.factories import DAYS, row_of
from ds_assets_tests.infra.results.databases import (
    ALL_REPORTS,
    TEXTS,
    day,
    execute,
    kind_of,
    read_report,
    storable,
)
from ds_assets_tests.infra.results.databases import metrics as metric_rows
from ds_assets_tests.infra.results.processes import running

TODAY = DAYS[2]


def table_of(contract: Table, *rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=contract.arrow_schema)


def put(database: ResultsDatabase, as_of: dt.date, *measures: str, value: float = 0.5) -> int:
    return database.put_report(MODEL_METRICS, as_of, metric_rows(as_of, *measures, value=value))


def measures(database: ResultsDatabase, as_of: dt.date | None = TODAY) -> list[str]:
    return list(read_report(database, MODEL_METRICS, as_of)["measure"].to_pylist())


def test_every_report_is_of_a_day() -> None:
    assert set(REPORTS) == {contract.name for contract in ALL_REPORTS}
    assert all(contract.key[0] == "as_of" for contract in ALL_REPORTS)


@pytest.mark.parametrize("contract", ALL_REPORTS, ids=lambda contract: contract.name)
def test_a_report_comes_back_as_it_was_put(database: ResultsDatabase, contract: Table) -> None:
    optional = {column.name: None for column in contract.columns if column.nullable}
    first = row_of(contract, as_of=TODAY)
    others = {"cluster": 2, "value": "another", "target": "another", "arm": "another"}
    smaller = {name: value for name, value in others.items() if name in contract.key}
    rows = table_of(contract, first, first | optional | smaller)
    assert database.put_report(contract, TODAY, rows) == 2
    assert read_report(database, contract, TODAY).equals(rows.take([1, 0]))
    assert read_report(database, contract, DAYS[0]).equals(rows.slice(0, 0))


def test_a_report_takes_the_place_of_the_whole_day_and_of_no_other(
    database: ResultsDatabase,
) -> None:
    for as_of in (DAYS[1], TODAY):
        put(database, as_of, "auc", "brier", "ece")
    assert put(database, TODAY, "log_loss") == 1
    assert measures(database) == ["log_loss"]
    assert measures(database, DAYS[1]) == ["auc", "brier", "ece"]
    assert measures(database, None) == ["auc", "brier", "ece", "log_loss"]
    assert put(database, DAYS[1]) == 0
    assert measures(database, None) == ["log_loss"]


def test_the_days_of_a_report_are_those_with_rows(database: ResultsDatabase) -> None:
    for as_of in (TODAY, DAYS[0]):
        put(database, as_of, "auc", "log_loss")
    put(database, DAYS[1])
    assert database.report_days(MODEL_METRICS) == sorted([DAYS[0], TODAY])
    assert database.report_days(PREDICTION_OUTCOMES) == []


def test_a_report_that_is_put_again_is_the_same(database: ResultsDatabase) -> None:
    put(database, TODAY, "auc", "brier")
    once = read_report(database, MODEL_METRICS)
    put(database, TODAY, "brier", "auc")
    assert read_report(database, MODEL_METRICS).equals(once)


keys = TEXTS.filter(lambda text: 0 < len(text) <= KEY_LENGTH)
reals = st.floats(allow_nan=False, allow_infinity=False)
any_rows = st.lists(
    st.fixed_dictionaries(
        {
            "target": keys,
            "segment": keys,
            "users": st.integers(-(2**63), 2**63 - 1),
            "predicted": reals,
            "auc": st.none() | reals,
            "verdict": TEXTS,
        }
    ),
    max_size=6,
    unique_by=lambda values: (values["target"], values["segment"]),
)


@pytest.mark.slow
@given(rows=any_rows)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_a_report_holds_comes_back_to_the_last_bit_in_the_order_of_its_key(
    database: ResultsDatabase, url: str, rows: list[dict[str, Any]]
) -> None:
    contract = PREDICTION_OUTCOMES
    values = storable(rows, url)
    given = table_of(contract, *(row_of(contract, as_of=TODAY, **value) for value in values))
    assert database.put_report(contract, TODAY, given) == len(values)
    ordered = given.sort_by([(name, "ascending") for name in contract.key])
    assert read_report(database, contract, TODAY).equals(ordered)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (metric_rows(TODAY, "x" * 192), "measure has 192 characters in a row; .* takes 191"),
        (metric_rows(TODAY, ""), "measure is empty in a row"),
        (metric_rows(TODAY, "auc", value=math.inf), "value is infinite"),
        (metric_rows(TODAY, "auc", value=math.nan), "value is missing in 1 rows"),
        (metric_rows(TODAY, "auc", "auc"), "2 rows but 1 different as_of and target"),
        (metric_rows(DAYS[0], "auc"), "model_metrics of 2026-03-03 hold rows of 2026-03-01"),
        (metric_rows(TODAY, "auc").drop_columns(["low"]), "missing: low; unknown: none"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_day_stays(
    rows: pa.Table, complaint: str, tmp_path: Path
) -> None:
    with ResultsDatabase(f"sqlite:///{tmp_path / 'results.sqlite'}") as database:
        put(database, TODAY, "brier")
        with pytest.raises(ValueError, match=complaint):
            database.put_report(MODEL_METRICS, TODAY, rows)
        assert measures(database) == ["brier"]


def test_a_table_that_is_no_report_is_refused(tmp_path: Path) -> None:
    with (
        ResultsDatabase(f"sqlite:///{tmp_path / 'results.sqlite'}") as database,
        pytest.raises(KeyError, match="predictions"),
    ):
        database.put_report(PREDICTIONS, DAYS[0], day(DAYS[0]))


MEDDLING = {
    "sqlite": [
        (
            "CREATE TRIGGER meddle AFTER INSERT ON model_metrics WHEN new.measure = 'auc'"
            " BEGIN UPDATE model_metrics SET users = 99 WHERE measure = 'auc'; END"
        )
    ],
    "mysql": [
        (
            "CREATE TRIGGER meddle BEFORE INSERT ON model_metrics FOR EACH ROW"
            " SET new.users = IF(new.measure = 'auc', 99, new.users)"
        )
    ],
    "postgresql": [
        (
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF new.measure = 'auc' THEN new.users := 99; END IF; RETURN new; END $$"
        ),
        (
            "CREATE TRIGGER meddle BEFORE INSERT ON model_metrics FOR EACH ROW"
            " EXECUTE FUNCTION meddle()"
        ),
    ],
}


def test_a_database_that_stores_something_else_rolls_the_report_back(
    database: ResultsDatabase, url: str
) -> None:
    put(database, TODAY, "auc", "brier")
    execute(url, *MEDDLING[kind_of(url)])
    with pytest.raises(DeliveryDiffers, match="2026-03-03: the rows stored differ"):
        put(database, TODAY, "auc")
    assert measures(database) == ["auc", "brier"]


def test_a_report_that_is_interrupted_anywhere_leaves_the_day_as_it_was(
    database: ResultsDatabase,
) -> None:
    put(database, TODAY, "auc", "brier")
    before = read_report(database, MODEL_METRICS)
    at = 1
    while is_stopped(database, at):
        assert read_report(database, MODEL_METRICS).equals(before)
        at += 1
    assert at > 4
    assert measures(database) == ["ece"]


def is_stopped(database: ResultsDatabase, at: int) -> bool:
    """Put a report that fails before its nth statement. Returns whether there were that many."""
    statements = 0

    def fail(*_: Any) -> None:
        nonlocal statements
        statements += 1
        if statements == at:
            raise OSError("the process ends here")

    sa.event.listen(sa.Engine, "before_cursor_execute", fail)
    sa.event.listen(sa.Engine, "commit", fail)
    try:
        put(database, TODAY, "ece")
    except ResultsUnavailable:
        return True
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", fail)
        sa.event.remove(sa.Engine, "commit", fail)
    return False


def put_and_stop(pipe: "Connection[Any, Any]", url: str) -> None:
    """Put a report, and wait before its commit to be killed."""

    def stop(_connection: sa.Connection) -> None:
        pipe.send("before the commit")
        time.sleep(60)

    database = ResultsDatabase(url)
    database.ensure_schema()
    sa.event.listen(sa.Engine, "commit", stop)
    put(database, TODAY, "ece")


@pytest.mark.slow
def test_a_writer_killed_before_its_commit_leaves_the_day_and_the_turn_to_the_next(
    database: ResultsDatabase, url: str
) -> None:
    put(database, TODAY, "auc", "brier")
    with running(put_and_stop, url) as (_, pipe):
        assert pipe.recv() == "before the commit"
        assert measures(database) == ["auc", "brier"]
    assert measures(database) == ["auc", "brier"]
    put(database, TODAY, "log_loss")
    assert measures(database) == ["log_loss"]


@pytest.mark.slow
def test_writers_beside_each_other_take_turns_and_readers_see_one_whole_report(url: str) -> None:
    versions = {"abc": 0.1, "cdef": 0.2, "g": 0.3}  # with measures of their own, too
    states: list[tuple[str, frozenset[float]]] = []
    faults: list[BaseException] = []
    done = threading.Event()

    def write(letters: str) -> None:
        try:
            with ResultsDatabase(url) as own:
                for turn in range(24):
                    as_of = DAYS[turn // 2 % 4]  # each is new to all of them at first
                    put(own, as_of, *letters, value=versions[letters])
        except BaseException as error:
            faults.append(error)
            raise

    def read() -> None:
        with ResultsDatabase(url) as own:
            while not done.is_set():
                for as_of in DAYS[:4]:
                    report = read_report(own, MODEL_METRICS, as_of)
                    letters = "".join(report["measure"].to_pylist())
                    states.append((letters, frozenset(report["value"].to_pylist())))

    with ResultsDatabase(url) as database:
        database.ensure_schema()
    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=[letters]) for letters in versions]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert faults == []
    whole = {(letters, frozenset({value})) for letters, value in versions.items()}
    assert set(states) <= whole | {("", frozenset())}
    assert len(set(states)) > 1


def test_days_older_than_those_kept_go_counted_by_the_reports_own_newest(url: str) -> None:
    with ResultsDatabase(url) as everything:
        everything.deliver(DAYS[4], day(DAYS[4]), "run")
        for as_of in DAYS[:3]:
            put(everything, as_of, f"of {as_of.day}")
        assert len(measures(everything, None)) == 3
    with ResultsDatabase(url, days=2) as database:
        put(database, DAYS[2], "again")
        assert measures(database, None) == ["of 2", "again"]


def test_days_that_a_run_put_stay_for_it_however_old(url: str) -> None:
    with ResultsDatabase(url, days=1) as database:
        for as_of in (DAYS[4], DAYS[0], DAYS[1]):
            put(database, as_of, "auc")
        assert len(measures(database, None)) == 3
    with ResultsDatabase(url, days=1) as database:
        put(database, DAYS[3], "auc")
        assert read_report(database, MODEL_METRICS)["as_of"].to_pylist() == [DAYS[3], DAYS[4]]
