"""Answers for unknown users."""

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.group_defaults import (
    AVERAGED_COLUMNS,
    INPUT_COLUMNS,
    MAX_USER_GROUPS,
    compute_group_defaults,
    encode_group_defaults,
)
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.user_targets import TARGETS
from ds_assets_tests.infra.factories import DAYS, row, table, table_with_targets, target

SHARES = st.none() | st.floats(0, 1)
GROUPS = st.none() | st.sampled_from(["DE", "de", "KR"])


def by_group(batch: pa.RecordBatch) -> dict[str | None, dict[str, Any]]:
    rows = batch.to_pylist()
    assert len({row["user_group"] for row in rows}) == len(rows)
    return {row["user_group"]: row for row in rows}


def mean(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


@given(users=st.lists(st.tuples(SHARES, GROUPS), min_size=1, max_size=8), data=st.data())
def test_everybody_and_each_group_get_the_means_of_those_who_have_values(
    users: list[tuple[float | None, str | None]], data: st.DataObject
) -> None:
    rows = [
        row(f"u{n}", churn_probability=share, user_group=group)
        for n, (share, group) in enumerate(users)
    ]
    input_rows = table(*data.draw(st.permutations(rows))).select(INPUT_COLUMNS)
    batches = input_rows.to_batches(data.draw(st.integers(1, len(rows))))
    defaults = by_group(compute_group_defaults(iter(batches)))
    assert set(defaults) == {None} | {group for _, group in users}
    for group, defaults_of_group in defaults.items():
        inside = [share for share, of in users if group is None or of == group]
        assert defaults_of_group["churn_probability"] == pytest.approx(mean(inside))
        assert (
            defaults_of_group["user_id"],
            defaults_of_group["as_of"],
            defaults_of_group["payment_model"],
        ) == ("", DAYS[0], "some")
        own = {"user_id", "as_of", "user_group", "churn_model", "payment_model", "cluster_model"}
        others = set(PREDICTIONS.names) - own - set(AVERAGED_COLUMNS)
        assert {defaults_of_group[name] for name in others} == {None}


def test_each_group_gets_the_means_of_the_games_own_targets() -> None:
    rows = [
        row("a", user_group="DE", targets=[target("level", probability=0.1)]),
        row(
            "b",
            user_group="DE",
            targets=[
                target("level", probability=0.3),
                target("gift"),
                target("spend_9", expected_spend=3.0),
            ],
        ),
        row(
            "c",
            user_group="KR",
            targets=[
                target("level", probability=None, model=None),
                target("spend_9", expected_spend=5.0),
            ],
        ),
        row("d", user_group=None, targets=[target("level", probability=0.8)]),
        row("e", user_group="US", targets=[]),
    ]
    batches = table_with_targets(*rows).select([*INPUT_COLUMNS, TARGETS]).to_batches(2)
    defaults = by_group(compute_group_defaults(batches))
    mean = dict.fromkeys(target("none")) | {"model": "some"}
    gift, level = mean | {"target": "gift", "probability": 0.25}, mean | {"target": "level"}
    spend = mean | {"target": "spend_9", "probability": 0.25}
    assert {group: defaults_of_group[TARGETS] for group, defaults_of_group in defaults.items()} == {
        None: [gift, level | {"probability": pytest.approx(0.4)}, spend | {"expected_spend": 4.0}],
        "DE": [gift, level | {"probability": pytest.approx(0.2)}, spend | {"expected_spend": 3.0}],
        "KR": [level | {"probability": None, "model": None}, spend | {"expected_spend": 5.0}],
        "US": [],
    }


def test_only_the_largest_groups_get_means_of_their_own_and_others_those_of_all_users() -> None:
    groups = [f"country=c{n:04d}" for n in range(5_000)]
    rows = [row(f"u{n}", user_group=group) for n, group in enumerate([*groups, groups[-1]])]
    averages = compute_group_defaults(table(*rows).to_batches(1_000))
    assert [*by_group(averages)] == [None, groups[-1], *groups[: MAX_USER_GROUPS - 1]]
    defaults = encode_group_defaults(DAYS[0], averages)
    assert defaults.of_group(groups[2_000]) == defaults.of_group("")


def test_the_models_of_a_day_are_listed_by_target_without_those_that_were_not_made() -> None:
    targets = [target("level", model="l1"), target("gift", model=None)]
    rows = [
        row("a", churn_model="c1", payment_model=None, cluster_model="k1", targets=targets),
        row("b", churn_model="c1", payment_model=None, cluster_model="k1", targets=[]),
    ]
    averages = compute_group_defaults([table_with_targets(*rows)])
    models = {"churn": "c1", "cluster": "k1", "level": "l1"}
    assert encode_group_defaults(DAYS[0], averages).models == models
    without = compute_group_defaults([table(*rows)])
    assert encode_group_defaults(DAYS[0], without).models == {"churn": "c1", "cluster": "k1"}
    assert encode_group_defaults(DAYS[0], compute_group_defaults([])).models == {}


def test_without_rows_there_are_no_defaults() -> None:
    defaults = compute_group_defaults([table().select(INPUT_COLUMNS)])
    assert (defaults.num_rows, defaults.schema) == (0, PREDICTIONS.arrow_schema)


def test_what_is_not_a_number_says_nothing_of_others() -> None:
    rows = table(row("a", churn_probability=math.nan), row("b", churn_probability=0.5))
    assert by_group(compute_group_defaults([rows]))[None]["churn_probability"] == 0.5
