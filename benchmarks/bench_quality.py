"""How good the delivered predictions are, on three days of each of several games.

They are compared with the oracle of a simulated game, with other learners on the same rows, or with
a baseline that has features of its own. Each game is run through the graph as in an installation,
and the delivered predictions are compared with the logs of the days after them.
"""

import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from benchmarks.against_baseline import baseline_rows
from benchmarks.controls.other_learners import logistic_regression, rows_of, tuned_lightgbm
from benchmarks.feature_families import family_rows
from benchmarks.measuring import Circumstances, run_child, say
from benchmarks.pausing_game import FIRST_DAY as PAUSING_START
from benchmarks.pausing_game import simulate_pausing_game
from benchmarks.posterior import predict_best
from benchmarks.quality_rows import End, difference_row, value_row
from benchmarks.report import Goal, Row
from benchmarks.sparse_shop import ShopOptions, simulate_shop
from benchmarks.validation import (
    TARGETS,
    Floats,
    Judge,
    area_difference,
    calibration_error,
    share_of_best,
    truth,
)
from benchmarks.when_users_leave import departure_rows
from ds_assets.assets import prediction_outcomes
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.targets import targets_of
from ds_assets.demo.source import GAME_FILE, write_source
from ds_assets.game import load_game
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.simulate import SimulationOptions, simulate

SUBJECT = "subjects.predict_days"

USERS, DAYS = 100_000, 190
START = dt.date(2026, 1, 1)
JUDGED = (165, 173, 182)
"""Days of the simulated game, from 0: eight days before a content update, on its day, after it."""
SHARES = {
    "churn": Goal(comparison=">=", limit=0.98),
    "payment": Goal(comparison=">=", limit=0.97),
}
CALIBRATED = Goal(comparison="<=", limit=0.01)
POSTERIOR_USERS = 4_000
"""Users of each day for whom the best that logs allow is computed, which takes a minute a day."""

LEARNER_DAYS = (dt.date(2017, 10, 10), dt.date(2017, 11, 12), dt.date(2017, 12, 15))
DEMO_DAYS = (dt.date(2017, 7, 31), dt.date(2017, 9, 30), dt.date(2017, 11, 30))
MEAN_ABOVE = Goal(comparison=">=", limit=0.005)
"""Of the mean difference in AUC from the baseline, over targets and days."""
SHOP_BUYERS, SHOP_JUDGED = 24_000, (500, 590, 670)
PAUSING_USERS, PAUSING_DAYS, PAUSING_JUDGED = 20_000, 350, (250, 290, 330)
YOUNG_USERS, YOUNG_DAYS, YOUNG_JUDGED = 20_000, 42, (20, 27, 34)
WHEN_DEMO_DAYS = (dt.date(2017, 7, 31), dt.date(2017, 9, 30))
WHEN_USERS, WHEN_DAYS, WHEN_JUDGED = 40_000, 190, (110, 124)
FAMILY_USERS, FAMILY_DAYS = 40_000, 120
QUICK_FEWER = 4
"""How many times fewer users a quick run simulates."""

GROUP_USERS, GROUP_DAYS, GROUP_JUDGED = 40_000, 90, (74, 79, 82)
GROUPS = "country"

CHANGE_DAY, CHANGE_DAYS = 61, 82
CHANGE_JUDGED = {"before": 53, "the day before": 60, "a week after": 67, "two weeks after": 74}
"""A week apart, so that each day's model challenges the one before."""
YES = Goal(comparison="=", limit=1)
ABOVE_ONE = Goal(comparison=">", limit=1)
MEMORY_MB, THREADS = 2_000, 2
RECOVERED = Goal(comparison=">=", limit=0.9)
"""Of the share of the best that was reached before the change."""


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure all parts, or those that are asked for."""
    fewer = QUICK_FEWER if circumstances.quick else 1
    rows: list[Row] = []
    for part in circumstances.only or PARTS:
        rows += PARTS[part](circumstances.scratch / part, fewer)
    return rows


def simulated_rows(folder: Path, users: int, days: int, judged: Sequence[int]) -> Iterator[Row]:
    """Share of the best, and calibration, on days of the ordinary simulated game."""
    options = SimulationOptions(users=users, days=days, start=START)
    _simulate(folder, options)
    judge = _predict(folder, [START + dt.timedelta(day) for day in judged])
    for target in TARGETS:
        for number in judged:
            day = START + dt.timedelta(number)
            labels, ours = judge.labels(target, day), judge.probabilities(target, day)
            share = share_of_best(labels, ours, truth(folder, target, day))
            about = f"simulated, {target}, {day}"
            goal = SHARES[target]
            yield value_row(f"{about}: share of the best AUC", share, "share", "the truth", goal)
            error = calibration_error(labels, ours)
            yield value_row(
                f"{about}: calibration error", error, "ECE", "what happened", CALIBRATED
            )
    for number in judged:
        yield from _posterior_rows(folder, options, judge, START + dt.timedelta(number))
    shutil.rmtree(folder)


def _posterior_rows(
    folder: Path, options: SimulationOptions, judge: Judge, day: dt.date
) -> Iterator[Row]:
    """The share that is left to a model which knows the game's rules, on some users of a day."""
    users = judge.features(day)["user_id"].tolist()
    some = np.sort(np.random.default_rng(0).permutation(len(users))[:POSTERIOR_USERS])
    say(f"  the best that the logs allow on {day}")
    best = predict_best(options, judge.lake, day, [users[place] for place in some])
    for target, scores in zip(TARGETS, best, strict=True):
        labels, oracle = judge.labels(target, day)[some], truth(folder, target, day)[some]
        ours = judge.probabilities(target, day)[some]
        about = f"simulated, {target}, {day}, {len(some):,} users"
        for name, values in {"the best from logs": scores, "ours": ours}.items():
            share = share_of_best(labels, values, oracle)
            yield value_row(f"{about}: share of the best AUC, {name}", share, "share", "the truth")


def demo_rows(folder: Path, days: Sequence[dt.date]) -> Iterator[Row]:
    """Areas beside those of the strong baseline, on days of the demo."""
    yield from baseline_rows("demo", _predict_demo(folder, days), days, mean_goal=MEAN_ABOVE)


def learner_rows(folder: Path, days: Sequence[dt.date]) -> Iterator[Row]:
    """Areas beside those of other learners on the same features, on days of the demo."""
    judge = _predict_demo(folder, days)
    for target in TARGETS:
        for day in days:
            labels, ours = judge.labels(target, day), judge.probabilities(target, day)
            say(f"  learners for {target} on {day}")
            rows = rows_of(target, day, judge)
            theirs: dict[str, tuple[Floats, End]] = {
                "LightGBM, tuned": (tuned_lightgbm(rows), "high"),
                "logistic regression": (logistic_regression(rows), "value"),
                "recency rule": (
                    recency_scores(targets_of(judge.game)[target], judge.features(day)),
                    "low",
                ),
            }
            for name, (scores, end) in theirs.items():
                difference = area_difference(labels, ours, scores)
                yield difference_row(f"demo, {target}, {day}", difference, name, end)


def changed_rows(folder: Path, users: int) -> Iterator[Row]:
    """How a change of behaviour is seen and survived."""
    change = START + dt.timedelta(CHANGE_DAY)
    _simulate(
        folder, SimulationOptions(users=users, days=CHANGE_DAYS, start=START, changed_from=change)
    )
    days = {words: START + dt.timedelta(number) for words, number in CHANGE_JUDGED.items()}
    judge = _predict(folder, list(days.values()))
    engine = open_duckdb(MEMORY_MB, THREADS)
    outcomes = prediction_outcomes.update(list(days.values()), judge.lake, engine, judge.game)
    yield _drift_row({words: outcomes[day].drift["payment"] for words, day in days.items()})
    yield _warning_row("a calm week", outcomes[days["before"]].rows, Goal(comparison="=", limit=0))
    yield _warning_row("the day before", outcomes[days["the day before"]].rows, YES)
    for target in TARGETS:
        shares = {
            words: share_of_best(
                judge.labels(target, day),
                judge.probabilities(target, day),
                truth(folder, target, day),
            )
            for words, day in days.items()
        }
        yield from _recovery_rows(target, shares)
        yield _replaced_row(target, judge.card(target, days["two weeks after"]))


def _recovery_rows(target: str, shares: Mapping[str, float]) -> Iterator[Row]:
    for words, share in shares.items():
        yield value_row(
            f"changed, {target}, {words}: share of the best AUC", share, "share", "the truth"
        )
    yield value_row(
        f"changed, {target}: recovered in two weeks",
        shares["two weeks after"] / shares["before"],
        "ratio",
        "the share before",
        RECOVERED,
    )


def _drift_row(drifts: Mapping[str, Mapping[str, float]]) -> Row:
    """The largest rise of a feature's drift in the week of the change, and in the week before.

    A feature without a drift on one of the two days is left out.
    """

    def rise(since: str, until: str) -> tuple[float, str]:
        now, then = drifts[until], drifts[since]
        return max((now[feature] - then[feature], feature) for feature in now.keys() & then.keys())

    (usual, calm), (changed, feature) = (
        rise("before", "the day before"),
        rise("the day before", "a week after"),
    )
    return value_row(
        f"changed: largest rise of a drift in the week of the change, {feature}",
        changed / usual,
        "ratio",
        f"{usual:.3f} in the week before, {calm}",
        ABOVE_ONE,
    )


def _warning_row(words: str, rows: pd.DataFrame, goal: Goal) -> Row:
    """Whether the outcome check warns of a day's predictions of anything."""
    verdicts = rows[rows["segment"] == ALL].set_index("target")["verdict"]
    return value_row(
        f"changed: the outcome check warns of predictions of {words}",
        float(verdicts.isin(["outside", "useless"]).any()),
        "1 is yes",
        ", ".join(f"{target} {verdict}" for target, verdict in verdicts.items()),
        goal,
    )


def _replaced_row(target: str, card: ModelCard | None) -> Row:
    decision = None if card is None else card.decision
    return value_row(
        f"changed, {target}: the champion is replaced two weeks after",
        float(decision is not None and decision.kept == "challenger"),
        "1 is yes",
        "no decision" if decision is None else decision.reason,
        YES,
    )


def group_rows(folder: Path, users: int) -> Iterator[Row]:
    """Models for groups against one model for all, where groups differ and where they do not."""
    days = [START + dt.timedelta(number) for number in GROUP_JUDGED]
    for differ in (True, False):
        home = folder / f"differ-{differ}"
        _simulate(
            home,
            SimulationOptions(users=users, days=GROUP_DAYS, start=START, groups_differ=differ),
        )
        delivered = {}
        for groups in ("none", GROUPS):
            _change_game(home, user_groups=groups)
            judge = _predict(home, days)
            delivered[groups] = {
                (target, day): judge.probabilities(target, day)
                for target in TARGETS
                for day in days
            }
        for target, day in delivered["none"]:
            difference = area_difference(
                judge.labels(target, day),
                delivered[GROUPS][target, day],
                delivered["none"][target, day],
            )
            about = f"{'groups differ' if differ else 'groups alike'}, {target}, {day}"
            yield difference_row(about, difference, "one model", "low" if differ else "high")


def shop_rows(folder: Path, options: ShopOptions) -> Iterator[Row]:
    """Areas beside those of the strong baseline and the truth, in a shop of sparse buyers."""
    say(f"  simulating a shop of {options.buyers:,} buyers over {options.days} days")
    days = [options.open_days[number] for number in SHOP_JUDGED]
    simulate_shop(options, folder, days)
    yield from baseline_rows("shop", _predict(folder, days), days, truth_of=folder)


def pausing_rows(folder: Path, users: int) -> Iterator[Row]:
    """The same in a game whose players pause for weeks."""
    say(f"  simulating {users:,} players who pause over {PAUSING_DAYS} days")
    simulate_pausing_game(users, PAUSING_DAYS, folder, PAUSING_JUDGED)
    days = [PAUSING_START + dt.timedelta(number) for number in PAUSING_JUDGED]
    yield from baseline_rows("pauses", _predict(folder, days), days, truth_of=folder)


def young_rows(folder: Path, users: int) -> Iterator[Row]:
    """The same in the first five weeks of the ordinary simulated game."""
    _simulate(folder, SimulationOptions(users=users, days=YOUNG_DAYS, start=START))
    days = [START + dt.timedelta(number) for number in YOUNG_JUDGED]
    yield from baseline_rows("young", _predict(folder, days), days, truth_of=folder)


def when_demo_rows(folder: Path, days: Sequence[dt.date]) -> Iterator[Row]:
    """When users leave, beside a Cox model, on days of the demo."""
    yield from departure_rows("demo", _predict_demo(folder, days), days)


def when_simulated_rows(
    folder: Path, users: int, days: int, judged: Sequence[int]
) -> Iterator[Row]:
    """The same on days of the ordinary simulated game."""
    _simulate(folder, SimulationOptions(users=users, days=days, start=START))
    judged_days = [START + dt.timedelta(number) for number in judged]
    yield from departure_rows("simulated", _predict(folder, judged_days), judged_days)


def family_rows_of_games(folder: Path, fewer: int) -> Iterator[Row]:
    """What each family of features adds, on a day of several games."""
    day = DEMO_DAYS[-1]
    yield from family_rows("demo", _predict_demo(folder / "demo", [day]), day)
    shop = ShopOptions(SHOP_BUYERS // fewer)
    day = shop.open_days[SHOP_JUDGED[-1]]
    say(f"  simulating a shop of {shop.buyers:,} buyers over {shop.days} days")
    simulate_shop(shop, folder / "shop", [day])
    yield from family_rows("shop", _predict(folder / "shop", [day]), day)
    options = SimulationOptions(users=FAMILY_USERS // fewer, days=FAMILY_DAYS, start=START)
    _simulate(folder / "simulated", options)
    day = START + dt.timedelta(FAMILY_DAYS - 1)
    yield from family_rows("simulated", _predict(folder / "simulated", [day]), day)


def _predict_demo(folder: Path, days: Sequence[dt.date]) -> Judge:
    say("  the demo's logs")
    write_source(folder / "source")
    shutil.copy(GAME_FILE, folder / "game.yaml")
    return _predict(folder, days)


def _simulate(folder: Path, options: SimulationOptions) -> None:
    say(f"  simulating {options.users:,} users over {options.days} days")
    simulate(options, folder)


def _change_game(folder: Path, **changes: object) -> None:
    file = folder / "game.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8")) | changes
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def _predict(folder: Path, days: Sequence[dt.date]) -> Judge:
    """Run the graph up to the predictions of some days of the game in a folder."""
    say(f"  predictions of {', '.join(map(str, days))}")
    run_child(SUBJECT, [folder, folder / "home", *map(str, days)], folder)
    return Judge(FolderLake(folder / "home" / "lake"), load_game(folder / "game.yaml"))


PARTS: Mapping[str, Callable[[Path, int], Iterator[Row]]] = {
    "simulated": lambda folder, fewer: simulated_rows(folder, USERS // fewer, DAYS, JUDGED),
    "learners": lambda folder, _: learner_rows(folder, LEARNER_DAYS),
    "changed": lambda folder, fewer: changed_rows(folder, GROUP_USERS // fewer),
    "groups": lambda folder, fewer: group_rows(folder, GROUP_USERS // fewer),
    "demo": lambda folder, _: demo_rows(folder, DEMO_DAYS),
    "shop": lambda folder, fewer: shop_rows(folder, ShopOptions(SHOP_BUYERS // fewer)),
    "pauses": lambda folder, fewer: pausing_rows(folder, PAUSING_USERS // fewer),
    "young": lambda folder, fewer: young_rows(folder, YOUNG_USERS // fewer),
    "when": lambda folder, fewer: chain(
        when_demo_rows(folder / "demo", WHEN_DEMO_DAYS),
        when_simulated_rows(folder / "simulated", WHEN_USERS // fewer, WHEN_DAYS, WHEN_JUDGED),
    ),
    "families": family_rows_of_games,
}
"""What can be measured alone, given a folder and how many times fewer users than in a whole run."""
