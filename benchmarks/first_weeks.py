"""How good early predictions were: `python -m benchmarks.first_weeks HOME DAY...`.

HOME is that of an installation whose first weeks have been run, as by `ds-assets run`, with logs of
a horizon after each day. For each day and target: AUC and log loss of what was delivered, the AUC
of recency alone, and the total of probabilities and of spend over what came.
"""

import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.validation import Judge, area
from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets.core.models.evaluation.metrics import log_losses
from ds_assets.core.targets import BUILT_IN, Target
from ds_assets.game import load_game
from ds_assets.infra.lake.folder import FolderLake

HEAD = "| target, day | users | AUC | recency | log loss | total over what came | of spend |"


def main(arguments: Sequence[str]) -> None:
    """Print a table."""
    home, *days = arguments
    outcomes = Judge(FolderLake(Path(home) / "lake"), load_game(Path(home) / "game.yaml"))
    print(HEAD, "|---" * HEAD.count("| "), sep="\n", end="|\n")
    for target in BUILT_IN:
        for day in map(dt.date.fromisoformat, days):
            print("|", " | ".join(cells_of(target, day, outcomes)), "|")


def cells_of(target: Target, day: dt.date, outcomes: Judge) -> Iterator[str]:
    """One line of the table."""
    labels, predicted = outcomes.labels(target.name, day), outcomes.probabilities(target.name, day)
    rule = recency_scores(target, outcomes.features(day))
    yield f"{target.name}, {day}"
    yield f"{len(labels):,}"
    yield f"{area(labels, predicted):.3f}"
    yield f"{area(labels, np.maximum(rule, -1e9)):.3f}"
    yield f"{np.mean(log_losses(labels, predicted)):.3f}"
    yield f"{predicted.sum() / labels.sum():.3f}"
    if target.amount_column is None:
        yield ""
    else:
        expected = outcomes.predictions(day)[target.amount_column].sum()
        yield f"{expected / outcomes.spend(target.name, day).sum():.3f}"


if __name__ == "__main__":
    main(sys.argv[1:])
