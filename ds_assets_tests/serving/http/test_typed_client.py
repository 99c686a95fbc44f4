"""A typed client that a program writes from the served document, as a stranger's would be."""

import datetime as dt
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ds_assets_tests.serving.http.clients import Service
from ds_assets_tests.serving.http.fake import PROMOTED
from ds_assets_tests.wheel import ROOT, UV, run

GENERATOR = "openapi-python-client==0.29.1"
"""It needs an older typer than the command line, so that it has an environment of its own."""
PACKAGE = "predictions_client"

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running_service:
        yield running_service


@pytest.fixture(scope="module")
def generated(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the package that is generated from the document; a warning is an error."""
    folder = tmp_path_factory.mktemp("client")
    programs = install_generator(folder)
    (folder / "config.yaml").write_text("post_hooks: []\n", "utf-8")  # formatting with ruff
    document = ("--url", f"{service.url}/openapi.json", "--config", "config.yaml")
    package = ("--output-path", PACKAGE, "--meta", "none", "--fail-on-warning")
    generator = programs / "openapi-python-client"
    output = run(generator, "generate", *document, *package, folder=folder)
    assert "arning" not in output
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder / PACKAGE
    for name in [it for it in sys.modules if it.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def install_generator(folder: Path) -> Path:
    """Install the generator, and return the folder with its programs."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(it for it in lock if not it.startswith("typer==")), "utf-8")
    run(UV, "venv", "--python", sys.executable, "environment", folder=folder)
    into: list[str | Path] = ["--python", "environment", "--constraints", constraints]
    run(UV, "pip", "install", *into, GENERATOR, folder=folder)
    return folder / "environment" / "bin"


@pytest.fixture
def client(generated: Path, service: Service) -> Iterator[Any]:
    """The generated client with a valid key."""
    token = service.headers["Authorization"].removeprefix("Bearer ")
    module = import_module(generated.name)
    with module.AuthenticatedClient(
        service.url, token, raise_on_unexpected_status=True
    ) as http_client:
        yield http_client


@pytest.fixture
def models(generated: Path) -> ModuleType:
    """The generated types."""
    return import_module(f"{generated.name}.models")


def call(operation: str, client: Any, *arguments: Any, **options: Any) -> Any:
    """Call a generated operation, and return the result with its type."""
    module = import_module(f"{PACKAGE}.api.default.{operation}")
    return module.sync(*arguments, client=client, **options)


def test_every_operation_is_generated(client: Any, generated: Path) -> None:
    document = client.get_httpx_client().get("/openapi.json").json()
    operations = {it["operationId"] for path in document["paths"].values() for it in path.values()}
    modules = {file.stem for file in (generated / "api" / "default").glob("[a-z]*.py")}
    assert (
        modules
        == operations
        == {
            *("prediction", "predictions", "score", "outcomes"),
            *("healthz", "readyz", "metrics"),
        }
    )


def test_a_prediction_has_types(client: Any, models: ModuleType) -> None:
    answer = call("prediction", client, "u 1/ä", user_group="cluster=3")
    assert isinstance(answer, models.Answer)
    assert (answer.user_id, answer.churn_probability) == ("u 1/ä", 0.25)
    assert answer.status is models.AnswerStatus.OK
    assert answer.source is models.AnswerSource.CACHE
    assert answer.as_of == dt.date(2026, 1, 31)
    assert answer.last_seen is None
    reason = answer.churn_reasons[0]
    assert isinstance(reason, models.Reason)
    assert (reason.code, reason.values) == ("last_seen", [6, 1.4])


def test_an_offer_has_types_and_is_unset_for_a_user_without(
    client: Any, models: ModuleType
) -> None:
    (offer,) = call("prediction", client, PROMOTED).promotions
    assert isinstance(offer, models.PromotionOffer)
    assert (offer.offer, offer.assignment_id) == ("bundle", "a1")
    assert offer.until == dt.date(2026, 2, 14)
    assert not call("prediction", client, "u1").promotions


def test_predictions_come_in_the_order_of_the_request(client: Any, models: ModuleType) -> None:
    answers = call("predictions", client, body=models.PredictionsRequest(["b", "a"]))
    assert isinstance(answers, models.Answers)
    assert [answer.user_id for answer in answers.predictions] == ["b", "a"]


def test_users_are_scored_from_events_and_features(client: Any, models: ModuleType) -> None:
    event = models.UserToScoreEventsItem.from_dict({"type": "purchase", "amount": 5})
    features = models.UserToScoreFeatures.from_dict({"events_7d": 3})
    users = [
        models.UserToScore("u1", events=[event]),
        models.UserToScore("u2", features=features),
    ]
    answers = call("score", client, body=models.ScoreRequest(users, reasons=False))
    assert isinstance(answers, models.Answers)
    assert [answer.user_id for answer in answers.predictions] == ["u1", "u2"]


def test_shown_offers_are_stored(client: Any, models: ModuleType) -> None:
    shown = models.ShownOffer("u1", "a1", dt.datetime.now(dt.UTC))
    stored = call("outcomes", client, body=models.OutcomesRequest([shown]))
    assert stored == models.OutcomesStored(1)


def test_health_and_readiness_have_types(client: Any, models: ModuleType) -> None:
    assert isinstance(call("healthz", client), models.HealthzResponse200)
    ready = call("readyz", client)
    assert isinstance(ready, models.Ready)
    assert (ready.status, ready.degraded) == (models.ReadyStatus.DEGRADED, ["results"])
    assert ready.models["churn"] == "2026-01-31"


def test_metrics_are_a_text(client: Any) -> None:
    assert "ds_assets_http_requests_total" in call("metrics", client)


def test_a_refusal_is_a_problem_with_its_type(service: Service, models: ModuleType) -> None:
    with import_module(PACKAGE).AuthenticatedClient(service.url, "wrong") as stranger:
        problem = call("prediction", stranger, "u1")
    assert isinstance(problem, models.Problem)
    assert problem.status == 401
    assert "key is unknown" in problem.detail
