import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.card.markdown import describe_pictures, format_card
from ds_assets.core.models.card.model_card import ModelCard, Segment
from ds_assets.core.models.card.pictures import draw_model
from ds_assets.core.models.evaluation.drift import Distribution
from ds_assets.core.models.evaluation.metrics import Measure
from ds_assets.core.models.learning.early_model import EarlyCard, EarlyCheck
from ds_assets.core.models.learning.spend import compare_spend
from ds_assets_tests.core.factories import make_target
from ds_assets_tests.core.models.card_factories import (
    DAY,
    make_card,
    make_full_card,
    make_group_card,
    make_lacking_card,
    make_measures,
)

DRIFT = {"spend_7d": 0.412, "events_7d": 0.05, "a": 0.04, "b": 0.03, "c": 0.02}


def tables(text: str) -> list[list[list[str]]]:
    """Cells of each Markdown table."""
    tables_of_text: list[list[list[str]]] = []
    for block in text.split("\n\n"):
        lines = block.split("\n")
        if lines[0].startswith("|"):
            assert all(line.startswith("|") and line.endswith("|") for line in lines), block
            tables_of_text.append([line.split("|")[1:-1] for line in lines])
    return tables_of_text


def assert_well_formed(text: str) -> None:
    for head, line, *rows in tables(text):
        assert line == ["---"] * len(head)
        assert rows
        for row in rows:
            assert len(row) == len(head)
    for word in ("None", "nan", "inf", "Measure("):
        assert word not in text


def shown(measure: Measure) -> str:
    return f"{measure.value:.3f} ({measure.low:.3f} to {measure.high:.3f})"


def words(card: ModelCard, drift: Mapping[str, float]) -> str:
    drifts = {card.as_of: dict(drift)} if drift else {}
    return format_card(make_target(card.target), card.model_copy(update={"drifts": drifts}))


CARDS = {
    "plain": make_card(),
    "full": make_full_card(),
    "lacking": make_lacking_card(),
    "nothing": make_lacking_card(enough_on=None, snapshots=(), rows=0, base_rate=None),
    "few new users": make_full_card().model_copy(
        update={"first_week": Segment(snapshot=DAY, users=3, positives=1, measures=None)}
    ),
    "no drift": make_full_card(),
}


@pytest.mark.parametrize("name", CARDS)
def test_words_are_well_formed_markdown_of_known_things_alone(name: str) -> None:
    text = words(CARDS[name], {} if name in {"lacking", "nothing", "no drift"} else DRIFT)
    assert_well_formed(text)
    assert "\n\n\n" not in text


def test_when_users_leave_is_told_with_its_check() -> None:
    text = words(make_full_card(), {})
    assert "678 of 2,345 users of snapshots left" in text
    assert "| 7 days | 14 days | 28 days | 56 days |" in text
    assert "| 63.0% | 58.0% | 51.0% | 42.0% |" in text
    assert "65.1% and 63.9% after 7 days" in text
    assert "Concordance 0.791, of recency alone 0.664." in text
    assert "When:" not in words(make_card(), {})


def test_every_number_of_the_card_is_there() -> None:
    card = make_full_card()
    text = words(card, DRIFT)
    for fold in card.folds:
        assert f"{fold.users:,} users of {fold.snapshot} ({fold.base_rate:.1%} positive)" in text
        for measures in fold.contenders.values():
            for name, measure in measures:
                assert measure is None or name == "bias" or shown(measure) in text
    assert f"{card.rows:,} rows of {len(card.snapshots)} snapshots" in text
    assert "30.0% of them positive" in text
    assert "1 were missing" in text
    assert "the latest 4 snapshots, better than all beyond noise" in text
    assert (
        "Calibrated: the mean follows the latest snapshots (slope 0.900, intercept +0.200" in text
    )
    assert "The challenger is delivered: new" in text
    assert card.decision is not None
    assert card.decision.difference is not None
    assert shown(card.decision.difference) in text
    assert "first week: 87, AUC 0.620" in text
    for part in ("731 rows", "1,234.50", "4.56", "4.700 (4.450 to 4.950)", "77%"):
        assert part in text
    for group in card.groups:
        assert f"| {group.group} | {group.users:,} | {group.positives:,} | {group.model} |" in text
        assert group.reason in text


def test_contenders_are_named_in_words_and_a_rule_has_empty_cells() -> None:
    table = tables(words(make_full_card(), {}))[0]
    rows = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in table[2:]}
    assert set(rows) == {
        "**this model**",
        "one model for all users",
        "the champion",
        "logistic regression",
        "recency alone",
    }
    heads = [cell.strip() for cell in table[0][1:]]
    empty = {head for head, cell in zip(heads, rows["recency alone"], strict=True) if not cell}
    assert empty == {"log loss", "Brier", "ECE", "predicted / observed"}
    assert all(rows["**this model**"])


def test_a_champion_that_stayed_is_shown_beside_its_challenger() -> None:
    card = make_full_card()
    folds = (card.folds[0].model_copy(
        update={"contenders": {"delivered": card.folds[0].measures,
                               "challenger": card.folds[0].measures}}),)  # fmt: skip
    text = words(card.model_copy(update={"folds": folds}), {})
    assert "| the challenger |" in text


def test_what_drifted_most_is_named() -> None:
    text = words(make_card(), DRIFT)
    assert "spend_7d 0.41, events_7d 0.05, a 0.04, b 0.03, c 0.02." in text
    assert "Drift" not in words(make_card(), {})


def test_a_card_without_a_model_says_what_is_missing_and_when() -> None:
    text = words(make_lacking_card(), {})
    assert "There is no trained model: not enough data: 41 users who left, 50 are needed" in text
    assert "expected on 2024-06-05." in text
    assert "trained on what was known" not in text
    assert tables(text) == []


def test_a_card_says_what_is_predicted_of_whom_and_when_it_was_trained() -> None:
    kept = make_card(trained=DAY - dt.timedelta(days=3))
    assert words(kept, {}).startswith(
        "**churn**: chance of no activity in the 14 days after 2024-05-01, for every active user."
        "\n\n"
        "Version `0123456789ab`, trained on what was known at the end of 2024-04-28: 2,100 rows"
    )
    assert "chance of a purchase" in words(make_full_card(), {})


def with_group(name: str, **facts: Any) -> ModelCard:
    groups = (make_group_card(name, **facts),)
    return make_full_card().model_copy(update={"groups": groups, "survival": None})


@given(st.text(max_size=20))
def test_no_name_of_a_group_breaks_the_table(name: str) -> None:
    text = words(with_group(f"country={name}"), {})
    table = tables(text)[-1]
    assert len(table) == 3
    assert {len(cells) for cells in table} == {7}


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("a|b", "country=a&#124;b"),
        ("a\nb", "country=a b"),
        ("a\u2028b", "country=a b"),
        ("<b>", "country=&lt;b&gt;"),
        ("a\\", "country=a\\"),
    ],
)
def test_weird_names_of_groups_stay_in_their_cell(name: str, cell: str) -> None:
    assert tables(words(with_group(f"country={name}"), {}))[-1][2][0] == f" {cell} "


def test_features_whose_window_is_still_filling_are_named() -> None:
    card = make_full_card()
    names = card.encoding.names
    compared = {name: Distribution(edges=(), shares=(1.0, 0.0)) for name in names[2:]}
    text = words(card.model_copy(update={"distributions": compared}), DRIFT)
    assert f"Window still filling, so without drift: {names[0]}, {names[1]}. " in text
    assert "still filling" not in words(card, DRIFT)


def test_the_heavy_tail_and_the_measures_of_spend_are_shown() -> None:
    text = words(make_full_card(), {})
    assert (
        "Beyond 3.25 times the expected amount, payers' spend has a Pareto tail of index 2.50"
        in (text)
    )
    assert (
        "77% of it from the tenth of users with the highest expectation (best possible: 90%)"
        in (text)
    )
    assert "normalised Gini 0.660 (" in text
    assert "the 80 % intervals that are not 0 alone contained 0.810 (" in text


def test_total_spend_is_shown_beside_the_predicted_one_where_it_was_compared() -> None:
    card = make_full_card()
    assert "Observed over predicted total" not in words(card, DRIFT)
    assert card.spend is not None
    comparison = compare_spend(np.full(100, 2.0), np.arange(100) / 25, seed=0)
    spend = card.spend.model_copy(update={"comparison": comparison})
    text = words(card.model_copy(update={"spend": spend}), DRIFT)
    assert "Observed over predicted total: 0.990 (" in text
    assert "), as predicted." in text


def test_a_card_with_an_early_model_says_what_predicts_and_how_good_it_was() -> None:
    check = EarlyCheck(
        horizon=6,
        users=1_234,
        positives=56,
        contenders={"early": make_measures(0.71), "recency": make_measures(0.65)},
    )
    early = EarlyCard(
        version="early-0123456789ab",
        users=1_300,
        window=28,
        activity=(1.4, 1.2, 0.4, 20.0),
        payers=77,
        purchases=(0.3, 3.0),
        amounts=(6.25, 3.74, 15.44),
        check=check,
    )
    text = format_card(make_target("payment"), make_lacking_card(early=early))
    assert "Until then an early model predicts, `early-0123456789ab`" in text
    assert "fitted to 1,300 users who were active in 28 days" in text
    assert "(alpha, beta, gamma, delta: 1.4, 1.2, 0.4, 20)" in text
    assert "purchase is beta (0.3, 3). 77 of them have bought." in text
    assert "gamma-gamma (p, q, gamma: 6.25, 3.74, 15.4)" in text
    assert "fitted 6 open days earlier, compared with what 1,234 users did in the 6 days" in text
    assert "| buy-till-you-die model | 0.71" in text
    without = format_card(
        make_target("churn"),
        make_lacking_card(
            early=early.model_copy(update={"purchases": None, "amounts": None, "check": None})
        ),
    )
    assert "gamma-gamma" not in without
    assert "have bought" not in without
    assert "earlier, compared" not in without


def test_every_picture_has_a_line_of_words_with_numbers_of_the_card() -> None:
    target, card = make_target("payment"), make_full_card()
    lines = describe_pictures(target, card)
    assert set(lines) == set(draw_model(target, card))
    assert (
        "The 10% of the users with the highest chance hold 29% of all users who paid"
        in (lines["gains"])
    )
    assert "by recency alone 20%, at best 33%." in lines["gains"]
    assert "330 of 1,100 users of 2024-04-17 are users who paid." in lines["scores"]
    assert "spend_7d 0.41" in lines["drift_over_days"]
