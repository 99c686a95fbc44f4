"""The live model over a lake that the graph has made."""

from pathlib import Path

import pyarrow.compute as pc
import pytest

from ds_assets.assets.predictions import read_predictions
from ds_assets.resources.folder_lake import FolderLake
from ds_assets.resources.stored_tables import table_file
from ds_assets.serving.live import LakeModel
from ds_assets.serving.service import LiveUnavailable
from ds_assets_tests.assets.factories import LAST, Installation, day, finished

pytestmark = pytest.mark.slow

BEFORE = day(30)


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return finished().copy(tmp_path)


def test_the_live_model_says_what_the_batch_of_the_newest_day_said() -> None:
    lake = finished().lake
    rows = read_predictions(LAST, lake)
    scored = LakeModel(lake).score(rows["user_id"].to_pylist())
    assert set(scored) == set(rows["user_id"].to_pylist())
    for row in rows.to_pylist():
        found = dict(scored[row["user_id"]])
        for name in ("churn_probability", "payment_probability", "expected_spend"):
            assert found.pop(name) == pytest.approx(row.pop(name), abs=1e-6)
        assert found == row


def test_one_user_gets_the_same_reasons_as_among_all() -> None:
    rows = read_predictions(LAST, finished().lake).to_pylist()
    for row in rows[:3]:
        found = LakeModel(finished().lake).score([row["user_id"]])[row["user_id"]]
        assert found["churn_reasons"] == row["churn_reasons"]
        assert found["payment_reasons"] == row["payment_reasons"]


def test_files_that_only_judge_are_not_read(copy: Installation) -> None:
    user = read_predictions(LAST, copy.lake)["user_id"][0].as_py()
    for kind in ("churn", "payment"):
        copy.lake.delete([f"models/{kind}/dt={LAST}/twin_model.onnx"])
    assert LakeModel(copy.lake).score([user])[user]["as_of"] == LAST


def test_users_without_features_are_left_out() -> None:
    known = read_predictions(LAST, finished().lake)["user_id"][0].as_py()
    assert set(LakeModel(finished().lake).score([known, "nobody"])) == {known}
    assert LakeModel(finished().lake).score(["nobody"]) == {}


def test_a_lake_without_models_cannot_answer(tmp_path: Path) -> None:
    with pytest.raises(LiveUnavailable, match="holds no day with features and models"):
        LakeModel(FolderLake(tmp_path / "nothing")).score(["a"])


@pytest.mark.parametrize(
    "missing",
    [
        f"user_features/dt={LAST}/user_features.parquet",
        f"models/churn/dt={LAST}/card.json",
        f"models/payment/dt={LAST}/card.json",
        f"models/clusters/dt={LAST}/card.json",
    ],
)
def test_a_day_that_is_not_complete_yet_does_not_answer_and_the_day_before_does(
    copy: Installation, missing: str
) -> None:
    user = read_predictions(BEFORE, copy.lake)["user_id"][0].as_py()
    copy.lake.delete([missing])
    assert LakeModel(copy.lake).score([user])[user]["as_of"] == BEFORE


def test_a_day_without_enough_data_answers_with_missing_probabilities(copy: Installation) -> None:
    for folder in (copy.settings.lake / "models" / "payment").iterdir():
        if folder.name != f"dt={day(0)}":
            (folder / "card.json").unlink()
    rows = read_predictions(day(0), copy.lake)
    user = rows["user_id"][0].as_py()
    found = LakeModel(copy.lake).score([user])[user]
    assert (found["as_of"], found["churn_probability"]) == (day(0), None)
    assert (found["payment_probability"], found["churn_model"]) == (None, None)
    assert (found["expected_spend"], found["churn_reasons"]) == (None, None)
    assert found["payment_missing"].startswith("not enough data: 0 matured snapshots")
    (stored,) = rows.filter(pc.equal(rows["user_id"], user)).to_pylist()
    assert found == stored


@pytest.mark.parametrize("kind", ["churn", "payment", "clusters"])
def test_a_damaged_or_missing_model_is_no_answer_rather_than_an_error(
    copy: Installation, kind: str
) -> None:
    user = read_predictions(LAST, copy.lake)["user_id"][0].as_py()
    name = f"models/{kind}/dt={LAST}/model.onnx"
    content = copy.lake.read(name)
    copy.lake.write(name, content[:-1])
    with pytest.raises(LiveUnavailable, match="damaged or another model's"):
        LakeModel(copy.lake).score([user])
    copy.lake.delete([name])
    with pytest.raises(LiveUnavailable, match=f"{name} is missing"):
        LakeModel(copy.lake).score([user])
    copy.lake.write(name, content)
    assert set(LakeModel(copy.lake).score([user])) == {user}


def test_a_damaged_card_is_no_answer_rather_than_an_error(copy: Installation) -> None:
    user = read_predictions(LAST, copy.lake)["user_id"][0].as_py()
    copy.lake.write(f"models/churn/dt={LAST}/card.json", b"{}")
    with pytest.raises(LiveUnavailable, match="the model card models/churn/"):
        LakeModel(copy.lake).score([user])


def test_a_damaged_features_file_is_no_answer_rather_than_an_error(copy: Installation) -> None:
    copy.lake.write(table_file("user_features", LAST), b"PAR1 no parquet")
    with pytest.raises(LiveUnavailable, match="user_features"):
        LakeModel(copy.lake).score(["a"])
