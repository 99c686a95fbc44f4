"""A condition means the same on every engine, and says what it cannot be."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.core.promotions.condition_names import StoredValue, find_names
from ds_assets.core.promotions.conditions import (
    ConditionError,
    read_condition,
    read_conditions,
)
from ds_assets.errors import InputError
from ds_assets.game_promotions import Promotion
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.engines.spark import SparkEngine
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.spark import local_session

NAMES: Mapping[str, StoredValue] = {
    "risk": StoredValue("number", "t", "risk"),
    "spend": StoredValue("number", "t", "spend"),
    "cluster": StoredValue("number", "t", "cluster"),
    "country": StoredValue("text", "t", "country"),
    "guild": StoredValue("text", "t", "guild"),
    "last_seen": StoredValue("date", "t", "last_seen"),
}
DDL = (
    "user_id string, risk double, spend double, cluster bigint, country string, guild string, "
    "last_seen date"
)
DAY = dt.date(2026, 3, 1)
ROWS = (
    ("typical", 0.5, 10.0, 3, "KR", "wolves", DAY),
    ("nulls", None, None, None, None, None, None),
    ("nan", math.nan, 0.0, 0, "kr", "WOLVES", DAY),
    ("endless", math.inf, -math.inf, -1, "Kr", 'o\'dd \\ "x" é', dt.date(2026, 2, 28)),
    ("huge", 1e308, 1e308, 2**62, "", "Ä", dt.date(1, 1, 1)),
    ("small", 0.1, 0.2, 1, "OR", "ä", dt.date(2026, 3, 2)),
    ("negative", -0.0, -3.5, -(2**62), "\U0001f43a", "a b", DAY),
)


def who(text: str, engine: LakeEngine | None = None) -> set[str]:
    """The users that meet a condition."""
    (users,) = who_of_each([text], engine or open_duckdb(512, 2))
    return users


def who_of_each(texts: Sequence[str], engine: LakeEngine) -> list[set[str]]:
    conditions = [read_condition(text, NAMES) for text in texts]
    f = engine.functions
    with engine.values(ROWS, DDL) as frame:
        columns = {name: f.col(stored.column) for name, stored in NAMES.items()}
        met = [it.build(f, columns).alias(f"c{n}") for n, it in enumerate(conditions)]
        rows = engine.to_pandas(frame.select("user_id", *met))
    return [{*rows["user_id"][rows[f"c{n}"].astype(bool)]} for n in range(len(texts))]


ALL = {row[0] for row in ROWS}


@pytest.mark.parametrize(
    ("text", "users"),
    [
        ("risk > 0.4 and spend > 1 and country in (KR, JP)", {"typical"}),
        ("country in (KR, 'kr')", {"typical", "nan"}),
        ('country in (OR2, "Kr")', {"endless"}),
        ("lower(country) = 'kr'", {"typical", "nan", "endless"}),
        ("lower(guild) = 'ä'", {"small"}),
        ("country = 'KR'", {"typical"}),
        ("guild = 'o''dd \\ \"x\" é'", {"endless"}),
        ("risk is null", {"nulls", "nan"}),
        ("risk is not null and not risk > 0.2", {"small", "negative"}),
        ("not (risk > 0.2)", {"small", "negative"}),
        ("risk > 0.4 or risk <= 0.4", ALL - {"nulls", "nan"}),
        ("coalesce(risk, 0) = 0", {"nulls", "nan", "negative"}),
        ("country not in (KR, kr)", {"endless", "huge", "small", "negative"}),
        ("risk in (0.1, spend / 20)", {"typical", "small"}),
        ("1 / spend > 0 or spend / 0 > 0", {"typical", "huge", "small"}),
        ("spend / cluster > 3 and spend < 100", {"typical", "endless"}),
        ("7 / 2 = 3.5 and cluster / 2 = 1.5", {"typical"}),
        ("0.1 + 0.2 = 0.3", set()),
        (
            "risk + spend > 0 or risk - spend > 0",
            {"typical", "huge", "small", "negative"} | {"endless"},
        ),
        ("risk * 1e10 > 1e308", {"huge", "endless"}),
        ("cluster + cluster > 0", {"typical", "huge", "small"}),
        ("abs(cluster) >= 2", {"typical", "huge", "negative"}),
        ("-spend > 3", {"negative", "endless"}),
        ("spend between 0 and 10", {"typical", "nan", "small"}),
        ("spend not between 0 and 10", {"endless", "huge", "negative"}),
        ("last_seen >= '2026-03-01'", {"typical", "nan", "small", "negative"}),
        ("last_seen in ('2026-03-02', date '2026-02-28')", {"small", "endless"}),
        ("last_seen between '0001-01-01' and '2026-02-28'", {"endless", "huge"}),
        ("guild < 'b'", {"negative", "nan"}),
        ("true", ALL),
        ("risk == 0.5 and cluster != 2", {"typical"}),
        ("risk > 0.4 -- a remark", {"typical", "huge", "endless"}),
    ],
)
def test_a_condition_is_met_by_the_users_that_it_says(text: str, users: set[str]) -> None:
    assert who(text) == users


def test_a_long_list_and_many_comparisons_are_no_deep_nesting() -> None:
    words = ", ".join(f"c{n}" for n in range(1_500))
    assert who(f"country in ({words}, KR)") == {"typical"}
    assert who(" or ".join(f"cluster = {n}" for n in range(3, 200))) == {"typical"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rsk > 0.4", "rsk at position 1 is not a name; similar names are risk; a text is in quo"),
        (
            "risk > 0.4 and country = KR",
            "KR at position 26 is not a name; the names are cluster, c",
        ),
        ("risk > 'high'", "'high' at position 8 is a text; > needs a number here"),
        ("risk + country > 1", "country at position 8 is a text; + needs a number"),
        ("risk", "risk at position 1 is a number; a condition needs a boolean"),
        ("risk and spend", "risk at position 1 is a number; and needs a boolean"),
        ("1 < risk < 5", "1 < risk at position 1 is a boolean; < needs a number, a text or a date"),
        ("country in (1, KR)", "1 at position 13 is a number; in needs a text here"),
        ("country in ()", "country at position 1 has no list; write one as in country in (KR, JP)"),
        ("country in (select 1)", "has no list"),
        ("country in guild", "has no list"),
        ("risk = null", "is not a value; write x is null, or x is not null"),
        ("risk is true", "is not accepted; only null comes after is"),
        ("last_seen > 'soon'", "'soon' at position 13 is not a date; write one as in '2026-01-31'"),
        ("last_seen > 5", "5 at position 13 is a number; > needs a date here"),
        ("last_seen > country", "country at position 13 is a text; > needs a date here"),
        ("upper(country) = 'KR'", "upper(country"),
        ("sleep(5) > 1", "sleep(5"),
        ("t.risk > 1", "risk at position 1 is not a name"),
        ("risk::int > 1", "is not accepted; a condition has and, or"),
        ("select 1", "is not accepted"),
        ("risk > 1; drop table x", "is not accepted"),
        ("risk > ?", "is not accepted"),
        ("risk > 1e999", "1e999 at position 8 is too large"),
        ("risk > 40%", "it cannot be read at position 10, '%'; a condition has and, or"),
        (
            "country in (KR, OR)",
            "a text that is a word of SQL is in quotes, as in country in ('OR'",
        ),
        ("risk > 1 and", "it cannot be read at position 10, 'and'"),
        ("risk >\n 1 and", "of line 2, 'and'"),
        ("risk > 'x", "it cannot be read"),
        (" ", "it cannot be read"),
        ("-- nothing", "it cannot be read"),
        ("not " * 150 + "risk > 1", "nested more than 100 levels deep"),
        ("(" * 4_000 + "risk > 1" + ")" * 4_000, "nested more than 100 levels deep"),
    ],
)
def test_a_condition_that_cannot_be_used_names_the_place_and_what_is_accepted(
    text: str, message: str
) -> None:
    with pytest.raises(ConditionError) as caught:
        read_condition(text, NAMES)
    assert message in str(caught.value)


def test_names_of_features_are_counted_and_those_of_attributes_listed() -> None:
    names = find_names(make_game())
    with pytest.raises(ConditionError) as caught:
        read_condition("country = KR", names)
    message = str(caught.value)
    assert "churn_probability, " in message
    assert "country, " in message
    assert "spend_28d" not in message
    assert " features (docs/features.md); a text is in quotes, as in 'KR'" in message


def test_a_condition_knows_the_names_that_it_uses() -> None:
    condition = read_condition("risk > 1 and country in (KR, guild)", NAMES)
    assert set(condition.names) == {"risk", "country", "guild"}


def test_the_conditions_of_a_game_are_read_or_all_mistakes_are_named() -> None:
    good, bad = Promotion(who="churn_probability > 0.4"), Promotion(who="joy > 1")
    assert list(read_conditions(make_game(promotions={"a": good}))) == ["a"]
    outside = Promotion(assigned_by="users.csv")
    assert read_conditions(make_game(promotions={"a": outside})) == {}
    with pytest.raises(InputError) as caught:
        read_conditions(make_game(promotions={"a": bad, "b": good, "c": bad}))
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(":")[0] for line in lines] == [
        "  - promotions.a.who",
        "  - promotions.c.who",
    ]


NUMBERS = st.recursive(
    st.sampled_from(["risk", "spend", "cluster", "0", "0.1", "2", "1e308"]),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from("+-*/"), part).map(lambda it: f"({' '.join(it)})"),
        part.map(lambda it: f"abs({it})"),
        part.map(lambda it: f"(-{it})"),
        st.tuples(part, part).map(lambda it: f"coalesce({it[0]}, {it[1]})"),
    ),
    max_leaves=4,
)
TEXTS = st.sampled_from(["country", "guild", "lower(country)", "'KR'", "'kr'", "'Ä'", "''"])
DATES = st.sampled_from(["last_seen", "date '2026-03-01'", "date '0001-01-01'"])
OPERATORS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


def comparisons(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    three = st.tuples(part, part, part)
    return st.one_of(
        st.tuples(part, OPERATORS, part).map(" ".join),
        three.map(lambda it: f"{it[0]} between {it[1]} and {it[2]}"),
        three.map(lambda it: f"{it[0]} not in ({it[1]}, {it[2]})"),
        part.map(lambda it: f"{it} is null"),
    )


CONDITIONS = st.recursive(
    st.one_of(comparisons(NUMBERS), comparisons(TEXTS), comparisons(DATES)),
    lambda part: st.one_of(
        st.tuples(part, part).map(lambda it: f"({it[0]} and {it[1]})"),
        st.tuples(part, part).map(lambda it: f"({it[0]} or {it[1]})"),
        part.map(lambda it: f"not {it}"),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> SparkEngine:
    folder: Path = tmp_path_factory.mktemp("spark")
    return SparkEngine(local_session(folder / "conf"), f"file://{folder}")


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(texts=st.lists(CONDITIONS, min_size=25, max_size=25))
def test_spark_and_duckdb_find_the_same_users(spark: SparkEngine, texts: list[str]) -> None:
    by_spark, by_duckdb = (who_of_each(texts, engine) for engine in (spark, open_duckdb(512, 2)))
    assert dict(zip(texts, by_spark, strict=True)) == dict(zip(texts, by_duckdb, strict=True))


@settings(max_examples=8)
@given(texts=st.lists(CONDITIONS, min_size=15, max_size=15))
def test_a_condition_is_met_or_not_and_never_fails(texts: list[str]) -> None:
    assert all(users <= ALL for users in who_of_each(texts, open_duckdb(512, 2)))
