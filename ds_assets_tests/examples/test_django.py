"""The example of a Django project, with a real Django on a real installation."""

import atexit
import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import dagster as dg
import django
import httpx
import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.shown_offers import SHOWN_OFFERS, read_shown_offers
from ds_assets.local_servers.process import ServerProcess, accepts, free_port
from ds_assets.local_servers.redis import RedisServer
from ds_assets.serving.answer import Prediction, Source, Status
from ds_assets_tests.assets.factories import START, Installation, event, make_installation
from ds_assets_tests.infra.factories import put_day, row, table
from ds_assets_tests.serving.factories import PATIENCE
from shop import predictions
from shop.offers import BUNDLE, COME_BACK, PLAIN, WELCOME, Offer, is_known, offer_for

MANAGE = Path(predictions.__file__).parents[1] / "manage.py"
TRUST = dt.timedelta(days=14)
NEWEST = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
LOST = {
    "DS_ASSETS_CACHE_URL": "redis://127.0.0.1:1/0",
    "DS_ASSETS_RESULTS_URL": "mysql+pymysql://nobody@127.0.0.1:1/nothing",
    "DS_ASSETS_LAKE": "nowhere",
}
"""Variables of an installation that has lost all it answers from."""


def player(user_id: str, as_of: dt.date = NEWEST, **values: Any) -> dict[str, Any]:
    """A stored prediction of a player who was there on its day."""
    reasons = {
        f"{kind}_reasons": f'[{{"code": "tenure", "effect": 1.0, "words": "{kind} & more"}}]'
        for kind in ("churn", "payment")
    }
    return row(user_id, as_of, **{"last_seen": as_of, **reasons, **values})


LEAVER = player("leaver", churn_probability=0.8, payment_probability=0.3)
PAYER = player("payer", churn_probability=0.1, payment_probability=0.9)
LATE = player("late", NEWEST - dt.timedelta(1), churn_probability=0.1, payment_probability=0.9)
AWAY = player("away", NEWEST - dt.timedelta(30), churn_probability=0.9, payment_probability=0.9)
NEW = player("new", churn_probability=None, payment_probability=None, churn_missing="no history")


def predicted(
    status: Status = "ok",
    source: Source = "cache",
    age: int | None = 60,
    churn: float | None = 0.1,
    payment: float | None = 0.1,
) -> Prediction:
    values = {"churn_probability": churn, "payment_probability": payment}
    return Prediction("a", status, source, age, values)


@pytest.mark.parametrize(
    ("churn", "payment", "offer"),
    [
        (0.8, 0.3, COME_BACK),
        (0.8, 0.9, COME_BACK),
        (0.8, 0.1, PLAIN),
        (0.1, 0.9, BUNDLE),
        (0.1, 0.3, PLAIN),
        (0.8, None, PLAIN),
        (None, 0.9, BUNDLE),
        (None, None, PLAIN),
    ],
)
def test_an_offer_follows_from_what_is_known_alone(
    churn: float | None, payment: float | None, offer: Offer
) -> None:
    assert offer_for(predicted(churn=churn, payment=payment), TRUST) == offer


@pytest.mark.parametrize("status", ["ok", "stale", "inactive"])
def test_the_offer_of_a_promotion_comes_first_and_one_without_a_look_is_not_shown(
    status: Status,
) -> None:
    prediction = predicted(status, churn=0.8, payment=0.9)
    names = ("no such offer", "weekend_bundle", "come_back")
    offers = [{"offer": name, "assignment_id": f"{name} 1"} for name in names]
    prediction.values["promotions"] = offers
    expected = replace(BUNDLE, assignment_id="weekend_bundle 1")
    assert offer_for(prediction, TRUST) == expected
    prediction.values["promotions"] = offers[:1]
    assert offer_for(prediction, TRUST).assignment_id is None


@pytest.mark.parametrize(
    ("age", "offer"), [(TRUST, BUNDLE), (TRUST + dt.timedelta(seconds=1), PLAIN)]
)
def test_a_stale_prediction_counts_for_a_while(age: dt.timedelta, offer: Offer) -> None:
    stale = predicted("stale", age=int(age.total_seconds()), payment=0.9)
    assert offer_for(stale, TRUST) == offer


def test_a_player_who_is_back_is_welcomed_whatever_was_predicted_then() -> None:
    away = predicted("inactive", age=10**7, churn=0.9, payment=0.9)
    assert offer_for(away, TRUST) == WELCOME


@pytest.mark.slow
def test_a_shop_reports_an_offer_that_it_has_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DS_ASSETS_HOME", str(home))
    predictions.report_shown("leaver", "a1")
    stored = FolderLake(home / "lake")
    (day,) = stored.days(SHOWN_OFFERS)
    assert [(it.user_id, it.assignment_id) for it in read_shown_offers(day, stored)] == [
        ("leaver", "a1")
    ]


CHANCES = st.none() | st.floats(0, 1)


@given(st.sampled_from(get_args(Status)), st.none() | st.integers(0), CHANCES, CHANCES)
def test_means_of_others_never_lead_to_an_offer(
    status: Status, age: int | None, churn: float | None, payment: float | None
) -> None:
    prediction = predicted(status, "default", age, churn, payment)
    assert not is_known(prediction)
    assert offer_for(prediction, TRUST) == PLAIN


MODELS = dg.AssetSelection.groups("models")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with an early day in the lake, and players in its table and its cache."""
    installation = make_installation(tmp_path_factory.mktemp("game"))
    installation.write_logs(START, *(event(n, f"{START}T10:00:00Z", f"u{n}") for n in range(30)))
    installation.run(START, assets=MODELS.upstream())
    with installation.results() as results:
        for stored in (AWAY, LATE):
            results.deliver(stored["as_of"], table(stored), "run")
        results.deliver(NEWEST, table(LEAVER, PAYER, NEW), "run")
    with installation.cache() as cache:
        put_cached(cache)
    return installation.home


def put_cached(cache: PredictionCache) -> None:
    put_day(cache, NEWEST, LEAVER)


@pytest.fixture(scope="module", autouse=True)
def project() -> None:
    """The project in this process; its logging is left out, for it is that of the whole process."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    settings.LOGGING_CONFIG = None
    django.setup()


@contextmanager
def opened(home: Path, variables: Mapping[str, str] | None = None) -> Iterator[Client]:
    """A client of the project in this process, whose end closes what was opened."""
    with ExitStack() as ending, pytest.MonkeyPatch.context() as patch:
        for name, value in {"DS_ASSETS_HOME": str(home), **(variables or {})}.items():
            patch.setenv(name, value)
        if variables is None:  # what is said is the question, however busy the machine is
            patch.setattr(predictions, "REQUEST_TIMEOUT_S", PATIENCE)
        patch.setattr(atexit, "register", ending.callback)
        predictions._service_of.cache_clear()
        ending.callback(predictions._service_of.cache_clear)
        yield Client(SERVER_NAME="127.0.0.1")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Client]:
    with opened(home) as opened_client:
        settled(opened_client)
        yield opened_client


def page(client: Client, user_id: str) -> str:
    """The page of a player."""
    reply = client.get(f"/players/{quote(user_id, safe='')}")
    assert reply.status_code == HTTPStatus.OK
    assert reply["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    return str(reply.content.decode())


def settled(client: Client) -> None:
    """Wait until all sources have been started: the first requests may be too early."""
    until = time.monotonic() + 30
    while "unknown_user" not in page(client, f"{time.monotonic()}"):
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("user_id", "offer", "status"),
    [
        ("leaver", COME_BACK, "ok"),
        ("payer", BUNDLE, "ok"),
        ("late", BUNDLE, "stale"),
        ("away", WELCOME, "inactive"),
        ("new", PLAIN, "not_enough_data"),
        ("u1", PLAIN, "not_enough_data"),
        ("nobody", PLAIN, "unknown_user"),
    ],
)
def test_a_player_sees_an_offer(client: Client, user_id: str, offer: Offer, status: str) -> None:
    shown = page(client, user_id)
    assert f"<h2>{offer.title}</h2>" in shown
    assert f"<dd>{status}\n" in shown


def test_the_page_says_why_and_how_old_that_is(client: Client) -> None:
    shown = page(client, "leaver")
    assert "<strong>80 %</strong>" in shown
    assert "<strong>30 %</strong>" in shown
    assert "▲ churn &amp; more" in shown
    assert "▲ payment &amp; more" in shown
    assert f"<dd>{NEWEST} <small>ended " in shown
    assert "<dd>cache</dd>" in shown
    assert "no history" in page(client, "new")


def test_of_an_unknown_player_no_number_is_shown(client: Client) -> None:
    shown = page(client, "nobody")
    assert "%</strong>" not in shown
    assert "Expected spend" not in shown
    assert "<dd>default</dd>" in shown


@pytest.mark.parametrize(
    "user_id", ["a/b", "/", " ", "%", "<script>", "é", "\N{GRINNING FACE}", "\0", "x" * 191]
)
def test_any_id_that_a_player_may_have_has_a_page(client: Client, user_id: str) -> None:
    shown = page(client, user_id)
    assert "<script>" not in shown
    assert "unknown_user" in shown


@pytest.mark.parametrize("path", ["x" * 192, "x" * 1_000_000, "\N{GRINNING FACE}" * 192])
def test_what_cannot_be_an_id_is_told_on_a_page(client: Client, path: str) -> None:
    reply = client.get(f"/players/{path}")
    assert reply.status_code == HTTPStatus.NOT_FOUND
    assert "accepted is a text of 1 to 191 characters" in reply.content.decode()


@pytest.mark.parametrize("path", ["/", "/players/", "/players", "/players/a%0Ab"])
def test_another_address_is_told_on_a_page(client: Client, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == HTTPStatus.NOT_FOUND
    assert "page is at /players/ID" in reply.content.decode()


def test_bytes_that_are_no_text_have_a_page(client: Client) -> None:
    assert client.get("/players/%FF%ED%A0%80").status_code == HTTPStatus.OK


def test_a_page_can_only_be_read(client: Client) -> None:
    assert client.post("/players/leaver").status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_many_threads_see_each_their_own_player(home: Path) -> None:
    titles = {"leaver": COME_BACK, "payer": BUNDLE, "away": WELCOME, "nobody": PLAIN}

    def ask(number: int) -> None:
        user_id = [*titles][number % len(titles)]
        shown = page(client, user_id)
        assert f"What player {user_id} sees" in shown
        assert f"<h2>{titles[user_id].title}</h2>" in shown

    with opened(home) as client:
        settled(client)
        with ThreadPoolExecutor(32) as threads:
            for done in [threads.submit(ask, number) for number in range(200)]:
                done.result()


def test_threads_that_are_the_first_open_one_service(home: Path) -> None:
    with opened(home) as client, ThreadPoolExecutor(16) as threads:
        for done in [threads.submit(page, client, "payer") for _ in range(16)]:
            done.result()
        assert predictions._service_of.cache_info().misses == 1


def test_with_everything_lost_the_plain_shop_comes_in_time(tmp_path: Path) -> None:
    home = make_installation(tmp_path).home
    with opened(home, LOST) as client:
        for _ in range(5):
            began = time.monotonic()
            shown = page(client, "leaver")
            assert time.monotonic() - began < 3
            assert f"<h2>{PLAIN.title}</h2>" in shown
            assert "the store that might know this player is unreachable" in shown


@pytest.mark.server
def test_a_cache_that_is_lost_meanwhile_changes_no_offer(home: Path, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        game = Installation(home).game.name
        with PredictionCache(server.url, game, days_to_live=7) as cache:
            put_cached(cache)
        with opened(home, {"DS_ASSETS_CACHE_URL": server.url}) as client:
            settled(client)
            for source in ("cache", "table"):
                shown = page(client, "leaver")
                assert f"<h2>{COME_BACK.title}</h2>" in shown
                assert f"<dd>{source}</dd>" in shown
                server.kill()


def test_a_wrong_setting_is_no_missing_page(home: Path) -> None:
    with opened(home, {"DS_ASSETS_RESULTS_URL": "postgres://me:secret@db"}) as client:
        client.raise_request_exception = False
        reply = client.get("/players/leaver")
    assert reply.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert b"secret" not in reply.content


def test_the_project_is_ready_to_be_deployed() -> None:
    call_command("check", deploy=True, fail_level="WARNING")
    assert settings.DEBUG is False


@pytest.mark.slow
@pytest.mark.server
def test_a_real_server_answers(home: Path, tmp_path: Path, redis_url: str) -> None:
    port = free_port()
    command = [sys.executable, str(MANAGE), "runserver", "--noreload", f"127.0.0.1:{port}"]
    variables = {"DS_ASSETS_HOME": str(home), "DS_ASSETS_CACHE_URL": redis_url}
    with (
        ServerProcess(command, tmp_path / "log", lambda: accepts(port), variables),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http,
    ):
        assert f"<h2>{BUNDLE.title}</h2>" in http.get("/players/payer").text
        assert http.get(f"/players/{'x' * 192}").status_code == HTTPStatus.NOT_FOUND
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_the_end_of_a_process_closes_what_it_opened(home: Path, tmp_path: Path) -> None:
    code = """
import atexit, threading, django
from django.test import Client

def running():
    return any(thread.name == "ds-assets-answers" for thread in threading.enumerate())

django.setup()
atexit.register(lambda: print(running()))  # called last
print(Client(SERVER_NAME="127.0.0.1").get("/players/payer").status_code, running())
"""
    environment = {**os.environ, "DS_ASSETS_HOME": str(Installation(home).copy(tmp_path).home)}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        cwd=MANAGE.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == ["200", "True", "False"]
    assert "Traceback" not in done.stderr
