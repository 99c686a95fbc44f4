import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.core.events import (
    DUPLICATE,
    LEFT_OUT,
    MAX_TYPES,
    count_bad_lines,
    count_lines,
    count_lines_by_type,
    duplicates,
    event_ids,
    events_table,
    find_repeating_days,
    repeated_keys,
)
from ds_assets.infra.engines.duckdb import DuckDBEngine, open_duckdb
from ds_assets_tests.core.factories import make_game

DAY = dt.date(2026, 3, 10)
NEXT_DAY = dt.date(2026, 3, 11)
SCHEMA = (
    "dt date, file bigint, line bigint, reason string, user_id string, user_id_changed boolean, "
    "event_time timestamp_ntz, event_key bigint, attribute_country string, event_type string"
)

Place = tuple[dt.date, int, int]


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return open_duckdb(512, 2)


def a_row(line: int, event_key: int | None, **changes: Any) -> tuple[Any, ...]:
    row = {
        "dt": DAY,
        "file": 0,
        "line": line,
        "reason": None,
        "user_id": "u",
        "user_id_changed": False,
        "event_time": dt.datetime(2026, 3, 10, 12, 0),  # noqa: DTZ001
        "event_key": event_key,
        "attribute_country": None,
        "event_type": "visit",
    }
    return tuple((row | changes).values())


def make_frame(rows: list[tuple[Any, ...]], engine: DuckDBEngine) -> Any:
    return engine.session.createDataFrame(rows, SCHEMA)


def copies(
    frame: Any, engine: DuckDBEngine, days: int = 7, earlier: tuple[tuple[dt.date, int], ...] = ()
) -> Any:
    stored = engine.session.createDataFrame(list(earlier), "dt date, event_key bigint")
    repeated = repeated_keys(frame, stored, engine)
    return duplicates(frame, repeated, stored, days, engine)


def repeats(rows: list[tuple[Any, ...]], engine: DuckDBEngine, **changes: Any) -> set[Place]:
    copies_frame = engine.to_pandas(copies(make_frame(rows, engine), engine, **changes))
    return {(day.date(), file, line) for day, file, line in copies_frame.itertuples(index=False)}


def test_the_table_names_the_games_own_columns() -> None:
    names = events_table(make_game(properties={"minutes": "m"})).names
    assert names[-3:] == ["property_minutes", "attribute_country", "attribute_level"]


def test_of_events_with_one_id_the_earliest_stays(engine: DuckDBEngine) -> None:
    later = dt.datetime(2026, 3, 10, 13, 0)  # noqa: DTZ001
    rows = [a_row(1, 1, event_time=later), a_row(2, 1), a_row(3, 1, event_time=later)]
    assert repeats(rows, engine) == {(DAY, 0, 1), (DAY, 0, 3)}


def test_of_events_at_one_time_the_first_line_stays(engine: DuckDBEngine) -> None:
    rows = [a_row(3, 1), a_row(1, 1, file=1), a_row(2, 1)]
    assert repeats(rows, engine) == {(DAY, 0, 3), (DAY, 1, 1)}


def test_an_id_that_arrives_on_two_days_counts_on_the_first(engine: DuckDBEngine) -> None:
    earlier_time = dt.datetime(2026, 3, 10, 11, 0)  # noqa: DTZ001
    rows = [a_row(1, 1), a_row(2, 1, dt=NEXT_DAY, event_time=earlier_time)]
    assert repeats(rows, engine) == {(NEXT_DAY, 0, 2)}


@pytest.mark.parametrize(("days", "is_duplicate"), [(0, False), (2, False), (3, True), (4, True)])
def test_an_id_is_compared_with_those_of_so_many_days_before(
    days: int, is_duplicate: bool, engine: DuckDBEngine
) -> None:
    before = DAY - dt.timedelta(days=3)
    expected = {(DAY, 0, 1)} if is_duplicate else set()
    rows = [a_row(1, 1), a_row(2, 2)]
    assert repeats(rows, engine, days=days, earlier=((before, 1),)) == expected
    rows.append(a_row(3, 1, dt=before))
    assert repeats(rows, engine, days=days) == expected


def test_an_id_of_a_later_day_makes_no_duplicate(engine: DuckDBEngine) -> None:
    assert repeats([a_row(1, 1)], engine, earlier=((NEXT_DAY, 1),)) == set()


def test_events_without_an_id_are_no_duplicates(engine: DuckDBEngine) -> None:
    assert repeats([a_row(1, None), a_row(2, None)], engine) == set()


def test_the_ids_of_a_day_are_those_of_its_events_duplicates_among_them(
    engine: DuckDBEngine,
) -> None:
    rows = [
        a_row(1, 1),
        a_row(2, 1, reason=DUPLICATE),
        a_row(3, 2, reason="no time"),
        a_row(4, None),
        a_row(5, 3, dt=NEXT_DAY, reason=DUPLICATE),
    ]
    ids = engine.to_pandas(event_ids(make_frame(rows, engine), 7, engine))
    assert set(ids.itertuples(index=False, name=None)) == {
        (pd.Timestamp(DAY), 1, 7),
        (pd.Timestamp(NEXT_DAY), 3, 7),
    }


def test_a_line_that_is_not_valid_is_no_duplicate_and_makes_none(engine: DuckDBEngine) -> None:
    assert repeats([a_row(1, 1, reason="no time"), a_row(2, 1)], engine) == set()


def test_lines_are_counted_by_file_and_reason_and_those_of_changed_user_ids(
    engine: DuckDBEngine,
) -> None:
    rows = [
        a_row(1, 1),
        a_row(2, 2, user_id_changed=True),
        a_row(3, 3, reason="no user id", user_id_changed=None),
        a_row(1, 4, file=1),
    ]
    line_counts = engine.to_pandas(count_lines(make_frame(rows, engine), make_game(), engine))
    counts = line_counts[["file", "reason", "lines", "changed_user_ids"]].fillna(
        {"reason": "valid"}
    )
    assert set(counts.itertuples(index=False, name=None)) == {
        (0, "valid", 2, 1),
        (0, "no user id", 1, 0),
        (1, "valid", 1, 0),
    }


def counts_by_type(
    rows: list[tuple[Any, ...]], engine: DuckDBEngine, **game: Any
) -> list[tuple[str, str, int]]:
    frame = make_frame(rows, engine)
    counts = engine.to_pandas(count_lines_by_type(frame, make_game(**game), engine))
    columns = counts[["event_type", "reason", "lines"]].fillna({"reason": "event"})
    return sorted(columns.itertuples(index=False, name=None))


def test_lines_are_counted_by_type_where_some_of_the_type_are_in_quarantine(
    engine: DuckDBEngine,
) -> None:
    rows = [
        a_row(1, 1),
        a_row(2, 2, event_type="purchase"),
        a_row(3, 3, event_type="purchase", reason="no time"),
        a_row(4, 3, event_type="purchase", reason=DUPLICATE),
        a_row(5, None, event_type="purchase", reason=LEFT_OUT),
        a_row(6, None, event_type=None, reason="not JSON"),
        a_row(7, None, event_type="x" * 101, reason="no time"),
    ]
    assert counts_by_type(rows, engine) == [
        ("purchase", DUPLICATE, 1),
        ("purchase", "event", 1),
        ("purchase", "no time", 1),
    ]


def test_of_very_many_types_those_that_the_game_file_names_are_counted(
    engine: DuckDBEngine,
) -> None:
    types = [name for n in range(100) for name in (f"type{n:02}", f"type{n:02}")]
    rows = [
        a_row(n, None, event_type=name, reason="no time")
        for n, name in enumerate([*types, "purchase"])
    ]
    counts = counts_by_type(rows, engine, events={"purchases": ["purchase"]})
    assert counts[0] == ("purchase", "no time", 1)
    assert len(counts) == MAX_TYPES


def test_texts_that_are_too_long_are_counted_with_the_lines(engine: DuckDBEngine) -> None:
    rows = [a_row(n, n, attribute_country="X" * length) for n, length in enumerate((100, 101, 300))]
    counts = engine.to_pandas(count_lines(make_frame(rows, engine), make_game(), engine))
    assert counts["cut_texts"].to_list() == [2]


def test_invalid_lines_and_damages_are_counted_by_file_and_reason(engine: DuckDBEngine) -> None:
    rows = [
        (DAY, "a", 1, "no time"),
        (DAY, "a", 2, "no time"),
        (DAY, "b", None, "the file is damaged"),
        (NEXT_DAY, "a", 3, "no time"),
    ]
    schema = "dt date, file string, line bigint, reason string"
    bad_lines = engine.session.createDataFrame(rows, schema)
    counts = engine.to_pandas(count_bad_lines(bad_lines, engine))
    assert set(counts.itertuples(index=False, name=None)) == {
        (pd.Timestamp(DAY), "a", "no time", 2, 0),
        (pd.Timestamp(DAY), "b", "the file is damaged", 1, 1),
        (pd.Timestamp(NEXT_DAY), "a", "no time", 1, 0),
    }


@settings(max_examples=8)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([DAY, NEXT_DAY]),
            st.integers(0, 2),
            st.sampled_from([None, 1, 2, 3]),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_one_event_of_each_id_is_left(
    rows: list[tuple[dt.date, int, int | None, int]], engine: DuckDBEngine
) -> None:
    noon = dt.datetime(2026, 3, 10, 12, 0)  # noqa: DTZ001
    frame = make_frame(
        [
            a_row(n, event_key, dt=day, file=file, event_time=noon + dt.timedelta(hours=hour))
            for n, (day, file, event_key, hour) in enumerate(rows)
        ],
        engine,
    )
    copied = engine.to_pandas(copies(frame, engine))
    keys = [event_key for _, _, event_key, _ in rows]
    assert len(rows) - len(copied) == len(set(keys) - {None}) + keys.count(None)


def test_days_that_repeat_an_event_that_a_day_has_gained_or_lost_are_found(
    engine: DuckDBEngine,
) -> None:
    def keys(*pairs: tuple[dt.date, int]) -> Any:
        return engine.session.createDataFrame(list(pairs), "dt date, event_key bigint")

    after = [DAY + dt.timedelta(days=number) for number in (1, 2, 3, 9)]
    before_and_after = keys((DAY, 1), (DAY, 2)), keys((DAY, 2), (DAY, 3))
    later = keys((after[0], 1), (after[1], 2), (after[2], 3), (after[3], 3), (DAY, 3))
    pairs = engine.to_pandas(find_repeating_days(*before_and_after, later, 7, engine))
    assert {(a.date(), b.date()) for a, b in pairs.itertuples(index=False)} == {
        (DAY, after[0]),
        (DAY, after[2]),
    }
