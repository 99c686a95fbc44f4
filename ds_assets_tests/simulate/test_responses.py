"""Players respond to offers as their hidden types say, and the oracle knows by how much."""

import datetime as dt
from typing import Any, NamedTuple

import numpy as np
import pytest

from ds_assets.simulate import OfferKind, SimulationOptions
from ds_assets.simulate.events import Events, EventType, Flags
from ds_assets.simulate.game_file import ACTIVE_DAYS, HORIZON_DAYS
from ds_assets.simulate.lines import user_ids
from ds_assets.simulate.play import SimulatedGame
from ds_assets.simulate.responses import Offers, ResponseType, offers_in_effect
from ds_assets.simulate.truth import Oracle
from ds_assets.simulate.world import COUNTRIES, World, build_world

START = dt.date(2026, 1, 1)
DAY = 30
"""The day as of whose end users get offers, for the horizon that follows."""


class Played(NamedTuple):
    """A game with offers in one horizon: what happened in it, and the truth before it."""

    events: list[Events]
    churned: Flags
    paid: Flags
    spent: Any
    oracle: Oracle


def build(users: int = 4000, **changes: Any) -> World:
    return build_world(SimulationOptions(users=users, days=42, seed=3, start=START, **changes))


def offers_to(world: World, retention: Flags | bool = False, sale: Flags | bool = False) -> Offers:
    return Offers(*(np.broadcast_to(it, world.users).copy() for it in (retention, sale)))


def play(world: World, offers: Offers | None) -> Played:
    """Play a game whose users have offers from the day after DAY for one horizon."""
    game, oracle = SimulatedGame(world, seed=3), Oracle(world, HORIZON_DAYS, ACTIVE_DAYS)
    days, played = [], np.zeros(world.users, dtype=bool)
    for day in range(DAY + 1):
        players, _ = game.play(day, oracle.next_law())
        oracle.observe(players)
    coming = oracle._coming.copy()
    for ahead, law in enumerate(coming, start=1):
        players, events = game.play(DAY + ahead, law, offers)
        played[players] = True
        days.append(events)
    bought = np.concatenate([it[it["type"] == EventType.PURCHASE] for it in days])
    purchases = np.bincount(bought["user"], minlength=world.users)
    return Played(days, ~played, purchases > 0, purchases * world.mean_price, oracle)


def without_ids(events: Events, users: Flags) -> list[Any]:
    """The events of some users, without the numbers that count all events of a day."""
    rows = events[users[events["user"]]]
    return sorted(rows[[name for name in rows.dtype.names if name != "id"]].tolist())


class TestTypes:
    def test_they_depend_on_what_the_logs_show_and_on_chance(self) -> None:
        world = build(20_000)
        persuadable = world.response == ResponseType.PERSUADABLE
        shares = {
            name: persuadable[world.country == number].mean()
            for number, name in enumerate(COUNTRIES)
        }
        assert min(shares["KR"], shares["JP"]) > max(shares["US"], shares["TH"]) + 0.2
        new, old = world.installed >= 0, world.installed < -90
        assert persuadable[new].mean() > persuadable[old].mean() + 0.1
        sure, payers = world.response == ResponseType.SURE, world.buys > 0.1
        assert sure[payers].mean() > sure[~payers].mean() + 0.3
        likeliest = world.response_shares.max(axis=1)
        assert 0.5 < likeliest.mean() < 0.8
        assert world.response_shares.sum(axis=1) == pytest.approx(1)

    def test_they_are_as_frequent_as_their_probabilities_say(self) -> None:
        world = build(20_000)
        for response in ResponseType:
            expected = world.response_shares[:, response].sum()
            count = np.count_nonzero(world.response == response)
            assert abs(count - expected) < 4 * np.sqrt(expected)


class TestLaw:
    def test_without_offers_it_is_the_same_law(self) -> None:
        world = build()
        law = world.law(DAY)
        assert world.respond(law, None) is law
        changed = world.respond(law, offers_to(world))
        assert all(
            np.array_equal(values, vars(law)[name]) for name, values in vars(changed).items()
        )

    @pytest.mark.parametrize("kind", OfferKind)
    def test_the_sure_and_the_lost_do_not_respond(self, kind: OfferKind) -> None:
        world = build()
        law = world.law(DAY)
        changed = world.respond(law, offers_to(world, **{kind: True}))
        indifferent = np.isin(world.response, [ResponseType.SURE, ResponseType.LOST])
        for name, values in vars(changed).items():
            assert np.array_equal(values[indifferent], vars(law)[name][indifferent])

    def test_a_retention_offer_keeps_persuadable_users_and_a_sale_sells_to_them(self) -> None:
        world = build()
        law = world.law(DAY)
        here = (world.response == ResponseType.PERSUADABLE) & (world.installed < DAY)
        kept = world.respond(law, offers_to(world, retention=True))
        assert (kept.leaves[here] < law.leaves[here]).all()
        assert (kept.plays[here] > law.plays[here]).all()
        assert np.array_equal(kept.buys, law.buys)
        sold = world.respond(law, offers_to(world, sale=True))
        assert (sold.buys[here] > law.buys[here]).all()
        assert np.array_equal(sold.leaves[here], law.leaves[here])

    @pytest.mark.parametrize("kind", OfferKind)
    def test_any_offer_wakes_sleeping_dogs_to_leave(self, kind: OfferKind) -> None:
        world = build()
        law = world.law(DAY)
        dogs = world.response == ResponseType.SLEEPING_DOG
        changed = world.respond(law, offers_to(world, **{kind: True}))
        assert (changed.leaves[dogs] > law.leaves[dogs] + 0.2).all()

    def test_nobody_responds_before_the_install(self) -> None:
        world = build()
        changed = world.respond(world.law(0), offers_to(world, retention=True, sale=True))
        assert not changed.returns[world.installed > 0].any()


class TestPotentialOutcomes:
    @pytest.mark.slow
    def test_users_without_an_offer_have_the_same_events_as_in_a_game_without_offers(self) -> None:
        world = build()
        offered = np.random.default_rng(0).random(world.users) < 0.5
        with_offers = play(world, offers_to(world, retention=offered, sale=offered))
        without = play(world, None)
        for some, none in zip(with_offers.events, without.events, strict=True):
            assert without_ids(some, ~offered) == without_ids(none, ~offered)
        differs = with_offers.churned != without.churned
        assert differs.any()
        assert not differs[~offered].any()

    @pytest.mark.slow
    def test_users_who_do_not_respond_have_the_same_events_with_an_offer(self) -> None:
        world = build()
        all_offered = play(world, offers_to(world, retention=True, sale=True))
        without = play(world, None)
        indifferent = np.isin(world.response, [ResponseType.SURE, ResponseType.LOST])
        for some, none in zip(all_offered.events, without.events, strict=True):
            assert without_ids(some, indifferent) == without_ids(none, indifferent)

    @pytest.mark.slow
    def test_an_offer_harms_no_persuadable_user_and_helps_no_sleeping_dog(self) -> None:
        world = build()
        offered, without = (play(world, it) for it in (offers_to(world, retention=True), None))
        persuadable = world.response == ResponseType.PERSUADABLE
        dogs = world.response == ResponseType.SLEEPING_DOG
        assert (offered.churned <= without.churned)[persuadable].all()
        assert (offered.churned >= without.churned)[dogs].all()

    def test_events_of_a_day_with_offers_have_ids_of_their_own_in_order(self) -> None:
        world = build()
        for events in play(world, offers_to(world, retention=True, sale=True)).events:
            assert (np.diff(events["id"]) == 1).all()
            assert (np.diff(events["ts"]) >= 0).all()

    @pytest.mark.slow
    def test_a_game_whose_offers_are_over_keeps_what_they_have_changed(self) -> None:
        world = build()
        games = [SimulatedGame(world, seed=3) for _ in range(2)]
        active = []
        for day in range(DAY):
            offers = offers_to(world, retention=True) if day < 14 else None
            active = [
                games[0].play(day, world.law(day), offers)[0],
                games[1].play(day, world.law(day))[0],
            ]
        persuadable = world.response == ResponseType.PERSUADABLE
        counts = [np.count_nonzero(persuadable[players]) for players in active]
        assert counts[0] > counts[1] > 0


class TestEffects:
    @pytest.mark.slow
    @pytest.mark.parametrize("kind", OfferKind)
    def test_they_are_what_the_same_game_shows_with_and_without_offers(
        self, kind: OfferKind
    ) -> None:
        world = build(20_000)
        offers = offers_to(world, **{kind: True})
        with_offers, without = play(world, offers), play(world, None)
        effects, users = without.oracle.effects(offers), without.oracle.active_users()
        differences = (
            with_offers.churned.astype(float) - without.churned,
            with_offers.paid.astype(float) - without.paid,
        )
        for effect, difference in zip(effects[:2], differences, strict=True):
            for group in np.array_split(users[np.argsort(effect[users])], 5):
                error = difference[group].std() / np.sqrt(len(group))
                assert difference[group].mean() == pytest.approx(
                    effect[group].mean(), abs=4 * error + 1e-3
                )

    @pytest.mark.slow
    def test_spend_follows_purchases(self) -> None:
        world = build(20_000)
        without = play(world, None)
        users, spend = without.oracle.active_users(), without.oracle.spend()
        few = users[world.buys[users] < 0.1]  # what whales spend varies too much to be compared
        error = without.spent[few].std() / np.sqrt(len(few))
        assert without.spent[few].mean() == pytest.approx(spend[few].mean(), abs=4 * error)

    @pytest.mark.slow
    def test_what_can_be_learnt_is_right_on_average_and_varies_less(self) -> None:
        world = build(20_000)
        oracle, offers = play(world, None).oracle, offers_to(world, retention=True)
        users = oracle.active_users()
        true, learnable = oracle.effects(offers).churn, oracle.expected_effects(offers).churn
        error = true[users].std() / np.sqrt(len(users))
        assert true[users].mean() == pytest.approx(learnable[users].mean(), abs=4 * error)
        assert 0.2 < np.var(learnable[users]) / np.var(true[users]) < 0.8
        helped = users[learnable[users] < -0.05]
        assert true[helped].mean() == pytest.approx(learnable[helped].mean(), abs=0.02)

    def test_there_are_none_without_offers(self) -> None:
        world = build()
        oracle = Oracle(world, HORIZON_DAYS, ACTIVE_DAYS)
        assert not np.any(oracle.effects(offers_to(world)))


class TestOffers:
    IDS = user_ids(5)

    def test_users_are_found_by_their_ids(self) -> None:
        offers = offers_in_effect({OfferKind.SALE: {"u0000003", "u0000000"}}, self.IDS)
        assert offers is not None
        assert offers.sale.tolist() == [True, False, False, True, False]
        assert not offers.retention.any()

    def test_offers_to_nobody_are_none(self) -> None:
        assert offers_in_effect({}, self.IDS) is None
        assert offers_in_effect({OfferKind.SALE: ()}, self.IDS) is None

    def test_an_unknown_user_is_refused(self) -> None:
        message = "offers: found user u9; u0000000 to u0000004 are accepted"
        with pytest.raises(ValueError, match=message):
            offers_in_effect({OfferKind.RETENTION: ["u0000001", "u9"]}, self.IDS)
