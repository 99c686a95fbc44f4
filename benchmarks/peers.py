"""Feast, BentoML, MLflow and webdis: their servers, with the same predictions or the same model.

The first three need other versions of this project's dependencies, so they have their own
environment, which `make bench-serving PEERS=1` makes from `peers.txt`. Without it no peer is
measured.

Scope: starting each of them with one worker, and the requests for it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks import questions
from benchmarks.loads import CONNECTIONS, FEWER_CONNECTIONS, Target
from benchmarks.measuring import ROOT, say
from benchmarks.served_day import COPY, ServedDay
from benchmarks.servers import HttpServer
from ds_assets.core.models.learning.learner import HYPER_PARAMETERS, TREES
from ds_assets.core.tables import PREDICTIONS
from ds_assets.local_servers.install import path_of

PEERS = Path(sys.prefix) / "peers" / "bin"
"""Programs of their environment."""
SIZES = (1, 100)
"""Users of a request."""
MODELS = {"bentoml": ".joblib", "bentoml_onnx": ".onnx", "mlflow": "sklearn", "mlflow_onnx": "onnx"}
"""What each server of a model loads."""
_CONTROLS = ROOT / "benchmarks" / "controls"
_NOT_ASKED = {"user_id", "churn_missing", "payment_missing"}
_LEARNT_FROM = 20_000
_PEER_OPTIONS = {
    "max_iter": TREES,
    "max_leaf_nodes": HYPER_PARAMETERS["num_leaves"],
    "max_depth": HYPER_PARAMETERS["max_depth"],
    "early_stopping": False,
}
"""Options of scikit-learn's boosted trees, for trees of the size of those in the file."""
_ENVIRONMENT = {
    "PATH": f"{PEERS}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    "DO_NOT_TRACK": "1",
    "FEAST_USAGE": "False",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def are_installed() -> bool:
    """Whether their environment is there."""
    return PEERS.exists()


@contextmanager
def peers(folder: Path, day: ServedDay, redis_url: str) -> Iterator[dict[str, Target]]:
    """Their servers, and what to ask each: `NAME_SIZE`, such as `feast_100`."""
    folder.mkdir()
    say("  starting Feast, BentoML, MLflow and webdis")
    model_folder = _models(folder, day)
    with ExitStack() as stack:
        url = stack.enter_context(_feast(folder / "feast", day, redis_url)).url
        targets = {
            f"feast_{size}": Target(f"{url}/get-online-features", "POST", file)
            for size, file in _feast_questions(folder, day).items()
        }
        web = stack.enter_context(_webdis(folder / "webdis", redis_url)).url
        keys = questions.keys(COPY, len(day.ids))
        targets["webdis_1"] = Target(web, "GET", questions.written(folder / "keys", keys))
        for name in MODELS:
            url = stack.enter_context(_model_server(name, folder / name, model_folder)).url
            path = "predict" if name.startswith("bentoml") else "invocations"
            for size in SIZES:
                file = folder / f"{_question(name)}-{size}"
                connections = CONNECTIONS if size == 1 else FEWER_CONNECTIONS
                targets[f"{name}_{size}"] = Target(
                    f"{url}/{path}", "POST", file, connections=connections
                )
        yield targets


def _models(folder: Path, day: ServedDay) -> Path:
    """Make the models, and files of requests to their servers."""
    rows, models = day.rows(_LEARNT_FROM), folder / "models"
    np.save(folder / "matrix.npy", rows.matrix)
    np.save(folder / "chances.npy", rows.chances)
    options = json.dumps(_PEER_OPTIONS)
    files = (folder / "matrix.npy", folder / "chances.npy", day.model)
    _run([PEERS / "python", _CONTROLS / "peer_models.py", *files, options, models])
    for size in SIZES:
        request_rows = rows.matrix[: 50 * size]
        for name in ("rows", "inputs"):
            questions.written(folder / f"{name}-{size}", questions.rows(request_rows, size, name))
        questions.written(folder / f"frames-{size}", questions.frames(request_rows, size))
    return models


def _question(name: str) -> str:
    if name.startswith("bentoml"):
        return "rows"
    return "inputs" if name.endswith("_onnx") else "frames"


def _model_server(name: str, folder: Path, models: Path) -> HttpServer:
    model = MODELS[name]
    address = ("--host", "127.0.0.1", "--port", "{port}")
    if name.startswith("bentoml"):
        environment = {
            **_ENVIRONMENT,
            "PYTHONPATH": str(_CONTROLS),
            "BENTOML_HOME": str(folder),
            "MODEL": f"{models / 'model'}{model}",
        }
        command: Sequence[str | Path] = (PEERS / "bentoml", "serve", "bentoml_service:Model")
        return HttpServer([*command, *address], "/readyz", folder, environment)
    command = (PEERS / "mlflow", "models", "serve", "-m", models / model)
    options = ("--env-manager", "local", "--workers", "1")
    return HttpServer([*command, *options, *address], "/ping", folder, _ENVIRONMENT)


def _feast(folder: Path, day: ServedDay, redis_url: str) -> HttpServer:
    repository, address = folder / "repository", folder / "address"
    folder.mkdir()
    address.touch(mode=0o600)
    address.write_text(redis_url, encoding="utf-8")
    script = _CONTROLS / "feast_repo.py"
    _run([PEERS / "python", script, repository, address, day.predictions, *_names()])
    command = (PEERS / "feast", "--chdir", repository, "serve", "--workers", "1")
    # Its worker would be replaced after every thousand requests, and lose those that are under way.
    options = ("--no-access-log", "--max-requests", "0", "--max-requests-jitter", "0")
    address_options = ("--host", "127.0.0.1", "--port", "{port}")
    return HttpServer([*command, *options, *address_options], "/health", folder, _ENVIRONMENT)


def _webdis(folder: Path, redis_url: str) -> HttpServer:
    """A server in C that answers a GET of a key with what Redis has, in one thread."""
    file = folder / "webdis.json"
    server = HttpServer([path_of("webdis"), file], "/PING", folder)
    redis_parts = urlsplit(redis_url)
    file.touch(mode=0o600)
    settings = {
        "redis_host": redis_parts.hostname,
        "redis_port": redis_parts.port,
        "redis_auth": redis_parts.password,
        "http_host": "127.0.0.1",
        "http_port": urlsplit(server.url).port,
        "threads": 1,
        "daemonize": False,
        "logfile": str(folder / "webdis.log"),
    }
    file.write_text(json.dumps(settings), encoding="utf-8")
    return server


def _feast_questions(folder: Path, day: ServedDay) -> dict[int, Path]:
    return {
        size: questions.written(
            folder / f"feast-{size}", questions.feast(day.ids[: 2_000 * size], size, _names())
        )
        for size in SIZES
    }


def _names() -> list[str]:
    """What an answer of ours holds, but for what is missing where there is no prediction."""
    return [name for name in PREDICTIONS.names if name not in _NOT_ASKED]


def _run(command: Sequence[str | Path]) -> None:
    environment = {**os.environ, **_ENVIRONMENT}
    done = subprocess.run(
        list(map(str, command)), env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise ValueError(f"{command[1]} failed:\n{done.stderr[-2_000:]}")
