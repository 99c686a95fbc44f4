"""The API answers from what is good while models of the newest day cannot be read, and says so."""

import asyncio
import json
import logging
from ctypes import c_bool
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ds_assets.infra.lake.tables import read_predictions, table_file
from ds_assets.serving.answer import calendar_of
from ds_assets.serving.http.adapter import open_backend
from ds_assets.serving.http.app import App
from ds_assets.serving.http.auth import Authenticator, KeyFile
from ds_assets.serving.http.workers import Shared
from ds_assets.serving.shown_offers import ShownOffers
from ds_assets_tests.assets.factories import LAST, Installation, finished
from ds_assets_tests.serving.factories import PATIENCE
from ds_assets_tests.serving.http.clients import client_of

pytestmark = pytest.mark.slow

NEWER_FORMAT = 999


def make_app(installation: Installation) -> App:
    """The API of one worker."""
    installed = installation.installed
    shown_offers = ShownOffers(installed.lake(), calendar_of(installed.game))
    backend = partial(open_backend, partial(installed.service, PATIENCE), shown_offers)
    authenticator = Authenticator(KeyFile(installation.home / "keys.json"), 1_000)
    return App(backend, authenticator, 100, Shared(None, c_bool(False)))


async def ask(app: App, user: str) -> dict[str, tuple[int, Any]]:
    """Status and body of each kind of request."""
    score = {"users": [{"user_id": user, "events": []}]}
    async with client_of(app) as client:
        replies = {
            "one": await client.get(f"/v1/users/{user}/prediction"),
            "many": await client.post("/v1/predictions", json={"user_ids": [user, "nobody"]}),
            "score": await client.post("/v1/score", json=score),
            "ready": await client.get("/readyz"),
        }
    return {name: (reply.status_code, reply.json()) for name, reply in replies.items()}


@pytest.mark.parametrize("is_newer", [True, False])
@pytest.mark.parametrize("kind", ["clusters", "churn", "payment"])
def test_a_card_that_is_damaged_or_of_a_newer_format_costs_the_live_model_only(
    kind: str, is_newer: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"models/{kind}/dt={LAST}/card.json"
    card = json.loads(finished().lake.read(name))
    content = json.dumps(card | {"format": NEWER_FORMAT}) if is_newer else "{"
    check_api_without(name, content.encode(), tmp_path, caplog)


@pytest.mark.parametrize(
    "name",
    [
        f"models/clusters/dt={LAST}/model.onnx",
        f"models/churn/dt={LAST}/model.onnx",
        table_file("user_features", LAST),
    ],
)
def test_a_file_that_is_damaged_costs_the_live_model_only(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_api_without(name, b"damaged", tmp_path, caplog)


def check_api_without(
    name: str, content: bytes, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Replace a file by what cannot be read, and check every kind of request."""
    installation = finished().copy(home)
    installation.lake.write(name, content)
    user = read_predictions(LAST, installation.lake)["user_id"][0].as_py()
    with caplog.at_level(logging.WARNING):
        replies = asyncio.run(ask(make_app(installation), user))
    assert {status for status, _ in replies.values()} == {200}
    assert replies["one"][1]["source"] in {"cache", "table"}
    assert replies["one"][1]["as_of"] == str(LAST)
    delivered, undelivered = replies["many"][1]["predictions"]
    assert (delivered["status"], undelivered["source"]) == (replies["one"][1]["status"], "default")
    (scored,) = replies["score"][1]["predictions"]
    assert (scored["source"], scored["status"]) == ("default", "not_enough_data")
    assert (replies["ready"][1]["status"], replies["ready"][1]["degraded"]) == (
        "degraded",
        ["live"],
    )
    folder = name.rpartition("/")[0]
    kind = folder.split("/")[-2]
    assert name in caplog.text or (kind in caplog.text and str(LAST) in caplog.text)
