"""A prediction as JSON: whatever a row holds, the JSON says the same, and is distinct."""

import datetime as dt
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.prediction_json import (
    COLUMNS,
    NO_PREDICTION,
    OPTIONAL,
    EncodedPrediction,
    decode_members,
    encode_members,
    encode_record,
    encode_rows,
    without_past_offers,
)
from ds_assets.core.tables import PREDICTIONS
from ds_assets_tests.infra.factories import (
    DAYS,
    decode_prediction,
    offer,
    row,
    table,
    table_with_offers,
    table_with_targets,
    target,
)

REASONS = [{"code": "tenure"}]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "json": JSON.map(lambda value: json.dumps(value, ensure_ascii=False)),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(),
    "date": st.dates(),
}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Any row that the contract allows."""
    return {
        column.name: draw(
            st.none() | VALUES[column.type] if column.nullable else VALUES[column.type]
        )
        for column in PREDICTIONS.columns
    }


def says(given_row: dict[str, Any]) -> dict[str, Any]:
    """What the JSON of a row must say: a real that JSON cannot hold is missing."""
    expected = {column.name: given_row[column.name] for column in COLUMNS}
    for column in COLUMNS:
        value = expected[column.name]
        if column.type == "real" and value is not None and not math.isfinite(value):
            expected[column.name] = None
        if column.type == "date" and value is not None:
            expected[column.name] = value.isoformat()
        if column.type == "json" and value is not None:
            expected[column.name] = json.loads(value)
    return {
        name: value for name, value in expected.items() if value is not None or name not in OPTIONAL
    }


def members_of(given_row: dict[str, Any]) -> list[str]:
    """Names of the members of a row's JSON, in its order."""
    expected = says(given_row)
    return [column.name for column in COLUMNS if column.name in expected]


@given(many=st.lists(rows(), max_size=4))
def test_the_json_of_a_row_says_what_the_row_says_in_the_order_of_the_columns(
    many: list[dict[str, Any]],
) -> None:
    records = [
        json.loads(b"{" + member)
        for batch in table(*many).to_batches()
        for member in encode_members(batch)
    ]
    assert records == [says(row_of_table) for row_of_table in many]
    assert list(map(list, records)) == list(map(members_of, many))


@given(plain_row=rows())
def test_a_single_row_of_plain_values_says_the_same(plain_row: dict[str, Any]) -> None:
    record = json.loads(b"{" + encode_record(plain_row).members)
    assert record == says(plain_row)
    assert list(record) == members_of(plain_row)


@given(plain_row=rows())
def test_the_day_the_last_activity_and_whether_there_is_a_probability_are_known_without_parsing(
    plain_row: dict[str, Any],
) -> None:
    (encoded,) = encode_rows(table(plain_row).to_batches()[0])
    expected = says(plain_row)
    probabilities = (expected["churn_probability"], expected["payment_probability"])
    assert encoded.has_probability is (probabilities != (None, None))
    assert encoded.as_of == plain_row["as_of"].toordinal()
    assert encoded.last_seen == (
        plain_row["last_seen"].toordinal() if plain_row["last_seen"] else 0
    )
    alone = encode_record(plain_row)
    assert facts(alone) == facts(encoded)


def facts(prediction: EncodedPrediction) -> tuple[int, int, bool, bool]:
    return (
        prediction.as_of,
        prediction.last_seen,
        prediction.has_probability,
        prediction.is_early,
    )


@pytest.mark.parametrize("models", [("early-1", "early-2"), ("early-1", "2"), ("1", None)])
def test_a_row_is_early_if_no_probability_is_of_a_trained_model(
    models: tuple[str, str | None],
) -> None:
    own = row("a", churn_model=models[0], payment_model=models[1])
    (encoded,) = encode_rows(table(own).to_batches()[0])
    assert encoded.is_early is encode_record(own).is_early is (models[1] == "early-2")


@given(plain_row=rows())
def test_members_are_decoded_to_the_values_of_the_columns(plain_row: dict[str, Any]) -> None:
    dates = {name: plain_row[name] for name in ("as_of", "last_seen")}
    expected = dict.fromkeys(OPTIONAL) | says(plain_row) | dates
    assert decode_members(encode_record(plain_row).members) == expected


def test_the_interval_of_an_early_probability_is_left_out_where_there_is_none() -> None:
    trained = row("a") | dict.fromkeys(OPTIONAL)
    early = trained | {"churn_probability_low": 0.25, "churn_probability_high": 0.75}
    for given_row in (trained, early):
        (members,) = encode_members(table(given_row).to_batches()[0])
        assert members == encode_record(given_row).members
    assert not set(OPTIONAL) & set(members_of(trained))
    assert set(members_of(early)) - set(members_of(trained)) == {
        "churn_probability_low",
        "churn_probability_high",
    }


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_real_comes_back_to_its_last_bit(number: float) -> None:
    (members,) = encode_members(table(row("a", expected_spend=number)).to_batches()[0])
    assert json.loads(b"{" + members)["expected_spend"] == number


def test_a_part_of_a_batch_is_told_as_itself() -> None:
    whole = table(*(row(f"u{n}", cluster=n, cluster_name=f"c{n}") for n in range(5)))
    (batch,) = whole.to_batches()
    assert encode_rows(batch.slice(3, 2)) == encode_rows(batch)[3:]
    assert encode_rows(batch.slice(0, 0)) == []


def test_targets_are_the_last_member_by_name_and_each_says_what_its_row_says() -> None:
    few = target('q"1', probability=None, missing="few days")
    spend = {"expected_spend": 5.5, "expected_spend_low": 0.0, "expected_spend_high": 9.25}
    row_with_targets = row("a", targets=[few, target("spend_30", **spend)])
    record = json.loads(b"{" + encode_record(row_with_targets).members)
    assert list(record) == [*members_of(row_with_targets), "targets"]
    assert record["targets"] == {
        'q"1': {"probability": None, "reasons": REASONS, "missing": "few days", "model": "some"}
        | dict.fromkeys(spend),
        "spend_30": {"probability": 0.25, "reasons": REASONS, "missing": None, "model": "some"}
        | spend,
    }
    assert decode_members(encode_record(row_with_targets).members)["targets"] == record["targets"]


TARGETS = st.lists(
    st.builds(
        target,
        TEXTS,
        probability=st.none() | st.floats(allow_nan=False),
        reasons=st.none() | VALUES["json"],
        missing=st.none() | TEXTS,
        expected_spend=st.none() | st.floats(allow_nan=False),
    ),
    max_size=3,
    unique_by=lambda target_row: target_row["target"],
)


@given(targets=st.lists(st.none() | TARGETS, min_size=1, max_size=4), data=st.data())
def test_targets_in_a_table_are_those_of_single_rows(
    targets: list[list[dict[str, Any]] | None], data: st.DataObject
) -> None:
    rows = [row(f"u{n}", targets=own) for n, own in enumerate(targets)]
    first = data.draw(st.integers(0, len(rows)))
    (batch,) = table_with_targets(*rows).to_batches()
    records = [json.loads(b"{" + member) for member in encode_members(batch.slice(first))]
    assert records == [
        json.loads(b"{" + encode_record(row_of_table).members) for row_of_table in rows[first:]
    ]


def test_without_targets_the_json_is_what_it_is_in_a_game_that_has_none() -> None:
    plain = [row("a"), row("b"), row("c")]
    rows = [plain[0], plain[1] | {"targets": None}, plain[2] | {"targets": []}]
    (batch,), (same,) = table_with_targets(*rows).to_batches(), table(*plain).to_batches()
    assert encode_rows(batch) == encode_rows(same)
    assert list(map(encode_record, rows)) == list(map(encode_record, plain))


OFFERS = st.lists(st.builds(offer, TEXTS, TEXTS, st.sampled_from(DAYS)), max_size=3)


@given(offers=st.lists(st.none() | OFFERS, min_size=1, max_size=4), data=st.data())
def test_offers_in_a_table_are_those_of_single_rows_and_are_known_without_parsing(
    offers: list[list[dict[str, Any]] | None], data: st.DataObject
) -> None:
    rows = [row(f"u{n}", promotions=own) for n, own in enumerate(offers)]
    first = data.draw(st.integers(0, len(rows)))
    (batch,) = table_with_offers(*rows).to_batches()
    encoded = encode_rows(batch.slice(first))
    records = [json.loads(b"{" + prediction.members) for prediction in encoded]
    alone = list(map(encode_record, rows[first:]))
    assert records == [json.loads(b"{" + prediction.members) for prediction in alone]
    assert [it.has_offers for it in encoded] == [it.has_offers for it in alone]
    assert [it.has_offers for it in encoded] == [bool(own) for own in offers[first:]]


def test_without_an_offer_the_json_is_what_it_is_in_a_game_without_promotions() -> None:
    plain = [row("a"), row("b"), row("c")]
    rows = [plain[0], plain[1] | {"promotions": None}, plain[2] | {"promotions": []}]
    (batch,), (same,) = table_with_offers(*rows).to_batches(), table(*plain).to_batches()
    assert encode_rows(batch) == encode_rows(same)
    assert list(map(encode_record, rows)) == list(map(encode_record, plain))


def test_offers_are_the_last_member_and_their_dates_are_dates() -> None:
    own = row("a", targets=[target("promotions")], promotions=[offer(), offer("other")])
    members = encode_record(own).members
    assert list(json.loads(b"{" + members)) == [*members_of(own), "targets", "promotions"]
    assert decode_members(members)["promotions"] == own["promotions"]


@given(
    days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=4),
    today=st.sampled_from(DAYS),
    name=TEXTS | st.just(',"promotions":['),
    targets=st.sampled_from([[], [target("promotions"), target("z")]]),
)
def test_offers_that_are_over_are_left_out_and_all_else_stays(
    days: list[dt.date], today: dt.date, name: str, targets: list[dict[str, Any]]
) -> None:
    offers = [offer(name, until=day) for day in days]
    stored = row("a", targets=targets, promotions=offers)
    served = without_past_offers(encode_record(stored).members, str(today))
    current = [it for it in offers if it["until"] >= today]
    assert served == encode_record(stored | {"promotions": current}).members


def test_of_an_unknown_user_every_column_is_null() -> None:
    assert decode_prediction(NO_PREDICTION) == dict.fromkeys(PREDICTIONS.names[1:])
