"""Our API under load: its installation, its server, the requests, and the source of its answers.

Scope: our own server; loads and other servers are in `loads.py` and `peers.py`.
"""

import sys
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import questions
from benchmarks.loads import CONNECTIONS, FEWER_CONNECTIONS, Target
from benchmarks.served_day import ServedDay
from benchmarks.servers import HttpServer
from ds_assets.serving.http.auth import KeyFile

SIZES = (1, 100)
"""Users of a request."""
_SCORED = 5_000
"""Users whose features are sent."""
_PATHS = {"get": "", "post": "/v1/predictions", "score": "/v1/score"}


@dataclass(frozen=True)
class Installation:
    """What servers of ours have in common.

    Attributes:
        environment: The settings. A key may be used as often as can be.
        key: API key.
        files: Requests, by what is asked: `get`, `post_SIZE`, `score_SIZE`.
    """

    environment: Mapping[str, str]
    key: str
    files: Mapping[str, Path]


def installed(folder: Path, day: ServedDay, redis_url: str) -> Installation:
    """An installation that serves a day, all of which is in Redis."""
    folder.mkdir()
    keys = folder / "api_keys.json"
    requests = {"get": questions.paths(day.ids)}
    requests |= {f"post_{size}": questions.ids(day.ids, size) for size in SIZES}
    users = day.features(min(_SCORED, len(day.ids)))
    requests |= {f"score_{size}": questions.features(users, size) for size in SIZES}
    environment = {
        "DS_ASSETS_HOME": str(folder),
        "DS_ASSETS_GAME": str(day.folder / "game.yaml"),
        "DS_ASSETS_LAKE": str(day.folder / "lake"),
        "DS_ASSETS_CACHE_URL": redis_url,
        "DS_ASSETS_API_KEYS": str(keys),
        "DS_ASSETS_REQUESTS_PER_KEY": "1000000",
    }
    files = {name: questions.written(folder / name, lines) for name, lines in requests.items()}
    return Installation(environment, KeyFile(keys).add("load"), files)


class Api(HttpServer):
    """A server of an installation.

    Args:
        installation: The installation.
        folder: Takes its log; it is made.
        workers: Processes that answer.
    """

    def __init__(self, installation: Installation, folder: Path, workers: int = 1) -> None:
        program = Path(sys.prefix) / "bin" / "ds-assets"
        command = (program, "serve", "--port", "{port}", "--workers", str(workers))
        super().__init__(command, "/readyz", folder, installation.environment)
        self._installation = installation

    def target(self, name: str) -> Target:
        """What to ask, by its name in the installation."""
        what = name.partition("_")[0]
        file, key = self._installation.files[name], self._installation.key
        connections = FEWER_CONNECTIONS if name == "score_100" else CONNECTIONS
        return Target(
            self.url + _PATHS[what], "GET" if what == "get" else "POST", file, key, connections
        )

    def elsewhere(self) -> float:
        """Share of the answers so far that came neither from the cache nor from the live model."""
        families = text_string_to_metric_families(self._read("/metrics").decode())
        answers: Counter[str] = Counter()
        for sample in (sample for family in families for sample in family.samples):
            if sample.name == "ds_assets_answers_total":
                answers[sample.labels["source"]] += int(sample.value)
        others = answers.total() - answers["cache"] - answers["live"]
        return others / answers.total()

    def _read(self, path: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._installation.key}"}
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310  (ours)
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            content: bytes = reply.read()
        return content
