"""econml as a peer that learns effects from the same rows, if `.venv/econml` exists.

Scope: handing arrays to its process. It is never imported by the project, whose environment it
would change.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import ROOT
from ds_assets.core.models.arrays import Floats, Matrix
from ds_assets.core.promotions.uplift.trial import Trial

PYTHON = ROOT / ".venv" / "econml" / "bin" / "python"
MAX_ROWS = 50_000
"""Rows that it learns from: forests take minutes for more."""


def is_installed() -> bool:
    """Whether `make bench-uplift ECONML=1` has made its environment."""
    return PYTHON.exists()


def effects_of_peer(trial: Trial, later: Matrix) -> dict[str, Floats]:
    """Effects on later rows by each of its learners, by name.

    Args:
        trial: Rows to learn from.
        later: Encoded features of the rows to predict, shape (rows, features).
    """
    some = np.random.default_rng(0).permutation(len(trial))[:MAX_ROWS]
    program = Path(__file__).parent / "controls" / "econml_effects.py"
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "trial.npz", Path(folder) / "effects.npz"
        arrays = {"matrix": trial.matrix, "treated": trial.treated, "wanted": trial.wanted}
        chosen = {name: array[some] for name, array in arrays.items()}
        np.savez(given, allow_pickle=False, later=later, **chosen)
        subprocess.run([PYTHON, program, given, answer], check=True, stderr=subprocess.DEVNULL)
        with np.load(answer) as effects:
            return {name: effects[name] for name in effects.files}
