"""Days in the results database: all or nothing, as often as you like, in any order."""

import datetime as dt
import math
import random
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ds_assets.core.checksum import checksum
from ds_assets.core.day_rows import DayRows
from ds_assets.core.tables import PLAYER_PROMOTIONS, PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.errors import InputError
from ds_assets.infra.results import database as database_module
from ds_assets.infra.results import loading, publishing
from ds_assets.infra.results.backends import base
from ds_assets.infra.results.database import (
    KEY_LENGTH,
    DeliveryDiffers,
    ResultsDatabase,
    ResultsUnavailable,
)
from ds_assets.infra.results.errors import ResultsBusy
from ds_assets.infra.results.schema import METADATA
from ds_assets_tests.infra.factories import (
    DAYS,
    assignment,
    assignments,
    control,
    cut,
    row,
    row_of,
    table,
)
from ds_assets_tests.infra.results.databases import (
    TEXTS,
    current_rows,
    day,
    execute,
    kind_of,
    storable,
)
from ds_assets_tests.infra.results.processes import running


def test_a_day_comes_back_as_it_was_delivered(database: ResultsDatabase) -> None:
    rows = [
        row("b", churn_probability=1 / 3, cluster=None, cluster_name=None),
        row("a", churn_probability=math.nan, payment_probability=None, cluster_name="naïve 🎮 %s"),
    ]
    delivery = database.deliver(DAYS[0], pd.DataFrame(rows), "run-1")
    stored = database.day(DAYS[0])
    assert stored.schema == PREDICTIONS.arrow_schema
    assert stored.sort_by("user_id").to_pylist() == [
        {**rows[1], "churn_probability": None},
        rows[0],
    ]
    assert (delivery.row_count, delivery.checksum) == (2, checksum(stored))
    assert database.deliveries() == [delivery]


def deliver_promotions(
    database: ResultsDatabase, as_of: dt.date, *rows: dict[str, Any], run_id: str = "run"
) -> None:
    """Deliver a day with the promotions that are in effect for its users."""
    users = sorted({row["user_id"] for row in rows}) or ["nobody"]
    predictions = table(*(row(user, as_of) for user in users))
    no_targets = TARGET_PREDICTIONS.arrow_schema.empty_table()
    database.deliver(as_of, predictions, run_id, no_targets, assignments(*rows))


def test_promotions_of_a_day_come_back_as_they_were_delivered(
    database: ResultsDatabase, url: str
) -> None:
    rows = [assignment("b", DAYS[1], offer="naïve 🎮 %s"), control("b", DAYS[1], promotion="x")]
    deliver_promotions(database, DAYS[0], assignment("a"))
    deliver_promotions(database, DAYS[1], *rows)
    stored = database.promotions(DAYS[1])
    assert stored.schema == PLAYER_PROMOTIONS.arrow_schema
    assert stored.to_pylist() == rows
    query = "SELECT user_id, promotion, arm FROM {} ORDER BY user_id, promotion"
    newest = [("b", "bundle", "treated"), ("b", "x", "control")]
    assert execute(url, query.format("player_promotions_current")) == newest
    assert execute(url, query.format("player_promotions")) == [("a", "bundle", "treated"), *newest]


def test_promotions_are_replaced_and_withdrawn_with_the_predictions_of_their_day(
    database: ResultsDatabase,
) -> None:
    deliver_promotions(database, DAYS[0], assignment("a"), assignment("b"))
    deliver_promotions(database, DAYS[0], assignment("a", offer="other"), run_id="again")
    assert database.promotions(DAYS[0]).to_pylist() == [assignment("a", offer="other")]
    database.withdraw([DAYS[0]])
    assert database.promotions(DAYS[0]).num_rows == 0
    deliver_promotions(database, DAYS[0])
    assert database.promotions(DAYS[0]).num_rows == 0


def test_an_empty_database_answers_that_it_has_nothing(database: ResultsDatabase) -> None:
    assert database.current_day() is None
    assert current_rows(database, ["a"]) == []
    assert database.deliveries() == []
    assert database.day(DAYS[0]).num_rows == 0


def test_a_write_that_is_tried_leaves_nothing(database: ResultsDatabase, url: str) -> None:
    database.ensure_schema()
    before = execute(url, "SELECT name FROM report_locks ORDER BY name")
    database.try_write()
    assert execute(url, "SELECT name FROM report_locks ORDER BY name") == before
    database.deliver(DAYS[0], day(DAYS[0]), "run")


def test_ids_that_differ_in_case_or_spaces_or_form_are_different_users(
    database: ResultsDatabase,
) -> None:
    ids = ["a", "A", "a ", "á", "a\u0301", "'; --", "\\", "%s", "x" * KEY_LENGTH, "🎮" * KEY_LENGTH]
    database.deliver(DAYS[0], table(*map(row, ids)), "run")
    assert sorted(row["user_id"] for row in current_rows(database, ids)) == sorted(ids)
    assert [row["user_id"] for row in current_rows(database, ["A"])] == ["A"]


def test_a_user_id_that_is_too_long_is_refused(database: ResultsDatabase) -> None:
    with pytest.raises(
        ValueError, match="user_id has 192 characters in a row; the results database takes 191"
    ):
        database.deliver(DAYS[0], table(row("x" * 192)), "run")


@pytest.mark.parametrize(
    ("rows", "run_id", "complaint"),
    [
        (table(row("")), "run", "user_id is empty in a row"),
        (table(row("a", churn_probability=math.inf)), "run", "churn_probability is infinite"),
        (table(row("a")), "r" * 256, "the run id has 256 characters"),
    ],
)
def test_what_a_database_cannot_hold_is_refused(
    rows: pa.Table, run_id: str, complaint: str, tmp_path: Path
) -> None:
    with (
        ResultsDatabase(f"sqlite:///{tmp_path / 'results.sqlite'}") as database,
        pytest.raises(ValueError, match=complaint),
    ):
        database.deliver(DAYS[0], rows, run_id)


def test_ids_that_are_numbers_are_kept_as_their_text(database: ResultsDatabase) -> None:
    rows = pd.DataFrame([row("1"), row("2")]).assign(user_id=[7, 2**62])
    database.deliver(DAYS[0], rows, "run")
    assert {row["user_id"] for row in current_rows(database, ["7", str(2**62)])} == {
        "7",
        str(2**62),
    }


reals = st.none() | st.floats(allow_nan=False, allow_infinity=False)
any_rows = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": TEXTS.filter(lambda text: 0 < len(text) <= KEY_LENGTH),
            "churn_probability": reals,
            "payment_probability": reals,
            "expected_spend": reals,
            "cluster": st.none() | st.integers(-(2**63), 2**63 - 1),
            "cluster_name": st.none() | TEXTS,
            "churn_reasons": st.none() | TEXTS,
            "churn_model": st.none() | st.just("\\N"),
        }
    ),
    max_size=8,
    unique_by=lambda values: values["user_id"],
)


@pytest.mark.slow
@given(rows=any_rows)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_the_rows_hold_comes_back_to_the_last_bit(
    database: ResultsDatabase, url: str, rows: list[dict[str, Any]]
) -> None:
    given = table(*(row(**values) for values in storable(rows, url)))
    delivery = database.deliver(DAYS[0], given, "run")
    stored = database.day(DAYS[0])
    assert stored.equals(given.sort_by("user_id"))
    assert checksum(stored) == delivery.checksum
    summed = database.checksum_day(PREDICTIONS, DAYS[0])
    assert (summed.value, summed.row_count) == (delivery.checksum, len(given))


def test_rows_in_any_order_and_more_than_one_statement_takes_arrive(
    database: ResultsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", 300)
    monkeypatch.setattr(base, "MAX_ROWS_PER_BATCH", 70)
    rows = day(DAYS[0], users=1_000)
    shuffled = rows.take(pa.array(random.Random(1).sample(range(1_000), 1_000)))
    database.deliver(DAYS[0], shuffled, "run")
    assert database.day(DAYS[0]).sort_by("user_id").equals(rows)


@given(data=st.data(), most=st.integers(1, 12))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pieces_of_any_size_are_stored_as_the_same_rows_with_the_same_checksum(
    database: ResultsDatabase, data: st.DataObject, most: int
) -> None:
    rows = day(DAYS[0], users=10)
    targets = targets_of("u00001", "u00004")
    whole = database.deliver(DAYS[0], rows, "whole", targets)
    pieces, target_pieces = data.draw(cut(rows)), data.draw(cut(targets))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", most)
        in_pieces = database.deliver(
            DAYS[0],
            DayRows(PREDICTIONS, DAYS[0], lambda: pieces),
            "in pieces",
            DayRows(TARGET_PREDICTIONS, DAYS[0], lambda: target_pieces),
        )
    assert (in_pieces.checksum, in_pieces.row_count) == (whole.checksum, 10)
    assert database.day(DAYS[0]).equals(rows)
    assert database.target_predictions(DAYS[0]).equals(targets)


def targets_of(*users: str) -> pa.Table:
    """Rows of two targets of each user."""
    rows = [
        row_of(TARGET_PREDICTIONS, user_id=user, as_of=DAYS[0], target=name)
        for user in users
        for name in ("level_up", "spend_30")
    ]
    return pa.Table.from_pylist(rows, schema=TARGET_PREDICTIONS.arrow_schema)


def test_each_table_of_a_day_is_counted_and_checksummed(database: ResultsDatabase) -> None:
    rows, targets, in_effect = table(row("a")), targets_of("a", "b"), assignments(assignment("a"))
    database.deliver(DAYS[0], rows, "run", targets, in_effect)
    days = {PREDICTIONS: rows, TARGET_PREDICTIONS: targets, PLAYER_PROMOTIONS: in_effect}
    for contract, expected in days.items():
        summed = database.checksum_day(contract, DAYS[0])
        assert (summed.value, summed.row_count) == (checksum(expected), len(expected))
        nothing = database.checksum_day(contract, DAYS[1])
        assert (nothing.value, nothing.row_count) == (checksum(expected[:0]), 0)


def test_a_value_that_cannot_be_stored_leaves_the_day_as_it_was(
    database: ResultsDatabase, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", 2)
    before = day(DAYS[0], users=4)
    database.deliver(DAYS[0], before, "before")
    pieces = [day(DAYS[0], users=9, churn=0.9), table(row("v", churn_probability=math.inf))]
    loaded: list[int] = []

    def count_loaded(connection: Any, target: Any, load: Any, tables: Iterable[pa.Table]) -> None:
        loading.load_rows(connection, target, load, map(note, tables))

    def note(rows: pa.Table) -> pa.Table:
        loaded.append(rows.num_rows)
        return rows

    monkeypatch.setattr(database_module, "load_rows", count_loaded)
    with pytest.raises(ValueError, match="churn_probability is infinite"):
        database.deliver(DAYS[0], DayRows(PREDICTIONS, DAYS[0], lambda: pieces), "after")
    assert sum(loaded) == 8  # most of them had been sent
    assert database.day(DAYS[0]).equals(before)
    assert [delivery.run_id for delivery in database.deliveries()] == ["before"]
    assert stored(url) == [("2026-03-01", 4)]


def test_rows_that_cannot_be_read_to_the_end_leave_the_day_as_it_was(
    database: ResultsDatabase,
) -> None:
    def read() -> Iterator[pa.Table]:
        yield day(DAYS[0])
        raise InputError("the rest is damaged")

    database.deliver(DAYS[0], day(DAYS[0], users=1), "before")
    with pytest.raises(InputError, match="the rest is damaged"):
        database.deliver(DAYS[0], DayRows(PREDICTIONS, DAYS[0], read), "after")
    assert database.day(DAYS[0]).equals(day(DAYS[0], users=1))


def test_rows_are_read_from_the_beginning_for_each_attempt(
    database: ResultsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[int] = []

    def read() -> Iterator[pa.Table]:
        attempts.append(len(attempts))
        yield day(DAYS[0])

    def lose_the_first_connection(*arguments: Any) -> None:
        loading.load_rows(*arguments)
        if len(attempts) == 1:
            raise ResultsBusy("the connection is lost")

    monkeypatch.setattr(database_module, "load_rows", lose_the_first_connection)
    delivery = database.deliver(DAYS[0], DayRows(PREDICTIONS, DAYS[0], read), "run")
    assert attempts == [0, 1]
    assert (delivery.row_count, delivery.checksum) == (3, checksum(day(DAYS[0])))
    assert database.day(DAYS[0]).equals(day(DAYS[0]))


def test_a_delivery_holds_a_few_statements_of_rows_at_a_time(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", 1_000)
    held: list[int] = []

    def read() -> Iterator[pa.Table]:
        for start in range(0, 40_000, 500):
            held.append(pa.total_allocated_bytes())
            yield table(*(row(f"u{start + number:05}") for number in range(500)))

    (first,) = DayRows(PREDICTIONS, DAYS[0], lambda: [next(read())])
    with ResultsDatabase(url) as database:
        held.clear()
        database.deliver(DAYS[0], DayRows(PREDICTIONS, DAYS[0], read), "run")
    assert len(held) == 80
    assert max(held) - held[0] < 16 * first.nbytes


def stored(url: str) -> list[tuple[str, int]]:
    """Rows of each day that lie in the database, those that nobody sees among them."""
    query = "SELECT as_of, count(*) FROM player_prediction_loads GROUP BY as_of ORDER BY as_of"
    return [(str(as_of), rows) for as_of, rows in execute(url, query)]


def test_rows_that_were_replaced_are_deleted(
    database: ResultsDatabase, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_MAX_ROWS_PER_DELETION", 30)
    for users in (100, 0, 60, 61):
        database.deliver(DAYS[0], day(DAYS[0], users), "run")
        assert stored(url) == ([("2026-03-01", users)] if users else [])
    assert execute(url, "SELECT * FROM stale_loads") == []


def test_old_rows_that_could_not_be_deleted_are_deleted_by_the_next_delivery(
    database: ResultsDatabase,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database.deliver(DAYS[0], day(DAYS[0]), "one")
    with monkeypatch.context() as broken:
        broken.setattr(publishing, "delete_stale_rows", raise_unavailable)
        database.deliver(DAYS[0], day(DAYS[0], users=2), "two")
    assert "the day was delivered, but old rows could not be deleted: gone" in caplog.text
    assert database.day(DAYS[0]).num_rows == 2
    assert stored(url) == [("2026-03-01", 5)]
    database.deliver(DAYS[1], day(DAYS[1]), "three")
    assert stored(url) == [("2026-03-01", 2), ("2026-03-02", 3)]


def raise_unavailable(*_: Any) -> None:
    raise ResultsUnavailable("gone")


def test_days_older_than_those_kept_go_with_the_next_delivery(url: str) -> None:
    with ResultsDatabase(url) as everything:
        for as_of in DAYS[:4]:
            everything.deliver(as_of, day(as_of), "run")
    with ResultsDatabase(url, days=2) as database:
        database.deliver(DAYS[4], day(DAYS[4]), "run")
        assert [delivery.as_of for delivery in database.deliveries()] == [DAYS[4], DAYS[3]]
        assert database.day(DAYS[0]).num_rows == 0
    assert stored(url) == [("2026-03-04", 3), ("2026-03-05", 3)]


def test_a_day_that_is_asked_for_stays_for_the_run_however_old(url: str) -> None:
    with ResultsDatabase(url, days=1) as database:
        for as_of in (DAYS[4], DAYS[0], DAYS[1]):
            database.deliver(as_of, day(as_of), "backfill")
        assert database.current_day() == DAYS[4]
        assert len(database.deliveries()) == 3
    with ResultsDatabase(url, days=1) as database:
        database.deliver(DAYS[3], day(DAYS[3]), "next run")
        assert [delivery.as_of for delivery in database.deliveries()] == [DAYS[4], DAYS[3]]


def test_delivering_twice_leaves_the_same_rows_as_once(database: ResultsDatabase) -> None:
    first = database.deliver(DAYS[0], day(DAYS[0]), "run-1")
    once = database.day(DAYS[0])
    second = database.deliver(DAYS[0], day(DAYS[0]), "run-2")
    assert database.day(DAYS[0]).equals(once)
    assert first.checksum == second.checksum
    assert [delivery.run_id for delivery in database.deliveries()] == ["run-2"]


def test_a_delivery_takes_the_place_of_the_whole_day(database: ResultsDatabase) -> None:
    database.deliver(DAYS[0], day(DAYS[0], users=5), "run-1")
    database.deliver(DAYS[0], day(DAYS[0], users=2, churn=0.9), "run-2")
    assert database.day(DAYS[0]).equals(day(DAYS[0], users=2, churn=0.9))


def test_an_older_day_is_stored_and_never_becomes_current(database: ResultsDatabase) -> None:
    database.deliver(DAYS[3], day(DAYS[3], users=2), "new")
    database.deliver(DAYS[1], day(DAYS[1]), "backfill")
    assert database.current_day() == DAYS[3]
    assert {row["as_of"] for row in current_rows(database, ["u00000", "u00002"])} == {DAYS[3]}
    assert len(current_rows(database, ["u00000", "u00002"])) == 1
    assert [delivery.as_of for delivery in database.deliveries()] == [DAYS[3], DAYS[1]]


@pytest.mark.slow
@given(order=st.permutations(DAYS), again=st.lists(st.sampled_from(DAYS), max_size=3))
@settings(max_examples=12)
def test_days_delivered_in_any_order_end_the_same(
    order: list[dt.date], again: list[dt.date]
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        ResultsDatabase(f"sqlite:///{folder}/results.sqlite") as database,
    ):
        for as_of in [*order, *again]:
            database.deliver(as_of, day(as_of, users=as_of.day), "run")
        assert [database.day(as_of) for as_of in DAYS] == [day(it, users=it.day) for it in DAYS]
        assert database.current_day() == DAYS[-1]
        assert len(current_rows(database, [f"u{n:05}" for n in range(9)])) == DAYS[-1].day


def test_more_users_than_one_query_takes_are_all_answered(database: ResultsDatabase) -> None:
    database.deliver(DAYS[0], day(DAYS[0], users=2_500), "run")
    ids = [f"u{n:05}" for n in range(2_600)]
    assert sorted(row["user_id"] for row in current_rows(database, ids)) == ids[:2_500]


@pytest.mark.slow
def test_a_reader_sees_one_whole_day_at_any_time(database: ResultsDatabase, url: str) -> None:
    database.deliver(DAYS[0], day(DAYS[0], users=6_000, churn=0.0), "run")
    states: list[tuple[Any, ...]] = []
    done = threading.Event()

    def read() -> None:
        engine = sa.create_engine(url)
        query = (
            "SELECT as_of, churn_probability, count(*) FROM player_predictions_current"
            " GROUP BY as_of, churn_probability"
        )
        while not done.is_set():
            with engine.connect() as connection:
                states.extend(map(tuple, connection.exec_driver_sql(query)))
        engine.dispose()

    thread = threading.Thread(target=read)
    thread.start()
    for number, as_of in enumerate([DAYS[0], DAYS[1], DAYS[0], DAYS[1], DAYS[2]]):
        database.deliver(as_of, day(as_of, users=6_000, churn=float(number)), "run")
    done.set()
    thread.join()
    assert len(states) > 10
    assert {count for _, _, count in states} == {6_000}
    assert [str(as_of) for as_of, _, _ in states] == sorted(str(as_of) for as_of, _, _ in states)


def deliver_and_stop(pipe: "Connection[Any, Any]", url: str, rows: pa.Table) -> None:
    """Deliver the first day in several statements, and wait in the middle to be killed."""

    def cut_to_the_middle(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
        for number, part in enumerate(loading.cut_between_users(pieces)):
            if number == 2:
                pipe.send("in the middle")
                time.sleep(60)
            yield part

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", 2_000)
        monkeypatch.setattr(database_module, "cut_between_users", cut_to_the_middle)
        ResultsDatabase(url).deliver(DAYS[0], rows, "killed")


@pytest.mark.slow
def test_a_delivery_killed_in_the_middle_leaves_the_rows_of_before(
    database: ResultsDatabase, url: str
) -> None:
    before = day(DAYS[0], users=6_000, churn=0.1)
    database.deliver(DAYS[0], before, "before")
    rows = day(DAYS[0], users=7_000, churn=0.9)
    with running(deliver_and_stop, url, rows) as (_, pipe):
        assert pipe.recv() == "in the middle"
        assert database.day(DAYS[0]).equals(before)
    assert database.day(DAYS[0]).equals(before)
    assert [delivery.run_id for delivery in database.deliveries()] == ["before"]
    database.deliver(DAYS[0], day(DAYS[0], users=2), "after")
    assert database.day(DAYS[0]).num_rows == 2


def deliver_each(
    _pipe: "Connection[Any, Any]", url: str, run_id: str, days: list[pa.Table]
) -> None:
    with ResultsDatabase(url) as database:
        for rows in days:
            database.deliver(rows["as_of"][0].as_py(), rows, run_id)


@pytest.mark.slow
def test_two_writers_at_once_take_turns(url: str) -> None:
    days = {
        run_id: [day(as_of, 3_000, churn) for as_of in [DAYS[0], DAYS[1], DAYS[0]] * 2]
        for run_id, churn in (("one", 0.1), ("two", 0.2))
    }
    with ExitStack() as stack:
        writers = [
            stack.enter_context(running(deliver_each, url, *plan))[0] for plan in days.items()
        ]
        for writer in writers:
            writer.join()
        assert [writer.exitcode for writer in writers] == [0, 0]
    with ResultsDatabase(url) as database:
        for delivery in database.deliveries():
            churn = {"one": 0.1, "two": 0.2}[delivery.run_id]
            assert database.day(delivery.as_of).equals(day(delivery.as_of, 3_000, churn))
            assert delivery.row_count == 3_000


LOADS = "player_prediction_loads"
FUNCTION = (
    "CREATE OR REPLACE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN IF new.user_id = 'u00001' THEN {} END IF; RETURN new; END $$"
)
CHANGE = {
    "sqlite": [
        (
            f"CREATE TRIGGER meddle AFTER INSERT ON {LOADS} WHEN new.user_id = 'u00001'"
            f" BEGIN UPDATE {LOADS} SET cluster = 99 WHERE user_id = new.user_id; END"
        )
    ],
    "mysql": [
        (
            f"CREATE TRIGGER meddle BEFORE INSERT ON {LOADS} FOR EACH ROW"
            " SET new.cluster = IF(new.user_id = 'u00001', 99, new.cluster)"
        )
    ],
    "postgresql": [
        FUNCTION.format("new.cluster := 99;"),
        f"CREATE TRIGGER meddle BEFORE INSERT ON {LOADS} FOR EACH ROW EXECUTE FUNCTION meddle()",
    ],
}
"""Makes a database store another value in a row."""
DROP = {
    "sqlite": [
        "DROP TRIGGER meddle",
        (
            f"CREATE TRIGGER meddle AFTER INSERT ON {LOADS}"
            f" BEGIN DELETE FROM {LOADS} WHERE user_id = 'u00001'; END"
        ),
    ],
    "mysql": [
        "DROP TRIGGER meddle",
        (
            f"CREATE TRIGGER meddle BEFORE INSERT ON {LOADS} FOR EACH ROW"
            " SET new.user_id = IF(new.user_id = 'u00001', 'u00000', new.user_id)"
        ),
    ],
    "postgresql": [FUNCTION.format("RETURN NULL;")],
}
"""Makes a database drop a row instead."""


def test_a_database_that_stores_something_else_rolls_the_day_back(
    database: ResultsDatabase, url: str
) -> None:
    database.deliver(DAYS[0], day(DAYS[0]), "before")
    execute(url, *CHANGE[kind_of(url)])
    with pytest.raises(DeliveryDiffers, match="rows stored differ"):
        database.deliver(DAYS[0], day(DAYS[0], churn=0.9), "after")
    execute(url, *DROP[kind_of(url)])
    with pytest.raises(DeliveryDiffers, match="3 rows were delivered and 2 stored"):
        database.deliver(DAYS[0], day(DAYS[0], churn=0.9), "after")
    assert database.day(DAYS[0]).equals(day(DAYS[0]))
    assert [delivery.run_id for delivery in database.deliveries()] == ["before"]


def test_the_schema_can_be_asked_for_twice_and_by_several_at_once(url: str) -> None:
    databases = [ResultsDatabase(url) for _ in range(4)]
    faults: list[Exception] = []

    def ensure(database: ResultsDatabase) -> None:
        try:
            database.ensure_schema()
            database.ensure_schema()
        except ResultsUnavailable as error:
            faults.append(error)

    threads = [threading.Thread(target=ensure, args=[database]) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert databases[0].current_day() is None
    for database in databases:
        database.close()


def test_a_closed_database_opens_again_when_it_is_used(database: ResultsDatabase) -> None:
    database.deliver(DAYS[0], day(DAYS[0]), "run")
    database.close()
    database.close()
    assert database.current_day() == DAYS[0]


@pytest.mark.parametrize(
    ("place", "reason"),
    [("notes.txt", "file is not a database"), ("notes.txt/results.sqlite", "File exists")],
)
def test_a_place_that_cannot_hold_a_database_is_named_with_its_setting(
    tmp_path: Path, place: str, reason: str
) -> None:
    (tmp_path / "notes.txt").write_text("no database " * 100)
    with (
        ResultsDatabase(f"sqlite:///{tmp_path / place}") as database,
        pytest.raises(ResultsUnavailable, match=rf"RESULTS_URL.*{reason}"),
    ):
        current_rows(database, ["a"])


def test_a_url_that_is_none_is_a_clear_mistake_that_does_not_repeat_it() -> None:
    with pytest.raises(InputError, match="DS_ASSETS_RESULTS_URL is not") as caught:
        ResultsDatabase("mysql+pymysql://u:s3cret@host:port/x")
    assert "s3cret" not in str(caught.value)


def test_mysql_tables_keep_ids_apart_and_tell_what_columns_mean() -> None:
    dialect = sa.dialects.mysql.dialect()
    statement = str(
        sa.schema.CreateTable(METADATA.tables["player_prediction_loads"]).compile(dialect=dialect)
    )
    assert "user_id VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin" in statement
    assert "COMMENT 'The user.'" in statement
    assert "PRIMARY KEY (as_of, load_id, user_id)" in statement
