"""Our API under load: its installation, its server, what that is asked, and whether it answers.

Belongs here: what is ours. Does not belong here: loads, and other servers.
"""

import json
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import questions
from benchmarks.loads import CONNECTIONS, FEWER_CONNECTIONS, Target
from benchmarks.served_day import ServedDay
from benchmarks.servers import HttpServer
from ds_assets.serving.http.keys import KeyFile

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
    asked = {"get": questions.paths(day.ids)}
    asked |= {f"post_{size}": questions.ids(day.ids, size) for size in SIZES}
    users = day.features(min(_SCORED, len(day.ids)))
    asked |= {f"score_{size}": questions.features(users, size) for size in SIZES}
    environment = {
        "DS_ASSETS_HOME": str(folder),
        "DS_ASSETS_GAME": str(day.folder / "game.yaml"),
        "DS_ASSETS_LAKE": str(day.folder / "lake"),
        "DS_ASSETS_CACHE_URL": redis_url,
        "DS_ASSETS_API_KEYS": str(keys),
        "DS_ASSETS_REQUESTS_PER_KEY": "1000000",
    }
    files = {name: questions.written(folder / name, lines) for name, lines in asked.items()}
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

    def check(self) -> None:
        """Make sure that every answer so far came from where it should.

        Raises:
            ValueError: one did not.
        """
        families = text_string_to_metric_families(self._read("/metrics").decode())
        samples = [sample for family in families for sample in family.samples]
        answers = {
            one.labels["source"]: one.value
            for one in samples
            if one.name == "ds_assets_answers_total"
        }
        others = {name: count for name, count in answers.items() if name not in {"cache", "live"}}
        if any(others.values()):
            raise ValueError(f"answers came from elsewhere than the cache and the model: {others}")

    def example(self) -> dict[str, Any]:
        """The answer to the first of its users."""
        path = self._installation.files["get"].read_text(encoding="utf-8").partition("\n")[0]
        answer: dict[str, Any] = json.loads(self._read(path))
        return answer

    def _read(self, path: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._installation.key}"}
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310  (ours)
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            content: bytes = reply.read()
        return content
