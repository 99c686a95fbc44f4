"""The newest rows of users, whichever day they are of, and the defaults of the newest day."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from ds_assets.core.group_defaults import compute_group_defaults
from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.core.user_offers import PROMOTIONS
from ds_assets.core.user_targets import TARGETS
from ds_assets.infra.results import latest
from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets_tests.infra.factories import (
    DAYS,
    assignment,
    assignments,
    control,
    offer,
    row,
    table,
    table_with_targets,
    target,
)
from ds_assets_tests.infra.results.databases import KINDS, day, execute, fresh_results, kind_of
from ds_assets_tests.serving.factories import queries, statements_of


@pytest.fixture(params=KINDS)
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ResultsDatabase]:
    with fresh_results(request, tmp_path) as url, ResultsDatabase(url) as results:
        yield results


def by_user(rows: list[dict[str, Any]]) -> dict[str, Any]:
    assert len({row["user_id"] for row in rows}) == len(rows)
    return {row["user_id"]: row for row in rows}


def test_each_user_has_the_newest_row_whichever_day_it_is_of(results: ResultsDatabase) -> None:
    results.deliver(DAYS[0], table(row("gone"), row("stays"), row("Stays", cluster=7)), "run")
    results.deliver(DAYS[2], table(row("stays", DAYS[2]), row("new", DAYS[2])), "run")
    results.deliver(DAYS[1], table(row("stays", DAYS[1]), row("gone", DAYS[1])), "run")
    assert by_user(results.latest(["new", "stays", "gone", "nobody", "Stays", "STAYS"])) == {
        "gone": row("gone", DAYS[1]),
        "new": row("new", DAYS[2]),
        "stays": row("stays", DAYS[2]),
        "Stays": row("Stays", DAYS[0], cluster=7),
    }
    assert results.latest([]) == []


def test_a_row_that_a_delivery_replaced_is_not_found(results: ResultsDatabase) -> None:
    results.deliver(DAYS[0], table(row("a"), row("b")), "run")
    results.deliver(DAYS[0], table(row("b", cluster=9)), "again")
    assert by_user(results.latest(["a", "b"])) == {"b": row("b", cluster=9)}


@pytest.mark.parametrize("user", ["ü🎮", "x" * 191, "a ", "'; --", '"\\', "\n\t\x01", "%s :ids ?"])
def test_an_id_may_hold_whatever_an_id_may(results: ResultsDatabase, user: str) -> None:
    results.deliver(DAYS[0], table(row(user), row("a")), "run")
    assert results.latest([user]) == [row(user)]


def test_missing_values_are_missing(results: ResultsDatabase) -> None:
    bare = row("a", last_seen=None, churn_probability=None, cluster=None, cluster_name=None)
    results.deliver(DAYS[0], table(bare), "run")
    assert results.latest(["a"]) == [bare]


def test_a_user_is_looked_for_in_so_many_delivered_days(
    results: ResultsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for as_of in DAYS[1:]:
        results.deliver(as_of, table(row("stays", as_of), row(f"{as_of}", as_of)), "run")
    days = [f"{as_of}" for as_of in DAYS[1:]]
    monkeypatch.setattr(latest, "LOOK_BACK_DAYS", 3)
    assert set(by_user(results.latest(["stays", *days]))) == {"stays", *days[1:]}


def test_a_thousand_users_are_one_query(results: ResultsDatabase) -> None:
    users = [f"u{n}" for n in range(1_000)]
    results.deliver(DAYS[0], table(*map(row, users[:500])), "run")
    statements = statements_of(results)
    assert len(results.latest(users)) == 500
    assert queries(statements) == 1


def url_of(results: ResultsDatabase) -> str:
    return results._url.render_as_string(hide_password=False)


def deliver_with_targets(
    results: ResultsDatabase, as_of: dt.date, predictions: pa.Table, **users: list[str]
) -> None:
    """Deliver a day on which these users have a prediction for the targets of these names."""
    rows = [
        {"user_id": user, "as_of": as_of, **target(name, model=f"{name} {as_of}")}
        for user, names in users.items()
        for name in names
    ]
    targets = pa.Table.from_pylist(rows, schema=TARGET_PREDICTIONS.arrow_schema)
    results.deliver(as_of, predictions, "run", targets)


def test_a_games_own_targets_are_those_of_the_day_of_the_row_by_one_more_query(
    results: ResultsDatabase,
) -> None:
    days = table(row("gone"), row("stays")), table(row("stays", DAYS[1]), row("new", DAYS[1]))
    deliver_with_targets(results, DAYS[0], days[0], gone=["level"], stays=["level", "gift"])
    deliver_with_targets(results, DAYS[1], days[1], stays=["shop", "level"])
    with ResultsDatabase(url_of(results), targets=["gift", "level", "shop"]) as database:
        statements = statements_of(database)
        assert by_user(database.latest(["new", "stays", "gone", "nobody"])) == {
            "gone": row("gone", targets=[target("level", model=f"level {DAYS[0]}")]),
            "new": row("new", DAYS[1], targets=[]),
            "stays": row(
                "stays",
                DAYS[1],
                targets=[target(name, model=f"{name} {DAYS[1]}") for name in ("level", "shop")],
            ),
        }
    assert queries(statements) == 2
    assert TARGETS not in results.latest(["gone"])[0]


def test_a_target_that_the_game_no_longer_has_is_not_looked_up(results: ResultsDatabase) -> None:
    deliver_with_targets(results, DAYS[0], table(row("stays")), stays=["level", "gift"])
    with ResultsDatabase(url_of(results), targets=["level"]) as database:
        (latest_row,) = database.latest(["stays"])
    assert [own["target"] for own in latest_row[TARGETS]] == ["level"]


def test_offers_are_those_of_the_day_of_the_row_by_one_more_query(
    results: ResultsDatabase,
) -> None:
    first = [assignment("gone"), assignment("stays", offer="old"), control("stays", promotion="x")]
    second = [
        assignment("stays", DAYS[1]),
        assignment("stays", DAYS[1], promotion="vip", offer="gems"),
        control("new", DAYS[1]),
        assignment("never predicted", DAYS[1]),
    ]
    no_targets = TARGET_PREDICTIONS.arrow_schema.empty_table()
    days = table(row("gone"), row("stays")), table(row("stays", DAYS[1]), row("new", DAYS[1]))
    results.deliver(DAYS[0], days[0], "run", no_targets, assignments(*first))
    results.deliver(DAYS[1], days[1], "run", no_targets, assignments(*second))
    with ResultsDatabase(url_of(results), promotions=["vip", "bundle"]) as database:
        statements = statements_of(database)
        assert by_user(database.latest(["new", "stays", "gone", "never predicted"])) == {
            "gone": row("gone", promotions=[offer(user_id="gone")]),
            "new": row("new", DAYS[1], promotions=[]),
            "stays": row(
                "stays",
                DAYS[1],
                promotions=[offer("gems", "stays"), offer("bundle", "stays")],
            ),
        }
    assert queries(statements) == 2
    assert PROMOTIONS not in results.latest(["gone"])[0]


def nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """All objects in a plan that is JSON."""
    if isinstance(plan, dict):
        yield plan
        plan = list(plan.values())
    if isinstance(plan, list):
        for child in plan:
            yield from nodes(child)


LOADS = "p"
"""Alias of a table of loads in the views of it."""
EXPLAIN: dict[str, tuple[str, Callable[[Sequence[Any]], list[str]]]] = {
    "sqlite": (
        "EXPLAIN QUERY PLAN",
        lambda rows: [detail for *_, detail in rows if f" {LOADS} " in f"{detail} "],
    ),
    "mysql": (
        "EXPLAIN FORMAT=JSON",
        lambda rows: [
            ", ".join(node.get("used_key_parts", []))
            for node in nodes(json.loads(rows[0][0]))
            if node.get("table_name") == LOADS
        ],
    ),
    "postgresql": (
        "EXPLAIN (FORMAT JSON)",
        lambda rows: [
            node.get("Index Cond", "")
            for node in nodes(rows[0][0])
            if node.get("Relation Name", "").endswith("_loads")
        ],
    ),
}
"""The statement that explains a query, and how to read from it how each access to a table of loads
uses an index."""
STATISTICS: dict[str, list[list[str]]] = {
    "sqlite": [[]],  # it has none unless somebody makes them
    "mysql": [[], ["ANALYZE TABLE deliveries, player_prediction_loads, target_prediction_loads"]],
    "postgresql": [[], ["ANALYZE"]],
}
"""What to run for a planner that knows nothing, and for one that knows the tables."""


def index_uses(results: ResultsDatabase, user_ids: Sequence[str]) -> list[str]:
    """How a look-up uses indexes, for each access to a table of loads."""
    explain, read = EXPLAIN[kind_of(url_of(results))]
    queries: list[tuple[str, Any]] = []
    sa.event.listen(
        results._connected(),
        "before_cursor_execute",
        lambda _connection, _cursor, *query: queries.append(query[:2]),
    )
    results.latest(user_ids)
    with results._transaction() as connection:
        backend_in_use(connection).prepare_lookups(connection)
        return [
            use
            for statement, parameters in list(queries)
            if "user_id" in statement
            for use in read(
                connection.exec_driver_sql(f"{explain} {statement}", parameters).fetchall()
            )
        ]


def test_a_lookup_is_by_the_whole_key_whatever_the_planner_knows(results: ResultsDatabase) -> None:
    results.ensure_schema()
    kind = kind_of(url_of(results))
    if kind == "postgresql":
        for loads in ("player_prediction_loads", "target_prediction_loads"):
            execute(url_of(results), f"ALTER TABLE {loads} SET (autovacuum_enabled = off)")
    for as_of in DAYS[:3]:
        rows = day(as_of, users=2_000)
        targets = {user: ["level", "gift"] for user in rows["user_id"].to_pylist()}
        deliver_with_targets(results, as_of, rows, **targets)
    for statements in STATISTICS[kind]:
        execute(url_of(results), *statements)
        with ResultsDatabase(url_of(results), targets=["gift", "level"]) as database:
            uses = index_uses(database, ["u00003", "u01000", "nobody"])
        assert len(uses) == 3  # for the day, for the row and for its targets
        assert all(name in use for use in uses for name in ("as_of", "load_id", "user_id"))
        assert "target" in uses[-1]
        assert not any("ANY(" in use for use in uses)  # SQLite's for a column that is passed over


def means(batch: pa.RecordBatch) -> dict[str | None, Any]:
    return {row["user_group"]: pytest.approx(row, nan_ok=True) for row in plain(batch)}


def plain(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    return [
        {name: str(value) if name == "as_of" else value for name, value in row.items()}
        for row in batch.to_pylist()
    ]


def test_defaults_are_those_of_the_rows_of_the_newest_day(results: ResultsDatabase) -> None:
    assert results.defaults().num_rows == 0
    results.deliver(DAYS[0], table(row("old", churn_probability=1.0)), "run")
    rows = table(
        row("a", DAYS[1], user_group="DE", churn_probability=0.1),
        row("b", DAYS[1], user_group="de", churn_probability=0.2, payment_probability=None),
        row("c", DAYS[1], user_group="dé", churn_probability=None),
        row("d", DAYS[1], user_group=None, churn_probability=0.7, expected_spend=1 / 3),
        row("e", DAYS[1], user_group="DE", churn_probability=0.3, churn_model=None),
    )
    results.deliver(DAYS[1], rows, "run")
    expected = {row["user_group"]: row for row in plain(compute_group_defaults([rows]))}
    assert set(expected) == {None, "DE", "de", "dé"}
    assert means(results.defaults()) == expected


def test_defaults_are_those_of_the_largest_groups(results: ResultsDatabase) -> None:
    groups = [f"country=c{n:03d}" for n in range(100)]
    rows = table(*(row(f"u{n}", user_group=g) for n, g in enumerate([*groups, groups[-1]])))
    results.deliver(DAYS[0], rows, "run")
    expected = {row["user_group"]: row for row in plain(compute_group_defaults([rows]))}
    assert {None, groups[0], groups[-1]} < set(expected)
    assert means(results.defaults()) == expected


def test_defaults_have_the_means_of_the_games_own_targets(results: ResultsDatabase) -> None:
    users = ("a", "DE", 0.1), ("b", "DE", 0.3), ("c", "de", None), ("d", None, 0.8)
    rows = [
        row(user, user_group=group, targets=[target("level", probability=chance), target("gift")])
        for user, group, chance in users
    ]
    targets = [
        {"user_id": row["user_id"], "as_of": DAYS[0], **own} for row in rows for own in row[TARGETS]
    ]
    stored = pa.Table.from_pylist(targets, schema=TARGET_PREDICTIONS.arrow_schema)
    plain_rows = table(*({**row} for row in rows))
    with ResultsDatabase(url_of(results), targets=["gift", "level"]) as database:
        assert database.defaults().num_rows == 0
        database.deliver(DAYS[0], plain_rows, "run", stored)
        defaults = database.defaults()
    expected = compute_group_defaults([table_with_targets(*rows)])
    assert target_means(defaults) == {
        group: {name: pytest.approx(mean) for name, mean in own.items()}
        for group, own in target_means(expected).items()
    }
    assert set(target_means(defaults)) == {None, "DE", "de"}
    assert results.defaults().schema.names == PREDICTIONS.names


def target_means(batch: pa.RecordBatch) -> dict[str | None, dict[str, float | None]]:
    return {
        row["user_group"]: {own["target"]: own["probability"] for own in row[TARGETS]}
        for row in batch.to_pylist()
    }
