"""Whom to treat: profit, calibration and claims of the uplift models on simulated trials.

The true effect on each player is known. Models learn from one wave of players, the policy is
decided on a later wave, and what it then brings is computed from the truth on a third.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import econml_peer
from benchmarks.controls.other_effects import learners
from benchmarks.measuring import Circumstances, say
from benchmarks.quality_rows import value_row
from benchmarks.report import Goal, Row
from benchmarks.uplift_trials import SHAPES, SimulatedTrial, simulate_trial
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.evaluation.metrics import Measure
from ds_assets.core.promotions.uplift.training import (
    UpliftModel,
    UpliftValidation,
    Value,
    fit_uplift,
    validate_uplift,
)

GAMES = {"four types": 40, "harms the loyal": 20, "same effect": 35, "advertising": 5}
"""Games of each shape, a hundred in all."""
PLAYERS = {"advertising": 200_000}
USUAL_PLAYERS, TRUTH_PLAYERS = 20_000, 40_000
CLAIM_GAMES, CLAIM_PLAYERS = 300, 5_000
"""Small games more with the same effect on all, in which claims are counted alone: of few games, a
rate of one in twenty cannot be distinguished from none."""
COMPARED_PLAYERS = {"advertising": 90_000}
COSTS = {"four types": 0.04, "harms the loyal": 0.02, "same effect": 0.02, "advertising": 0.0015}
"""Cost of a treatment, where a player more with the wanted outcome is worth 1."""
COMPARED_TRIALS = 2
OF_ORACLE = Goal(comparison=">=", limit=0.9)
NEVER_WORSE = Goal(comparison=">=", limit=0.95)
HOLDS_ONE = Goal(comparison=">=", limit=0.9)
FALSE_CLAIMS = Goal(comparison="<=", limit=0.05)


@dataclass(frozen=True)
class GameResult:
    """What came of a game, profits per player as computed from the truth.

    Attributes:
        profit: Of the policy that is used.
        profit_of_all: Of treating all players.
        best: Of treating those on whom the true effect is worth more than it costs.
        slope: Calibration slope on the later wave; None without one.
        true_slope: Slope of true effects over predicted ones; None without one.
        claims: Whether effects are said to differ.
    """

    profit: float
    profit_of_all: float
    best: float
    slope: Measure | None
    true_slope: float | None
    claims: bool


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure all parts, or those that are asked for."""
    rows: list[Row] = []
    for part in circumstances.only or PARTS:
        rows += PARTS[part]()
    return rows


def policy_rows() -> Iterator[Row]:
    """Profit, calibration and claims in a hundred games."""
    results = {name: list(_play(name, games)) for name, games in GAMES.items()}
    yield from _profit_rows(results)
    for name, games in results.items():
        yield from _slope_rows(name, games)
    yield from _claim_rows(results)


def _play(name: str, games: int) -> Iterator[GameResult]:
    for number in range(games):
        if number % 10 == 0:
            say(f"  {name}: game {number + 1} of {games}")
        yield play_game(name, PLAYERS.get(name, USUAL_PLAYERS), number)


def play_game(name: str, players: int, number: int) -> GameResult:
    """Learn from a first wave, decide on a second, and compute profits from the truth."""
    shape, value = SHAPES[name], Value(cost=COSTS[name], worth=1.0, counts_spend=False)
    first, second, third = (
        simulate_trial(shape, count, 10_000 * wave + number)
        for wave, count in enumerate((players, players // 2, TRUTH_PLAYERS))
    )
    model = fit_uplift(first.trial, number)
    if model is None:
        raise ValueError(f"{name}: too few players to learn from")
    validation = validate_uplift(model, first.trial, second.trial, value, number)
    line = model.wanted.line
    return GameResult(
        profit=_profit(model, validation, third, value),
        profit_of_all=float((third.effects - value.cost).mean()),
        best=float(np.maximum(third.effects - value.cost, 0.0).mean()),
        slope=validation.wanted.slope,
        true_slope=_true_slope(model, third) if line.differs else None,
        claims=line.differs,
    )


def _profit(
    model: UpliftModel, validation: UpliftValidation, truth: SimulatedTrial, value: Value
) -> float:
    profits = truth.effects - value.cost
    decision = validation.decision
    if decision is None or decision.used == "all":
        return float(profits.mean())
    return float((profits * (model.profits(truth.trial, value) > 0)).mean())


def _true_slope(model: UpliftModel, truth: SimulatedTrial) -> float:
    return float(np.polyfit(model.wanted.effects(truth.trial), truth.effects, 1)[0])


def _profit_rows(results: Mapping[str, Sequence[GameResult]]) -> Iterator[Row]:
    typed = results["four types"]
    share = sum(game.profit for game in typed) / sum(game.best for game in typed)
    yield value_row(
        f"four types, {len(typed)} games: profit of the policy that is used",
        share,
        "share",
        "the best policy that features allow",
        OF_ORACLE,
    )
    games = [game for played in results.values() for game in played]
    not_worse = np.mean([game.profit >= game.profit_of_all for game in games])
    yield value_row(
        f"all shapes, {len(games)} games: not below treating all players",
        float(not_worse),
        "share of games",
        "treating all players",
        NEVER_WORSE,
    )


def _slope_rows(name: str, games: Sequence[GameResult]) -> Iterator[Row]:
    """How far differences of effects come true, where they differ."""
    slopes = [game.slope for game in games if game.slope is not None]
    if name == "same effect" or not slopes:
        return
    yield value_row(
        f"{name}, {len(slopes)} games: 95 % interval of the calibration slope holds 1",
        float(np.mean([slope.low <= 1 <= slope.high for slope in slopes])),
        "share of games",
        "later players",
        HOLDS_ONE,
    )
    yield value_row(
        f"{name}, {len(slopes)} games: mean half of that interval's length",
        float(np.mean([slope.high - slope.low for slope in slopes])) / 2,
        "slope",
        "later players",
    )
    true = [game.true_slope for game in games if game.true_slope is not None]
    yield value_row(
        f"{name}, {len(true)} games: mean slope of true over predicted effects",
        float(np.mean(true)),
        "slope",
        "the truth",
    )


def _claim_rows(results: Mapping[str, Sequence[GameResult]]) -> Iterator[Row]:
    """How often effects are said to differ, which they do not where the effect is the same."""
    for name, games in results.items():
        claims = [game.claims for game in games]
        if name == "same effect":
            claims += list(_play_claims())
        yield value_row(
            f"{name}, {len(claims)} games: says that effects differ",
            float(np.mean(claims)),
            "share of games",
            "the truth",
            FALSE_CLAIMS if name == "same effect" else None,
        )


def _play_claims() -> Iterator[bool]:
    say(f"  same effect: {CLAIM_GAMES} games of {CLAIM_PLAYERS:,} players")
    for number in range(CLAIM_GAMES):
        trial = simulate_trial(SHAPES["same effect"], CLAIM_PLAYERS, 30_000 + number).trial
        model = fit_uplift(trial, number)
        yield model is not None and model.wanted.line.differs


def learner_rows() -> Iterator[Row]:
    """Area below the true gain of each learner's ranking, as a share of that of the best one."""
    for name in ("four types", "harms the loyal", "advertising"):
        areas: dict[str, list[float]] = {}
        for number in range(COMPARED_TRIALS):
            say(f"  learners: {name}, trial {number + 1} of {COMPARED_TRIALS}")
            for learner, area in _areas(name, 500 + number).items():
                areas.setdefault(learner, []).append(area)
        means = {learner: float(np.mean(of_trials)) for learner, of_trials in areas.items()}
        ours = means.pop("ours")
        yield value_row(f"{name}: true Qini of ours", ours, "share", "the truth")
        for learner, mean in means.items():
            yield value_row(
                f"{name}: true Qini of the {learner}", mean, "share", f"the truth; ours {ours:.3f}"
            )


def _areas(name: str, seed: int) -> Mapping[str, float]:
    first = simulate_trial(SHAPES[name], COMPARED_PLAYERS.get(name, USUAL_PLAYERS), seed)
    later = simulate_trial(SHAPES[name], TRUTH_PLAYERS, 10_000 + seed)
    model = fit_uplift(first.trial, 0)
    if model is None:
        raise ValueError(f"{name}: too few players to learn from")
    rankings = {"ours": model.wanted.differences(later.trial)}
    rankings |= {it: fit(first.trial)(later.trial.matrix) for it, fit in learners().items()}
    if econml_peer.is_installed():
        theirs = econml_peer.effects_of_peer(first.trial, later.trial.matrix)
        rankings |= {f"{it} of econml": effects for it, effects in theirs.items()}
    return {it: true_area(scores, later.effects) for it, scores in rankings.items()}


def true_area(scores: Floats, effects: Floats) -> float:
    """Qini of a ranking by true effects, as a share of that of the ranking by the effects."""

    def area(order: Floats) -> float:
        gained = np.cumsum(effects[np.argsort(-order, kind="stable")])
        return float((gained - gained[-1] * np.arange(1, len(gained) + 1) / len(gained)).mean())

    return area(scores) / area(effects)


PARTS: Mapping[str, Callable[[], Iterator[Row]]] = {
    "policies": policy_rows,
    "learners": learner_rows,
}
