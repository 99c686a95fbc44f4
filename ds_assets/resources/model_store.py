"""Models in the lake: an ONNX file and a JSON card for each day.

Belongs here: where they lie and how they get there. What they say is `core`'s.
"""

import datetime as dt
from typing import Literal, get_args

from ds_assets.core.clustering import ClusterCard
from ds_assets.core.model_card import AnyCard, Card, ModelCard, card_text, read_card
from ds_assets.core.predicting import DayFiles, DayModels, ModelFile, load_day
from ds_assets.core.scoring import Model, load_model
from ds_assets.errors import InputError
from ds_assets.resources.lake import Lake, day_folder

Kind = Literal["churn", "payment", "clusters"]


def store_model(kind: Kind, day: dt.date, card: Card, onnx: bytes | None, lake: Lake) -> None:
    """Store the card of a day, and its model where there is one."""
    files = {_name(kind, day, "card.json"): card_text(card).encode()}
    if onnx is not None:
        # First: the card is what says that the model is there.
        files = {_name(kind, day, "model.onnx"): onnx} | files
    with lake.writing({name: name for name in files}) as staged:
        for name, content in files.items():
            staged[name].write_bytes(content)
    if onnx is None:
        lake.delete([_name(kind, day, "model.onnx")])


def stored_card(kind: Kind, day: dt.date, card_kind: type[AnyCard], lake: Lake) -> AnyCard | None:
    """The card of a day; None for a day without one.

    Raises:
        InputError: the card is damaged.
    """
    name = _name(kind, day, "card.json")
    try:
        return read_card(card_kind, lake.read(name), name)
    except FileNotFoundError:
        return None


def stored_model(kind: Kind, card: AnyCard, lake: Lake) -> Model[AnyCard] | None:
    """The model that a card describes; None where there was not enough data for one.

    Raises:
        InputError: the model's file is missing, or is not the card's.
    """
    file = _model_file(kind, card, lake)
    return None if file is None else load_model(file.onnx, card)


def day_model(
    kind: Kind, day: dt.date, card_kind: type[AnyCard], lake: Lake
) -> Model[AnyCard] | None:
    """The model of a day; None for a day without a card, or without enough data for a model."""
    card = stored_card(kind, day, card_kind, lake)
    return None if card is None else stored_model(kind, card, lake)


def has_models(day: dt.date, lake: Lake) -> bool:
    """Whether every card of a day is there: its models are complete."""
    return all(lake.exists(_name(kind, day, "card.json")) for kind in get_args(Kind))


def day_models(day: dt.date, lake: Lake) -> DayModels:
    """All models of a day."""
    return load_day(day_files(day, lake))


def day_files(day: dt.date, lake: Lake) -> DayFiles:
    """The files of all models of a day.

    Raises:
        InputError: a model is missing whose card says that it is there.
    """

    def file(kind: Kind, card_kind: type[AnyCard]) -> ModelFile | None:
        card = stored_card(kind, day, card_kind, lake)
        return None if card is None else _model_file(kind, card, lake)

    return DayFiles(
        day,
        clusters=file("clusters", ClusterCard),
        churn=file("churn", ModelCard),
        payment=file("payment", ModelCard),
    )


def _model_file(kind: Kind, card: Card, lake: Lake) -> ModelFile | None:
    if card.state != "ready":
        return None
    name = _name(kind, card.as_of, "model.onnx")
    if not lake.exists(name):
        raise InputError(f"{name} is missing in the lake {lake}, and its card says it is there")
    return ModelFile(card_text(card), lake.read(name))


def _name(kind: Kind, day: dt.date, file: str) -> str:
    return f"{day_folder(f'models/{kind}', day)}/{file}"
