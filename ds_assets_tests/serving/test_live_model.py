"""The live model on a lake that the graph has filled."""

import datetime as dt
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.events import RejectedLine
from ds_assets.core.promotions.decisions import Choice
from ds_assets.core.tables import PROMOTIONS
from ds_assets.errors import InputError
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.models import day_models
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.infra.lake.tables import read_predictions, store_rows, table_file
from ds_assets.serving import live_model as module
from ds_assets.serving.live_model import DAMAGED_RETRY_S, REFRESH_INTERVAL_S, LakeModel
from ds_assets.serving.online_features import OnlineFeatures
from ds_assets.serving.sources import LiveLoading, LiveUnavailable
from ds_assets.serving.unusable_events import UnusableEventsError
from ds_assets_tests.assets.factories import LAST, Installation, day, event, finished
from ds_assets_tests.core.promotions.factories import arms_by_user, assign_days, make_promotion
from ds_assets_tests.raw_text import read_text

pytestmark = pytest.mark.slow

BEFORE = day(30)


def live(lake: FolderLake, clock: Callable[[], float] = lambda: 0.0) -> LakeModel:
    """A live model that checks the lake once, because its clock stands still."""
    return LakeModel(lake, finished().game, clock)


def scored(model: LakeModel, users: Sequence[str], *, reasons: bool = True) -> dict[str, Any]:
    """Predictions of a live model by user."""
    predictions = model.score(users, reasons=reasons)
    assert len({prediction["user_id"] for prediction in predictions}) == len(predictions)
    return {prediction["user_id"]: prediction for prediction in predictions}


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return finished().copy(tmp_path)


def test_the_live_model_says_what_the_batch_of_the_newest_day_said() -> None:
    lake = finished().lake
    rows = read_predictions(LAST, lake)
    predictions = scored(live(lake), rows["user_id"].to_pylist())
    assert predictions == {row["user_id"]: row for row in rows.to_pylist()}


def test_one_user_is_told_the_same_as_among_all() -> None:
    rows, model = read_predictions(LAST, finished().lake).to_pylist(), live(finished().lake)
    for row in rows[:20]:
        assert scored(model, [row["user_id"]]) == {row["user_id"]: row}


def test_reasons_are_left_out_if_nobody_asks_for_them() -> None:
    row, *_ = read_predictions(LAST, finished().lake).to_pylist()
    (prediction,) = scored(live(finished().lake), [row["user_id"]], reasons=False).values()
    assert prediction == {**row, "churn_reasons": None, "payment_reasons": None}


def test_files_that_only_judge_are_not_read(copy: Installation) -> None:
    user = read_predictions(LAST, copy.lake)["user_id"][0].as_py()
    for kind in ("churn", "payment"):
        copy.lake.delete([f"models/{kind}/dt={LAST}/twin_model.onnx"])
    assert scored(live(copy.lake), [user])[user]["as_of"] == LAST


def test_users_have_the_offers_that_are_in_effect_once_they_are_assigned(
    copy: Installation,
) -> None:
    game = copy.game.model_copy(update={"promotions": {"bundle": make_promotion()}})
    users = read_predictions(LAST, copy.lake)["user_id"].to_pylist()
    now = [0.0]
    model = LakeModel(copy.lake, game, lambda: now[0])
    assert not any("promotions" in record for record in scored(model, users).values())
    rows = assign_days(game, users, [LAST])[LAST].rows
    store_rows(conform(PROMOTIONS, rows), PROMOTIONS.name, LAST, copy.lake)
    now[0] += REFRESH_INTERVAL_S
    refresh(model)
    arms = arms_by_user(rows)
    assert set(arms.values()) == {"treated", "control"}
    for user, record in scored(model, users).items():
        names = [offer["offer"] for offer in record.get("promotions", [])]
        assert names == (["bundle"] if arms[user] == "treated" else [])
    (record,) = model.score_features(features_of(copy, users[:1]))
    assert ("promotions" in record) == (arms[users[0]] == "treated")
    decide_about_promotion("bundle", Choice.WITHDRAWN, "it crashes", "anna", copy.lake, game)
    now[0] += REFRESH_INTERVAL_S
    refresh(model)
    assert not any("promotions" in record for record in scored(model, users).values())


def refresh(model: LakeModel) -> None:
    refreshing = model.start_refresh()
    assert refreshing is not None
    refreshing.join()


def features_of(installation: Installation, users: Sequence[str]) -> list[dict[str, Any]]:
    file = installation.lake.local(table_file("user_features", LAST))
    return [*OnlineFeatures(file).find(users).values()]


def test_users_without_features_are_left_out() -> None:
    user = read_predictions(LAST, finished().lake)["user_id"][0].as_py()
    assert set(scored(live(finished().lake), [user, "nobody"])) == {user}
    assert scored(live(finished().lake), ["nobody"]) == {}


def test_a_lake_without_models_cannot_answer(tmp_path: Path) -> None:
    with pytest.raises(LiveUnavailable, match="no model to score with yet"):
        scored(live(FolderLake(tmp_path / "nothing")), ["a"])


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
    assert scored(live(copy.lake), [user])[user]["as_of"] == BEFORE


def test_a_day_without_enough_data_answers_with_missing_probabilities(copy: Installation) -> None:
    for folder in (copy.settings.lake / "models" / "payment").iterdir():
        if folder.name != f"dt={day(0)}":
            (folder / "card.json").unlink()
    rows = read_predictions(day(0), copy.lake)
    user = rows["user_id"][0].as_py()
    prediction = scored(live(copy.lake), [user])[user]
    assert (prediction["as_of"], prediction["churn_probability"]) == (day(0), None)
    assert (prediction["payment_probability"], prediction["churn_model"]) == (None, None)
    assert (prediction["expected_spend"], prediction["churn_reasons"]) == (None, None)
    assert prediction["payment_missing"].startswith("not enough data: 0 matured snapshots")
    (stored,) = rows.filter(pc.equal(rows["user_id"], user)).to_pylist()
    assert prediction == stored


@pytest.mark.parametrize("kind", ["churn", "payment", "clusters"])
def test_a_damaged_or_missing_model_is_no_answer_rather_than_an_error(
    copy: Installation, kind: str
) -> None:
    user = read_predictions(LAST, copy.lake)["user_id"][0].as_py()
    name = f"models/{kind}/dt={LAST}/model.onnx"
    content = copy.lake.read(name)
    copy.lake.write(name, content[:-1])
    with pytest.raises(LiveUnavailable, match="damaged or another model's"):
        scored(live(copy.lake), [user])
    copy.lake.delete([name])
    with pytest.raises(LiveUnavailable, match=f"{name} is missing"):
        scored(live(copy.lake), [user])
    copy.lake.write(name, content)
    assert set(scored(live(copy.lake), [user])) == {user}


def test_a_damaged_card_is_no_answer_rather_than_an_error(copy: Installation) -> None:
    user = read_predictions(LAST, copy.lake)["user_id"][0].as_py()
    copy.lake.write(f"models/churn/dt={LAST}/card.json", b"{}")
    with pytest.raises(LiveUnavailable, match="the model card models/churn/"):
        scored(live(copy.lake), [user])


def test_a_damaged_features_file_is_no_answer_rather_than_an_error(copy: Installation) -> None:
    copy.lake.write(table_file("user_features", LAST), b"PAR1 no parquet")
    with pytest.raises(LiveUnavailable, match="user_features"):
        scored(live(copy.lake), ["a"])


def features_of_day(lake: FolderLake) -> list[dict[str, Any]]:
    frame = pd.read_parquet(lake.local(table_file("user_features", LAST)))
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in user.items()} for user in plain.to_dict("records")]


def test_given_features_are_scored_as_stored_ones() -> None:
    lake = finished().lake
    rows = read_predictions(LAST, lake).to_pylist()
    given = {user["user_id"]: user for user in features_of_day(lake)}
    predictions = live(lake).score_features([given[row["user_id"]] for row in rows])
    assert predictions == rows
    with pytest.raises(InputError, match="tenure_days: missing"):
        live(lake).score_features([{**given[rows[0]["user_id"]], "tenure_days": 1}, {}])


def lines_by_day(lake: FolderLake) -> dict[str, dict[dt.date, list[str]]]:
    """Lines of each user in the raw logs, by arrival day."""
    lines: dict[str, dict[dt.date, list[str]]] = defaultdict(lambda: defaultdict(list))
    for folder in sorted(lake.local("raw").iterdir()):
        for file in sorted(file for file in folder.iterdir() if not file.name.startswith("_")):
            for line in read_text(file).splitlines():
                lines[json.loads(line)["user"]["id"]][dt.date.fromisoformat(folder.name[3:])] += [
                    line
                ]
    return lines


def test_events_are_scored_as_the_batch_scored_what_it_made_of_them() -> None:
    lake = finished().lake
    rows = read_predictions(LAST, lake).to_pylist()
    lines, some = lines_by_day(lake), rows[:40]
    together: dict[dt.date, list[str]] = defaultdict(list)
    for row in some:
        for arrived, own in lines[row["user_id"]].items():
            together[arrived] += own
    predictions = live(lake).score_events(together, LAST)
    assert predictions.records == some
    assert predictions.rejected == []


def test_events_of_a_day_that_is_not_over_are_scored_as_of_that_day() -> None:
    today = LAST + dt.timedelta(days=1)
    model = live(finished().lake)
    line = event(1, f"{today}T03:00:00Z", "somebody new")
    predictions = model.score_events({today: [line, "no event"]}, today, reasons=False)
    assert [(record["user_id"], record["as_of"]) for record in predictions.records] == [
        ("somebody new", today)
    ]
    assert predictions.rejected == [RejectedLine(today, 2, "not JSON")]


def test_who_cannot_wait_is_told_that_the_engine_for_events_is_being_loaded() -> None:
    model = live(finished().lake)
    line = event(1, f"{LAST}T03:00:00Z", "somebody new")
    with pytest.raises(LiveLoading, match="the engine for raw events is being loaded"):
        model.score_lines([line], LAST)
    assert model._loading_events is not None
    model._loading_events.join()
    (prediction,) = model.score_lines([line], LAST)
    assert (prediction["user_id"], prediction["as_of"]) == ("somebody new", LAST)
    with pytest.raises(UnusableEventsError) as bad:
        model.score_lines(["no event", line, "[]", "no event"], LAST)
    assert list(bad.value.named) == [0, 2, 3]
    assert str(bad.value).startswith(
        "3 events of the request cannot be used: event 1: not JSON; event 3: "
    )


class Ticking:
    """A clock that is set by hand, and a live model that uses it."""

    def __init__(self, lake: FolderLake) -> None:
        self.now = 0.0
        self.model = live(lake, lambda: self.now)

    def after(self, seconds: float, user: str) -> dict[str, Any]:
        """The prediction after some seconds, once the refresh that this started is over."""
        self.now += seconds
        scored(self.model, [user])
        if self.model._refresh_thread is not None:
            self.model._refresh_thread.join()
        return dict(scored(self.model, [user])[user])


def test_a_new_day_is_taken_without_a_restart(copy: Installation, tmp_path: Path) -> None:
    user = known_on_both_days(copy)
    hidden = hide(copy, tmp_path / "hidden")
    ticking = Ticking(copy.lake)
    assert ticking.after(0, user)["as_of"] == BEFORE
    hidden()
    assert ticking.after(REFRESH_INTERVAL_S / 2, user)["as_of"] == BEFORE
    assert ticking.after(REFRESH_INTERVAL_S, user)["as_of"] == LAST
    (row,) = [prediction for prediction in read_predictions(LAST, copy.lake).to_pylist()
              if prediction["user_id"] == user]  # fmt: skip
    assert ticking.after(0, user) == row


def known_on_both_days(installation: Installation) -> str:
    users = [set(read_predictions(as_of, installation.lake)["user_id"].to_pylist())
             for as_of in (BEFORE, LAST)]  # fmt: skip
    return str(min(users[0] & users[1]))


def hide(installation: Installation, aside: Path) -> Callable[[], object]:
    """Remove the last day's payment model, and return a function that restores it."""
    folder = installation.settings.lake / "models" / "payment" / f"dt={LAST}"
    folder.rename(aside)
    return lambda: aside.rename(folder)


def test_a_model_that_is_made_again_is_taken(copy: Installation) -> None:
    user, ticking = known_on_both_days(copy), Ticking(copy.lake)
    first = ticking.after(0, user)
    for file in ("card.json", "model.onnx"):
        name = f"models/clusters/dt={LAST}/{file}"
        copy.lake.write(name, copy.lake.read(name.replace(str(LAST), str(BEFORE))))
    second = ticking.after(REFRESH_INTERVAL_S, user)
    assert second["as_of"] == LAST
    assert second["cluster_model"] != first["cluster_model"]


def test_a_day_that_changes_while_it_is_loaded_is_not_taken(
    copy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, ticking = known_on_both_days(copy), Ticking(copy.lake)
    before = ticking.after(0, user)
    card = f"models/churn/dt={LAST}/card.json"
    copy.lake.write(card, copy.lake.read(card))
    load = day_models

    def changing(*args: Any) -> Any:
        loaded = load(*args)
        copy.lake.write(card, copy.lake.read(card))
        return loaded

    with monkeypatch.context() as patch:
        patch.setattr(module, "day_models", changing)
        day = ticking.model._day
        assert ticking.after(REFRESH_INTERVAL_S, user) == before
        assert ticking.model._day is day
    ticking.after(REFRESH_INTERVAL_S, user)
    assert ticking.model._day is not day


@pytest.mark.parametrize(
    "damaged", [f"models/churn/dt={LAST}/model.onnx", table_file("user_features", LAST)]
)
def test_while_what_is_new_is_damaged_the_last_day_answers_and_it_is_said(
    copy: Installation, tmp_path: Path, damaged: str
) -> None:
    user = known_on_both_days(copy)
    content = copy.lake.read(damaged)
    bring_back = hide(copy, tmp_path / "hidden")
    ticking = Ticking(copy.lake)
    assert (ticking.after(0, user)["as_of"], ticking.model.load_error) == (BEFORE, None)
    copy.lake.write(damaged, content[:-1])
    bring_back()
    assert ticking.after(REFRESH_INTERVAL_S, user)["as_of"] == BEFORE
    assert ticking.model.load_error is not None
    copy.lake.write(damaged, content)
    assert ticking.after(REFRESH_INTERVAL_S, user)["as_of"] == LAST
    assert ticking.model.load_error is None


def test_damaged_files_are_read_again_after_a_while(
    copy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.lake.write(f"models/churn/dt={LAST}/model.onnx", b"?")
    loads: list[object] = []
    load = day_models

    def counted(*args: Any) -> Any:
        loads.append(args)
        return load(*args)

    monkeypatch.setattr(module, "day_models", counted)
    now = [0.0]
    model = live(copy.lake, lambda: now[0])
    for _ in range(3):
        with pytest.raises(LiveUnavailable, match="damaged"):
            scored(model, ["a"])
        now[0] += REFRESH_INTERVAL_S
    assert len(loads) == 1
    now[0] += DAMAGED_RETRY_S
    with pytest.raises(LiveUnavailable, match="damaged"):
        scored(model, ["a"])
    assert len(loads) == 2


def test_while_the_lake_is_lost_what_is_in_memory_answers(
    copy: Installation, tmp_path: Path
) -> None:
    user, ticking = known_on_both_days(copy), Ticking(copy.lake)
    assert ticking.after(0, user)["as_of"] == LAST
    copy.settings.lake.rename(tmp_path / "gone")
    assert ticking.after(REFRESH_INTERVAL_S, user)["as_of"] == LAST
    assert ticking.model.load_error is not None


def test_nobody_waits_while_a_newer_day_is_loaded(
    copy: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = known_on_both_days(copy)
    bring_back = hide(copy, tmp_path / "hidden")
    ticking = Ticking(copy.lake)
    ticking.after(0, user)
    bring_back()
    go_on, load = threading.Event(), day_models
    monkeypatch.setattr(module, "day_models", lambda *a: (go_on.wait(), load(*a))[1])
    ticking.now += REFRESH_INTERVAL_S
    assert all(scored(ticking.model, [user])[user]["as_of"] == BEFORE for _ in range(5))
    go_on.set()
    assert ticking.after(0, user)["as_of"] == LAST


def test_threads_get_whole_days_while_days_change(copy: Installation, tmp_path: Path) -> None:
    user, model = known_on_both_days(copy), live(copy.lake)
    model.refresh()
    expected = {}
    for as_of in (BEFORE, LAST):
        (row,) = [row for row in read_predictions(as_of, copy.lake).to_pylist()
                  if row["user_id"] == user]  # fmt: skip
        expected[as_of] = row
    stop = threading.Event()

    def ask(_: int) -> set[dt.date]:
        days = set()
        while not stop.is_set():
            prediction = scored(model, [user])[user]
            assert prediction == expected[prediction["as_of"]]
            days.add(prediction["as_of"])
        return days

    with ThreadPoolExecutor(4) as threads:
        days_of_threads = threads.map(ask, range(4))
        for _ in range(3):
            bring_back = hide(copy, tmp_path / "hidden")
            model.refresh()
            bring_back()
            model.refresh()
        stop.set()
        assert set().union(*days_of_threads) == {BEFORE, LAST}


def test_a_lake_that_does_not_answer_keeps_the_first_caller_only_so_long(
    copy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_LOAD_TIMEOUT_S", 0.01)
    go_on, load = threading.Event(), day_models
    monkeypatch.setattr(module, "day_models", lambda *a: (go_on.wait(), load(*a))[1])
    model, user = live(copy.lake), known_on_both_days(copy)
    with pytest.raises(LiveUnavailable, match="still loading"):
        scored(model, [user])
    go_on.set()
    assert model._refresh_thread is not None
    model._refresh_thread.join()
    assert set(scored(model, [user])) == {user}
