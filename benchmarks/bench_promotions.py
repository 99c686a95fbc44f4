"""Whether the measurement of promotions can be trusted: games with no effect, and with one.

Every figure comes from the functions that the asset `promotion_results` calls, day by day.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.measuring import Circumstances, say
from benchmarks.promotion_games import (
    Players,
    Promotion,
    draw_days,
    simulate_players,
    without_covariates,
)
from benchmarks.report import Goal, Row, absolute
from ds_assets.core.promotions.assignment import CONTROL, TREATED
from ds_assets.core.promotions.effects import (
    RATIO_ALPHA,
    Effect,
    Moments,
    compare,
    moments_of,
    sample_ratio_p_value,
)
from ds_assets.core.promotions.moments import add
from ds_assets.core.promotions.waves import Day, Wave, follow

GAMES = 1_000
KEEPS, RAISES = 0.1, 0.2
AT_RISK = 0.4
CLEAN_ARMS = 20_000
OUTCOMES = ("churn", "spend")
COOKIE_CATS = {"old": 44_700, "new": 45_489}
"""Players of the public test of a gate, of which each arm should have half."""
RETAINED = {"seven-day": (8_502, 8_279), "one-day": (20_034, 20_119)}
"""Retained players in both arms."""
_ERRORS = 1.96


@dataclass(frozen=True)
class Shown:
    """What a producer saw of a game who looked every day.

    Attributes:
        results: The first result of each outcome; none where the sample never came together.
        alarms: Outcomes of which some day showed a finding.
        naive_alarm: Whether comparing the arms on each day would have shown one of churn.
        day: Day of the first result, from 1; none if there was none.
        misfit: Whether the sizes of the arms raised an alarm.
    """

    results: dict[str, Effect]
    alarms: set[str]
    naive_alarm: bool
    day: int | None
    misfit: bool


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    del circumstances
    say("  simulating players")
    players = simulate_players()
    return [
        *_rows_without_effect(players),
        *_rows_with_effect(players),
        *_rows_of_covariates(players),
        *_rows_of_ratios(),
        *_rows_of_cookie_cats(),
        *_rows_of_traps(players),
    ]


def _rows_without_effect(players: Players) -> Iterator[Row]:
    games = list(_play(players, Promotion(), seed=1))
    about = f"{GAMES:,} games without an effect, looked at daily"
    for outcome in OUTCOMES:
        alarms = float(np.mean([outcome in game.alarms for game in games]))
        yield from _between(f"{about}: false alarms of {outcome}", alarms, 0.03, 0.07)
    naive = float(np.mean([game.naive_alarm for game in games]))
    yield absolute(f"{about}: comparing the arms every day instead", [naive], "share")
    days = [game.day for game in games if game.day is not None]
    yield absolute(f"{about}: games with a result", [len(days) / GAMES], "share")
    yield absolute(f"{about}: day of the result", [float(np.median(days))], "day")
    quiet = float(np.mean([not game.misfit for game in games]))
    yield absolute(f"{about}: sample ratio silent", [quiet], "share")


def _rows_with_effect(players: Players) -> Iterator[Row]:
    games = list(_play(players, Promotion(keeps=KEEPS, raises=RAISES), seed=2))
    truth = {
        "churn": -KEEPS * float(players.churned.mean()),
        "spend": RAISES * float(players.spend.mean()),
    }
    for outcome, effect in truth.items():
        results = [game.results[outcome] for game in games if outcome in game.results]
        covered = float(np.mean([it.low <= effect <= it.high for it in results]))
        about = f"{GAMES:,} games with an effect of {effect:+.3f} on {outcome}"
        yield from _between(f"{about}: intervals that hold it", covered, 0.93, 0.97)
        power = float(np.mean([it.is_finding for it in results]))
        yield absolute(f"{about}: findings", [power], "share")


def _play(players: Players, promotion: Promotion, seed: int) -> Iterator[Shown]:
    for number in range(GAMES):
        if number % 100 == 0:
            say(f"  game {number:,} of {GAMES:,}, keeps {promotion.keeps:g}")
        days = list(draw_days(players, promotion, np.random.default_rng([seed, number])))
        yield _look_daily(days)


def _look_daily(days: Sequence[Day]) -> Shown:
    """What is shown of a game on each of its days."""
    shown = [progress.over for progress in follow(days)]
    waves = list({wave.number: wave for wave in shown if wave is not None}.values())
    effects = [
        {outcome: _compare(wave, outcome) for outcome in OUTCOMES}
        for wave in waves
        if wave.state == "result"
    ]
    return Shown(
        results=effects[0] if effects else {},
        alarms={it for of_wave in effects for it, effect in of_wave.items() if effect.is_finding},
        naive_alarm=_has_naive_alarm(days),
        day=next((n for n, wave in enumerate(shown, 1) if wave is not None), None),
        misfit=any((wave.ratio_p_value() or 1) < RATIO_ALPHA for wave in waves),
    )


def _compare(wave: Wave, outcome: str) -> Effect:
    treated, control = wave.of(outcome, TREATED), wave.of(outcome, CONTROL)
    assert treated is not None  # noqa: S101  (a result has users in both arms)
    assert control is not None  # noqa: S101
    return compare(treated, control)


def _has_naive_alarm(days: Iterable[Day]) -> bool:
    """Whether both arms differ beyond two errors on any day if they are compared on each."""
    total: Wave | None = None
    for day in days:
        cells = day.cells if total is None else add(total.cells, day.cells)
        total = Wave(1, day.date, day.date, day.terms, cells)
        arms = [total.of("churn", arm) for arm in (TREATED, CONTROL)]
        means = [arm.mean("value") for arm in arms if arm is not None]
        error = sum(arm.var("value") / arm.count() for arm in arms if arm is not None) ** 0.5
        if abs(means[0] - means[1]) > _ERRORS * error:
            return True
    return False


def _rows_of_covariates(players: Players) -> Iterator[Row]:
    """How wide intervals are beside those without predictions, of the same games."""
    for about, chosen in (
        ("all players", players),
        (f"players with a risk above {AT_RISK:g}", players.at_risk(AT_RISK)),
    ):
        for outcome in OUTCOMES:
            ratio = float(np.median([*_width_ratios(chosen, outcome)]))
            is_goal = outcome == "churn" and chosen is players
            goal = Goal(comparison="<=", limit=0.8) if is_goal else None
            name = f"interval of {outcome} with predictions, {about}"
            yield absolute(f"{name}: as a share of that without", [ratio], "ratio", goal)
    explained = float(np.corrcoef(players.risk, players.churned)[0, 1])
    yield absolute("correlation of predicted risk and churn, all players", [explained], "r")


def _width_ratios(players: Players, outcome: str) -> Iterator[float]:
    for number in range(30):
        rng = np.random.default_rng([3, number])
        (day,) = draw_days(players, Promotion(players_per_day=20_000, days=1), rng)
        adjusted, plain = (
            _compare(Wave(1, it.date, it.date, it.terms, it.cells), outcome)
            for it in (day, without_covariates(day))
        )
        yield (adjusted.high - adjusted.low) / (plain.high - plain.low)


def _rows_of_ratios() -> Iterator[Row]:
    draws = np.random.default_rng(4).binomial(CLEAN_ARMS, 0.9, 20 * GAMES)
    quiet = [sample_ratio_p_value(int(it), CLEAN_ARMS - int(it), 9) >= RATIO_ALPHA for it in draws]
    about = f"sample ratio, {20 * GAMES:,} clean games"
    goal = Goal(comparison=">=", limit=0.99)
    yield absolute(f"{about}: silent", [float(np.mean(quiet))], "share", goal)
    p_value = sample_ratio_p_value(COOKIE_CATS["new"], COOKIE_CATS["old"], 1)
    goal = Goal(comparison="<", limit=RATIO_ALPHA)
    yield absolute("sample ratio, 44,700 and 45,489 for equal arms: p", [p_value], "p", goal)


def _rows_of_cookie_cats() -> Iterator[Row]:
    for name, (old, new) in RETAINED.items():
        effect = compare(
            _share(COOKIE_CATS["new"], new),
            _share(COOKIE_CATS["old"], old),
        )
        about = f"Cookie Cats, {name} retention"
        ends = {"effect": effect.value, "low end": effect.low, "high end": effect.high}
        for end, value in ends.items():
            yield absolute(f"{about}: {end}", [round(100 * value, 4)], "points")


def _share(users: int, positive: int) -> Moments:
    mean = positive / users
    return moments_of(users, mean, users * mean * (1 - mean) / (users - 1))


def _rows_of_traps(players: Players) -> Iterator[Row]:
    """What wrong comparisons would have said of a promotion that changes nothing, and of risk."""
    viewers = ~players.churned  # an offer is seen by players who come back
    control = float(players.churned.mean())
    difference = 100 * (float(players.churned[viewers].mean()) - control)
    yield absolute("no effect: churn of those who saw it less control", [difference], "points")
    qualified = players.risk > AT_RISK
    others = float(players.churned[~qualified].mean())
    difference = 100 * (float(players.churned[qualified].mean()) - others)
    yield absolute("no effect: churn of treated less those not chosen", [difference], "points")
    effects = players.offer_effect
    riskiest = players.risk >= np.quantile(players.risk, 0.9)
    for about, chosen in (("all players", slice(None)), ("riskiest tenth", riskiest)):
        points = 100 * float(effects[chosen].mean())
        yield absolute(f"a retention offer, {about}: change of churn", [points], "points")
    best = np.sort(effects)[: len(effects) // 10]
    yield absolute(
        "a retention offer, tenth with the best effect: change of churn",
        [100 * float(best.mean())],
        "points",
    )


def _between(name: str, value: float, low: float, high: float) -> Iterator[Row]:
    """A figure with a lower and an upper limit, a row for each."""
    yield absolute(name, [value], "share", Goal(comparison=">=", limit=low))
    yield absolute(f"{name}, upper limit", [value], "share", Goal(comparison="<=", limit=high))
