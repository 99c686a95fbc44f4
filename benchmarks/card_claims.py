"""What cards claim beside what came: `python -m benchmarks.card_claims FOLDER DAY...`.

FOLDER holds a simulated game, as `ds-assets simulate --out FOLDER` writes it. What an earlier call
left in its `home` is reused, except the models.
"""

import datetime as dt
import sys
from pathlib import Path

import numpy as np

from benchmarks.measuring import run_child, say
from benchmarks.validation import Judge, area
from ds_assets.core.models.evaluation.metrics import log_losses
from ds_assets.core.targets import BUILT_IN
from ds_assets.game import load_game
from ds_assets.infra.lake.folder import FolderLake

SUBJECT = "subjects.predict_days"


def main() -> None:
    """Print a row per target and day: AUC and log loss, claimed and come true; then spend."""
    folder, days = Path(sys.argv[1]), sys.argv[2:]
    run_child(SUBJECT, [folder, folder / "home", *days], folder)
    judge = Judge(FolderLake(folder / "home" / "lake"), load_game(folder / "game.yaml"))
    for target in BUILT_IN:
        for day in map(dt.date.fromisoformat, days):
            say(_describe(judge, target.name, day))
            if target.amount_column:
                expected = judge.predictions(day)[target.amount_column].sum()
                came = judge.spend(target.name, day).sum()
                say(f"{day} {target.amount_column}: came over expected {came / expected:.3f}")


def _describe(judge: Judge, target: str, day: dt.date) -> str:
    card, labels = judge.card(target, day), judge.labels(target, day)
    chances = judge.probabilities(target, day)
    came = f"came {area(labels, chances):.4f}, {np.mean(log_losses(labels, chances)):.4f}"
    if card is None or card.evaluation is None or card.evaluation.measures.log_loss is None:
        return f"{day} {target}: no model"
    claimed = card.evaluation.measures
    loss = card.evaluation.measures.log_loss.value
    return f"{day} {target}: claimed {claimed.auc.value:.4f}, {loss:.4f}; {came}"


if __name__ == "__main__":
    main()
