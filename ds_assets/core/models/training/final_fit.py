"""The delivered model: fitted to all snapshots that it remembers, in the way that was chosen.

Scope: the fit, its files, and what the card says of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ds_assets.core.cards import sha256_of
from ds_assets.core.models.card.model_card import AMOUNTS, GroupCard
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.data.training_rows import complete_windows
from ds_assets.core.models.evaluation.drift import distributions
from ds_assets.core.models.learning.learner import FittedClassifier, GroupClassifier
from ds_assets.core.models.learning.onnx_export import as_onnx, classifier_onnx
from ds_assets.core.models.learning.spend import FittedAmounts, fit_amounts
from ds_assets.core.models.training.group_models import TOO_FEW_USERS, can_fit, fit_group, fit_rows
from ds_assets.core.models.training.plan import (
    EncodedRows,
    Plan,
    TrainedModel,
    encode_rows,
    make_blank_card,
)


@dataclass(frozen=True)
class Recipe:
    """The way in which a model is made.

    Attributes:
        snapshots: Number of the latest snapshots that it is trained on; None for all.
        linear_share: Share of the linear model in the log-odds.
        own_shares: By group with a model of its own, the weight in it of a model of its rows alone.
        slope: Slope of the calibration.
    """

    snapshots: int | None
    linear_share: float
    own_shares: Mapping[str, float]
    slope: float


@dataclass(frozen=True)
class FinalFit:
    """A model of all snapshots that it remembers.

    Attributes:
        kept: These snapshots, with windows as long as on the training day.
        encoded: Their rows.
        whole: The model for all users.
        groups: The models of groups.
        amounts: The model of amounts; None if there are too few.
    """

    kept: Sequence[LabelledSnapshot]
    encoded: EncodedRows
    whole: FittedClassifier
    groups: Mapping[str, GroupClassifier]
    amounts: FittedAmounts | None

    @cached_property
    def onnx(self) -> bytes:
        """The model for all users as ONNX."""
        return classifier_onnx(self.whole)

    def list_groups(self, cards: Iterable[GroupCard]) -> tuple[GroupCard, ...]:
        """Name the file of each group that has a model of its own.

        Args:
            cards: Cards of all groups, of which those with an own model say so.
        """
        return tuple(self._name_file(number, card) for number, card in enumerate(cards, start=1))

    def _name_file(self, number: int, card: GroupCard) -> GroupCard:
        own = self.groups.get(card.group)
        if own is not None:
            facts: dict[str, Any] = {
                "model": "group",
                "file": f"group_{number}.onnx",
                "own_share": own.own_share,
            }
        else:
            is_dropped = card.model == "group"
            reason = TOO_FEW_USERS if is_dropped else card.reason
            facts = {"model": "global", "file": None, "own_share": None, "reason": reason}
        return card.model_copy(update=facts)

    def files(self, groups: Sequence[GroupCard]) -> dict[str, bytes]:
        """Group models and amounts as ONNX, by file."""
        own = {
            card.file: classifier_onnx(self.groups[card.group])
            for card in groups
            if card.file is not None
        }
        return own if self.amounts is None else own | {AMOUNTS: as_onnx(self.amounts.trees.learner)}


def fit_final(recipe: Recipe, plan: Plan) -> FinalFit:
    """Fit the model that is delivered."""
    latest = plan.snapshots if recipe.snapshots is None else plan.snapshots[-recipe.snapshots :]
    kept = [snapshot.scale_windows(plan.as_of) for snapshot in latest]
    encoded = encode_rows(kept)
    rows, limit = encoded.rows, plan.target.max_fit_rows
    whole = fit_rows(rows, recipe.linear_share, plan.seed, limit, recipe.slope)
    groups = {
        group: fit_group(rows.of_group(group), whole, own_share, plan.seed, limit, recipe.slope)
        for group, own_share in recipe.own_shares.items()
        if can_fit(rows, group)
    }
    return FinalFit(kept, encoded, whole, groups, fit_amounts(rows, plan.seed))


def finish(
    plan: Plan,
    fit: FinalFit,
    earlier: Mapping[str, bytes],
    facts: Mapping[str, Any],
    same_way_as: str | None = None,
) -> TrainedModel:
    """A fitted model with its card.

    Args:
        plan: What it is made from.
        fit: The fitted model.
        earlier: Models of earlier days as ONNX, by file.
        facts: What the card says of its choices and of how good it is, with the `groups`.
        same_way_as: Version of the model in whose way it is made; none where choices were made.
    """
    parts = {**fit.files(facts["groups"]), **earlier}
    encoded = fit.encoded
    of_fit = {
        "state": "ready",
        "distributions": distributions(
            encoded.rows.matrix, encoded.encoding, complete_windows(fit.kept)
        ),
        "onnx_sha256": sha256_of([fit.onnx]),
        "parts": {name: sha256_of([parts[name]]) for name in sorted(parts)},
    }
    blank = make_blank_card(plan, fit.kept, encoded, same_way_as)
    return TrainedModel(blank.model_copy(update={**of_fit, **facts}), fit.onnx, parts)
