import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.encoding import fit_encoding
from ds_assets.core.evaluation import Measure, Measures
from ds_assets.core.model_card import (
    Evaluation,
    ModelCard,
    card_text,
    check_card,
    library_versions,
    read_card,
    sha256_of,
    version_of,
)
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import make_features

DAY = dt.date(2024, 5, 1)


def make_evaluation(value: float = 0.75) -> Evaluation:
    one = Measure(value=value, low=0.1 + 0.2, high=1 / 3)
    names = ("auc", "pr_auc", "log_loss", "brier", "recency_auc")
    return Evaluation(
        snapshot=DAY,
        trained_on=(DAY - dt.timedelta(days=14),),
        rows=100,
        base_rate=0.3,
        measures=Measures(**dict.fromkeys(names, one)),
    )


def make_card(**changes: Any) -> ModelCard:
    facts: dict[str, Any] = {
        "target": "churn",
        "state": "ready",
        "reasons": (),
        "version": "0123456789ab",
        "as_of": DAY,
        "horizon": 14,
        "encoding": fit_encoding([make_features(20)]),
        "snapshots": (DAY,),
        "missing_snapshots": (DAY - dt.timedelta(days=7),),
        "rows": 100,
        "positives": 30,
        "base_rate": 0.3,
        "evaluation": make_evaluation(),
        "libraries": library_versions(),
        "seed": 0,
        "hyper_parameters": {"learning_rate": 0.05, "max_iter": 120, "early_stopping": False},
        "data_fingerprint": "f" * 64,
        "onnx_sha256": "a" * 64,
    }
    return ModelCard(**facts | changes)


@given(st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_a_card_survives_json_exactly(value: float, reason: str) -> None:
    card = make_card(evaluation=make_evaluation(value), base_rate=value, reasons=(reason,))
    again = read_card(ModelCard, card_text(card), "card.json")
    assert again == card
    assert card_text(again) == card_text(card)


def test_hyper_parameters_keep_their_types_in_json() -> None:
    again = read_card(ModelCard, card_text(make_card()), "card.json").hyper_parameters
    assert {name: type(value) for name, value in again.items()} == {
        "learning_rate": float,
        "max_iter": int,
        "early_stopping": bool,
    }


@pytest.mark.parametrize("text", ["", "{", "[]", '{"target": "churn"}', b"\xff\xfe"])
def test_a_damaged_card_is_named(text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"models/churn/card\.json has \d+ mistake"):
        read_card(ModelCard, text, "models/churn/card.json")


def test_every_mistake_in_a_card_is_listed_at_once() -> None:
    text = card_text(make_card()).replace('"churn"', '"chum"').replace('"seed": 0', '"seed": "x"')
    with pytest.raises(InputError, match="2 mistakes") as caught:
        read_card(ModelCard, text, "card.json")
    assert "target" in str(caught.value)
    assert "seed" in str(caught.value)


def test_features_that_fit_a_card_pass() -> None:
    check_card(make_card(), make_features(5))


def test_every_feature_that_does_not_fit_a_card_is_listed_at_once() -> None:
    offered = make_features(5).drop(columns=["events_7d", "last_country"]).assign(tenure_days="old")
    with pytest.raises(InputError, match="model 0123456789ab do not fit in 3") as caught:
        check_card(make_card(), offered)
    for name in ("events_7d", "last_country", "tenure_days"):
        assert name in str(caught.value)


def test_a_version_says_what_went_in_and_nothing_else() -> None:
    assert version_of(a=1, day=DAY) == version_of(day=DAY, a=1)
    assert version_of(a=1) != version_of(a=2)
    assert version_of(a=1) != version_of(b=1)
    assert len(version_of(a=1)) == 12


def test_a_hash_does_not_depend_on_how_bytes_are_cut() -> None:
    assert sha256_of([b"ab", memoryview(b"c")]) == sha256_of([b"abc"])


def test_libraries_are_named_with_their_versions() -> None:
    assert {"scikit-learn", "skl2onnx", "numpy"} <= set(library_versions())
