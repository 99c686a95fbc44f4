"""What a card says of a day, and of a validation snapshot, does not depend on what came later.

The graph of a small game is run once. Then what arrived after a day is removed, changed and added
to, and the model is trained again.
"""

import datetime as dt
import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ds_assets.assets import target_model
from ds_assets.core.cards import card_text
from ds_assets.core.models.card.model_card import CHOICE_PREFIX, VALIDATION_PREFIX, ModelCard
from ds_assets.core.targets import targets_of
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.tables import table_file
from ds_assets_tests.assets.factories import LAST, START, Installation, day, finished

pytestmark = pytest.mark.slow

AS_OF = day(30)
TARGETS = ("churn", "payment")


def train_again(installation: Installation, target: str, at: dt.date) -> ModelCard:
    game = installation.game
    wanted = targets_of(game)[target]
    return target_model.update(wanted, [at], installation.lake, installation.engine, game)[at]


def model_files(lake: FolderLake, target: str, at: dt.date) -> dict[str, bytes]:
    folder = f"models/{target}/dt={at}"
    return {item.name.rpartition("/")[2]: lake.read(item.name) for item in lake.objects(folder)}


def change_activity(lake: FolderLake, after: dt.date, chance: random.Random) -> None:
    """Remove, change and add activity that arrived after a day, some of it dated long before."""
    for arrived in (as_of for as_of in lake.days("user_activity") if as_of > after):
        name = table_file("user_activity", arrived)
        table = pq.read_table(io.BytesIO(lake.read(name)))
        kept = table.take([n for n in range(table.num_rows) if chance.random() < 0.8])
        late = table.take([n for n in range(table.num_rows) if chance.random() < 0.2])
        place = late.schema.get_field_index("event_date")
        days = (after - START).days + 1
        dated = [START + dt.timedelta(chance.randrange(days)) for _ in range(late.num_rows)]
        late = late.set_column(place, late.schema.field(place), pa.array(dated, pa.date32()))
        # a user has one row per event date of an arrival day
        rows = pa.concat_tables([kept, late]).to_pandas().drop_duplicates(["user_id", "event_date"])
        changed = pa.Table.from_pandas(rows, table.schema, preserve_index=False)
        buffer = io.BytesIO()
        pq.write_table(changed, buffer)
        lake.write(name, buffer.getvalue())


def change_features_and_clusters(
    lake: FolderLake, after: dt.date, chance: random.Random, keep: dt.date | None = None
) -> None:
    """Replace features and clusters of days after a day by those of other days, or remove them."""
    days = [as_of for as_of in lake.days("user_features") if as_of > after and as_of != keep]
    for later in days:
        other = day(chance.randrange(10, 14))
        for name in [table_file("user_features", later), table_file("clusters", later)]:
            lake.delete([name])
            if chance.random() < 0.5:
                lake.write(name, lake.read(name.replace(str(later), str(other))))
        lake.delete([item.name for item in lake.objects(f"models/clusters/dt={later}")])


def give_other_clusters(lake: FolderLake, at: dt.date, source: dt.date) -> None:
    """Let a day have the cluster model of another one."""
    for item in lake.objects(f"models/clusters/dt={source}"):
        content = lake.read(item.name)
        lake.write(
            item.name.replace(f"dt={source}", f"dt={at}"),
            content.replace(f'"as_of": "{source}"'.encode(), f'"as_of": "{at}"'.encode()),
        )


def forget_models(lake: FolderLake, target: str, before: dt.date) -> None:
    """Remove the models of the days before a day, so that it makes its choices itself."""
    for earlier in lake.days(f"models/{target}"):
        if earlier < before:
            lake.delete([item.name for item in lake.objects(f"models/{target}/dt={earlier}")])


@pytest.mark.parametrize("is_continued", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_what_arrives_after_a_day_changes_nothing_in_its_card(
    target: str, is_continued: bool, tmp_path: Path
) -> None:
    installation, chance = finished().copy(tmp_path), random.Random(0)
    lake = installation.lake
    if not is_continued:
        forget_models(lake, target, AS_OF)
    before = train_again(installation, target, AS_OF)
    files = model_files(lake, target, AS_OF)
    assert (before.choices_day != AS_OF) is is_continued
    if not is_continued:
        assert (before.chosen_on is not None) is (target == "payment")  # churn is too young
    assert (before.survival is not None) is (target == "churn")
    change_activity(lake, AS_OF, chance)
    change_features_and_clusters(lake, AS_OF, chance)
    assert card_text(train_again(installation, target, AS_OF)) == card_text(before)
    assert model_files(lake, target, AS_OF) == files


@pytest.mark.parametrize("target", TARGETS)
def test_what_arrives_after_a_day_changes_nothing_in_its_early_model(
    target: str, tmp_path: Path
) -> None:
    installation, early_day = finished().copy(tmp_path), day(10)
    lake = installation.lake
    before = stored_card(target, early_day, ModelCard, lake)
    assert before is not None
    assert before.early is not None
    change_activity(lake, early_day, random.Random(0))
    later = [as_of for as_of in lake.days("user_features") if as_of > early_day]
    lake.delete([table_file("user_features", as_of) for as_of in later])
    assert card_text(train_again(installation, target, early_day)) == card_text(before)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("target", TARGETS)
def test_what_arrives_after_a_validation_day_changes_neither_its_model_nor_a_choice(
    target: str, seed: int, tmp_path: Path
) -> None:
    installation, chance = finished().copy(tmp_path), random.Random(seed)
    lake = installation.lake
    forget_models(lake, target, LAST)  # one of them might be delivered again, both times
    before = train_again(installation, target, LAST)
    files = model_files(lake, target, LAST)
    assert before.twin_trained is not None
    change_activity(lake, before.twin_trained, chance)
    change_features_and_clusters(lake, before.twin_trained, chance, keep=LAST)
    give_other_clusters(lake, LAST, day(12))
    after = train_again(installation, target, LAST)
    assert after.version != before.version
    for name in ("chosen_on", "twin_trained", "memory", "mixture", "decision"):
        assert getattr(after, name) == getattr(before, name), name
    assert [fold.trained_on for fold in after.folds] == [fold.trained_on for fold in before.folds]
    assert after.calibration is not None
    assert before.calibration is not None
    assert after.calibration.gain == before.calibration.gain
    own = [(group.group, group.reason, group.difference) for group in before.groups]
    assert [(group.group, group.reason, group.difference) for group in after.groups] == own
    of_earlier_days = {
        name for name in files if name.startswith((VALIDATION_PREFIX, CHOICE_PREFIX))
    }
    assert f"{VALIDATION_PREFIX}model.onnx" in of_earlier_days
    changed = model_files(lake, target, LAST)
    assert {name: changed[name] for name in of_earlier_days} == {
        name: files[name] for name in of_earlier_days
    }
    assert changed["model.onnx"] != files["model.onnx"]
