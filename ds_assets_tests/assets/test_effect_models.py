"""Effects are learnt once a week, from users whose horizon was over, and only then decide."""

import datetime as dt
from pathlib import Path

import pytest

from ds_assets.core.lineage import EFFECT_MODELS, effect_kind, lineage_of
from ds_assets.infra.lake.models import card_name
from ds_assets.infra.lake.provenance import Records
from ds_assets_tests.assets.assignments import with_promotion
from ds_assets_tests.assets.effects import ASSIGNED, VALUE, need_few_users, train, with_effects
from ds_assets_tests.assets.factories import LAST, Installation, change_game, day, finished

pytestmark = pytest.mark.slow

BEFORE = LAST - dt.timedelta(days=7)


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return finished().copy(tmp_path)


def test_an_effect_that_differs_between_users_is_learnt_and_chooses_them(
    copy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_few_users(monkeypatch)
    card = train(with_effects(copy), LAST)[LAST]["bundle"]
    assert card.state == "ready", card.reasons
    assert (card.cost, card.worth) == (VALUE["cost"], VALUE["worth"])
    assert (card.days, card.validated_on) == (ASSIGNED, ASSIGNED[1:])
    assert card.validation is not None
    assert card.validation.wanted.line.differs
    assert card.uses_policy, card.validation.decision


def test_models_are_trained_once_a_week_for_all_days_of_it(copy: Installation) -> None:
    promoted = with_effects(copy)
    days = [LAST - dt.timedelta(days=number) for number in range(3)]
    cards = train(promoted, *days)
    assert {of: it["bundle"].as_of for of, it in cards.items()} == {
        days[0]: LAST,
        days[1]: BEFORE,
        days[2]: BEFORE,
    }
    written = promoted.lake.local(card_name(effect_kind("bundle"), LAST)).stat().st_mtime_ns
    train(promoted, LAST)
    assert promoted.lake.local(card_name(effect_kind("bundle"), LAST)).stat().st_mtime_ns == written
    assert set(Records(lineage_of(promoted.game), promoted.lake).usable_days(EFFECT_MODELS)) == {
        BEFORE,
        LAST,
    }


def test_a_day_knows_only_users_whose_horizon_was_over_by_its_end(copy: Installation) -> None:
    promoted = with_effects(copy)
    assert train(promoted, day(27))[day(27)]["bundle"].days == ASSIGNED[:1]
    assert train(promoted, LAST)[LAST]["bundle"].days == ASSIGNED


def test_without_assignments_the_card_says_what_is_missing(copy: Installation) -> None:
    card = train(with_promotion(copy), LAST)[LAST]["bundle"]
    assert card.reasons == ("matured assignments of 0 days, where 2 are needed",)
    assert card.encoding.features == ()
    assert not card.uses_policy


def test_a_promotion_whose_arms_come_from_outside_has_no_effect_models(copy: Installation) -> None:
    rule = {"assigned_by": "arms.csv"}
    change_game(copy, {"promotions": {"bundle": rule}})
    assert train(Installation(copy.home), LAST) == {LAST: {}}
