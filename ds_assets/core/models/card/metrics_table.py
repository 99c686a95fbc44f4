"""The measures of a model card as a table, one row per number."""

from collections.abc import Iterable, Iterator

import pandas as pd

from ds_assets.core.models.card.model_card import (
    DELIVERED,
    Evaluation,
    GroupCard,
    ModelCard,
    Segment,
)
from ds_assets.core.models.evaluation.metrics import ALL, Measures
from ds_assets.core.models.evaluation.spend_measures import SpendMeasures
from ds_assets.core.tables import MODEL_METRICS

FIRST_WEEK = "first_week"
SPEND_PREFIX = "spend_"
"""How the names of measures of expected spend begin."""


def metrics_of(cards: Iterable[ModelCard]) -> pd.DataFrame:
    """All measures of cards.

    Returns:
        The columns of `MODEL_METRICS`; no rows for a card without a model.
    """
    rows = [row for card in cards for row in _rows(card)]
    return pd.DataFrame(rows, columns=MODEL_METRICS.names)


def _rows(card: ModelCard) -> Iterator[dict[str, object]]:
    for fold in card.folds:
        for contender, measures in fold.contenders.items():
            yield from _list_measures(card, contender, ALL, fold, measures)
    apart = {group.group: group for group in card.groups}
    for segment, users in {FIRST_WEEK: card.first_week, **apart}.items():
        if users is not None and users.measures is not None:
            yield from _list_measures(card, DELIVERED, segment, users, users.measures)
    yield from _list_spend_measures(card)


def _list_spend_measures(card: ModelCard) -> Iterator[dict[str, object]]:
    """Measures of expected spend, with the users of their snapshot."""
    spend = card.spend
    if spend is None or spend.measures is None:
        return
    for fold in card.folds:
        if fold.snapshot == spend.snapshot:
            yield from _list_measures(card, DELIVERED, ALL, fold, spend.measures, SPEND_PREFIX)


def _list_measures(
    card: ModelCard,
    contender: str,
    segment: str,
    users: Evaluation | Segment | GroupCard,
    measures: Measures | SpendMeasures,
    prefix: str = "",
) -> Iterator[dict[str, object]]:
    for name, measure in measures:
        if measure is not None:
            yield {
                "as_of": card.as_of,
                "target": card.target,
                "contender": contender,
                "segment": segment,
                "snapshot": users.snapshot,
                "measure": f"{prefix}{name}",
                "users": users.users,
                "positives": users.positives,
                **measure.model_dump(),
            }
