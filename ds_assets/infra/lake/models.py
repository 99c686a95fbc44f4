"""Models in the lake: an ONNX file and a JSON card for each day.

Scope: where they are stored, and how.
"""

import datetime as dt
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from types import MappingProxyType

from ds_assets.core.cards import AnyCard, Card, ModelFiles, card_text, read_card, sha256_of
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.feature_catalog import find_cumulative_features
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.lineage import EFFECT_MODELS, EFFECTS, LONGEST_PAUSE
from ds_assets.core.models.card.model_card import (
    CHOICE_PREFIX,
    MODEL,
    VALIDATION_PREFIX,
    ModelCard,
)
from ds_assets.core.models.evaluation.drift import stability
from ds_assets.core.models.inference.batch import (
    DayFiles,
    DayModels,
    load_models,
    with_clusters,
)
from ds_assets.core.models.inference.onnx_model import Model, load_model
from ds_assets.core.stored_documents import DamagedDayError, DamagedDocumentError
from ds_assets.core.targets import BUILT_IN
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake, day_folder
from ds_assets.infra.lake.tables import count_rows, read_sample

Warn = Callable[[str], None]
"""Receives a sentence about what cannot be read, and is done without."""
CLUSTERS = "clusters"
"""Name of the cluster models, beside those of targets."""
BUILT_IN_NAMES = tuple(target.name for target in BUILT_IN)
CARD = "card.json"
MAX_DRIFT_ROWS = 50_000
"""Users beyond which chance moves a stability index by less than a thousandth."""
_NEXT_CLUSTER_ID = f"models/{CLUSTERS}/next_id"
NO_PARTS: Mapping[str, bytes] = MappingProxyType({})


def store_model(
    kind: str,
    day: dt.date,
    card: Card,
    onnx: bytes | None,
    lake: Lake,
    parts: Mapping[str, bytes] = NO_PARTS,
) -> None:
    """Store the card of a day, and its model where there is one; other files of the day go."""
    models = parts if onnx is None else {MODEL: onnx, **parts}
    files = {_name(kind, day, name): content for name, content in models.items()}
    # Last: the card is what says that the model is there.
    files[card_name(kind, day)] = card_text(card).encode()
    with lake.writing({name: name for name in files}) as staged:
        for name, content in files.items():
            staged[name].write_bytes(content)
    stored = {item.name for item in lake.objects(day_folder(f"models/{kind}", day))}
    lake.delete(sorted(stored - set(files)))


def stored_card(kind: str, day: dt.date, card_kind: type[AnyCard], lake: Lake) -> AnyCard | None:
    """The card of a day; None for a day without one.

    Raises:
        NewerFormatError: it is of a newer release.
        DamagedDayError: it is damaged.
    """
    name = card_name(kind, day)
    try:
        return read_card(card_kind, lake.read(name), name)
    except FileNotFoundError:
        return None
    except DamagedDocumentError as error:
        raise DamagedDayError(str(error), _asset_of(kind), day) from None


def readable_card(
    kind: str, day: dt.date, card_kind: type[AnyCard], lake: Lake, warn: Warn
) -> AnyCard | None:
    """The card of a day; None for a day without one, or with one that cannot be read."""
    try:
        return stored_card(kind, day, card_kind, lake)
    except InputError as error:
        warn(str(error))
        return None


def cards_before(
    kind: str,
    day: dt.date,
    card_kind: type[AnyCard],
    refused: Container[dt.date],
    lake: Lake,
    warn: Warn,
) -> Iterator[AnyCard]:
    """Cards of the days before, the latest first, as far back as `LONGEST_PAUSE`.

    Those of refused days, and those that cannot be read, are left out.
    """
    days = [day - dt.timedelta(days=back) for back in range(1, LONGEST_PAUSE + 1)]
    return _usable_cards(kind, days, card_kind, refused, lake, warn)


def clusters_after(
    day: dt.date, refused: Container[dt.date], lake: Lake, warn: Warn
) -> ClusterCard | None:
    """The card of the first later day with clusters, within `LONGEST_PAUSE`; see `cards_before`."""
    days = [day + dt.timedelta(days=ahead) for ahead in range(1, LONGEST_PAUSE + 1)]
    cards = _usable_cards(CLUSTERS, days, ClusterCard, refused, lake, warn)
    return next((card for card in cards if card.state == "ready"), None)


def _usable_cards(
    kind: str,
    days: Iterable[dt.date],
    card_kind: type[AnyCard],
    refused: Container[dt.date],
    lake: Lake,
    warn: Warn,
) -> Iterator[AnyCard]:
    for day in days:
        card = None if day in refused else readable_card(kind, day, card_kind, lake, warn)
        if card is not None:
            yield card


def next_cluster_id(recorded: Container[dt.date], lake: Lake, warn: Warn) -> int:
    """A number above all ids of clusters that were ever assigned in a lake.

    Args:
        recorded: Days whose clusters have a record. The card of any other day may be that of a run
            that was killed before it stored the number.
        lake: The lake.
        warn: Receives a sentence about each card that cannot be read.
    """
    next_id, is_whole = _read_next_cluster_id(lake)
    recorded = recorded if is_whole else ()
    days = [day for day in lake.days(f"models/{CLUSTERS}") if day not in recorded]
    cards = (readable_card(CLUSTERS, day, ClusterCard, lake, warn) for day in days)
    return max([next_id, *(card.next_id for card in cards if card is not None)])


def store_next_cluster_id(next_id: int, lake: Lake) -> None:
    """Record that ids below a number are assigned, whatever happens to the cards."""
    lake.write(_NEXT_CLUSTER_ID, f"{next_id}\n".encode())


def _read_next_cluster_id(lake: Lake) -> tuple[int, bool]:
    """The stored number, or 1; and whether it is whole: a number that is cut off lacks its end."""
    try:
        content = lake.read(_NEXT_CLUSTER_ID)
        return int(content), content.endswith(b"\n")
    except (FileNotFoundError, ValueError):  # none yet, those of version 0.1.0, or a damaged file
        return 1, False


def stored_model(kind: str, card: AnyCard, lake: Lake) -> Model[AnyCard] | None:
    """The model that a card describes; None where there was not enough data for one.

    Raises:
        DamagedDayError: the model's file is missing, or is not the card's.
    """
    onnx = _content(kind, card, MODEL, lake) if card.state == "ready" else None
    return None if onnx is None else load_model(onnx, card)


def day_model(
    kind: str, day: dt.date, card_kind: type[AnyCard], lake: Lake
) -> Model[AnyCard] | None:
    """The model of a day; None for a day without a card, or without enough data for a model."""
    card = stored_card(kind, day, card_kind, lake)
    return None if card is None else stored_model(kind, card, lake)


def drift_of(card: ModelCard, day: dt.date, lake: Lake, game: Game) -> dict[str, float]:
    """Stability index of a day's features against a model's training rows, largest first.

    Without features that the age of accounts alone moves; of at most about `MAX_DRIFT_ROWS` users.
    """
    table = user_features_table(game)
    share = MAX_DRIFT_ROWS / max(1, count_rows(table.name, day, lake))
    features = read_sample(table, day, lake, share).to_pandas()
    clustered = with_clusters(features, day_model(CLUSTERS, day, ClusterCard, lake))
    cumulative = find_cumulative_features(game)
    compared = {name: it for name, it in card.distributions.items() if name not in cumulative}
    return stability(compared, clustered, card.encoding)


def model_tags(
    day: dt.date, lake: Lake, targets: Iterable[str] = BUILT_IN_NAMES
) -> dict[str, str] | None:
    """Name and tag of every file of a day's models, which change when a model does.

    None for a day of which the card of a built-in target is missing, or that of the clusters. A
    game may have a target that it did not have on the day.
    """
    kinds = (CLUSTERS, *targets)
    objects = (item for kind in kinds for item in lake.objects(day_folder(f"models/{kind}", day)))
    tags = {item.name: item.tag for item in objects}
    required = (CLUSTERS, *BUILT_IN_NAMES)
    return tags if all(card_name(kind, day) in tags for kind in required) else None


def day_models(day: dt.date, lake: Lake, targets: Iterable[str] = BUILT_IN_NAMES) -> DayModels:
    """The models of a day, of the built-in targets or of those that are named."""
    return load_models(day_files(day, lake, targets))


def day_files(day: dt.date, lake: Lake, targets: Iterable[str] = BUILT_IN_NAMES) -> DayFiles:
    """The files of a day's models that predict, without the validation models.

    Args:
        day: The day.
        lake: Where they lie.
        targets: Names of the targets that are predicted.

    Raises:
        DamagedDayError: a card is damaged, or a file is missing or is not the card's.
    """

    def files(kind: str, card_kind: type[Card]) -> ModelFiles | None:
        card = stored_card(kind, day, card_kind, lake)
        return (
            None if card is None else stored_files(kind, card, lake, with_validation_models=False)
        )

    return DayFiles(
        day,
        clusters=files(CLUSTERS, ClusterCard),
        targets=tuple(
            (name, target_files)
            for name in targets
            if (target_files := files(name, ModelCard)) is not None
        ),
    )


def stored_files(kind: str, card: Card, lake: Lake, *, with_validation_models: bool) -> ModelFiles:
    """The files of a card's model.

    Raises:
        DamagedDayError: one is missing, or is not the card's.
    """
    if card.state != "ready":
        return ModelFiles(card_text(card), None)
    names = list(card.parts) if isinstance(card, ModelCard) else []
    earlier = (VALIDATION_PREFIX, CHOICE_PREFIX)
    wanted = [name for name in names if with_validation_models or not name.startswith(earlier)]
    return ModelFiles(
        card_text(card),
        _content(kind, card, MODEL, lake),
        tuple((name, _content(kind, card, name, lake)) for name in wanted),
    )


def _content(kind: str, card: Card, file: str, lake: Lake) -> bytes:
    """A file of a model, after checking that it is the one that the card describes.

    It is checked here, as models are loaded where the users are, such as on Spark's workers.
    """
    parts = card.parts if isinstance(card, ModelCard) else {}
    return read_model_file(kind, card.as_of, file, parts.get(file, card.onnx_sha256), lake)


def read_model_file(kind: str, day: dt.date, file: str, sha256: str | None, lake: Lake) -> bytes:
    """A file of a day's model.

    Raises:
        DamagedDayError: it is missing, or does not have the checksum that its card names.
    """
    name, asset = _name(kind, day, file), _asset_of(kind)
    try:
        content = lake.read(name)
    except FileNotFoundError:
        what = f"{name} is missing in the lake {lake}, and its card says it is there"
        raise DamagedDayError(what, asset, day) from None
    if sha256_of([content]) != sha256:
        what = f"{name} is damaged or another model's: its SHA-256 is not the card's"
        raise DamagedDayError(what, asset, day)
    return content


def _asset_of(kind: str) -> str:
    """Name of the asset that stores a kind of model."""
    if kind.startswith(EFFECTS):
        return EFFECT_MODELS
    return kind if kind == CLUSTERS else f"{kind}_model"


def card_name(kind: str, day: dt.date) -> str:
    """Name of the card of a day's model."""
    return _name(kind, day, CARD)


def _name(kind: str, day: dt.date, file: str) -> str:
    return f"{day_folder(f'models/{kind}', day)}/{file}"
