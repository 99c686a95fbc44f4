"""The live model inside the service: `python -m benchmarks.subjects.live_score HOME`.

HOME contains what `make_served_day` makes. Features are given, as with `POST /v1/score`, and
answers are JSON; HTTP is not involved. The control is what ONNX Runtime needs for the models that
an answer takes. Times are those of the median call, in microseconds per user.
"""

import asyncio
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.child import Start, tell
from benchmarks.served_day import ServedDay
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving.answer import calendar_of
from ds_assets.serving.live_model import LakeModel
from ds_assets.serving.live_scoring import UserToScore
from ds_assets.serving.service import PredictionService
from ds_assets.serving.sources import INTERACTIVE_TIMEOUT_S

MAX_USERS = 100
CALLS = 200


def main() -> None:
    day = ServedDay(Path(sys.argv[1]))
    users = [UserToScore(user.pop("user_id"), user, None) for user in day.features(10 * MAX_USERS)]
    live = LakeModel(day.lake, day.game)
    with (
        PredictionCache(Path("cache"), day.game.name, 7) as cache,
        ResultsDatabase("sqlite:///none.sqlite") as results,  # neither is asked
    ):
        service = PredictionService(
            cache, results, live, calendar_of(day.game), timeout=INTERACTIVE_TIMEOUT_S
        )
        start = Start.now()
        measured = asyncio.run(_measured(service, users))
        tell(start, onnx=_onnx_microseconds(day), **measured)


async def _measured(
    service: PredictionService, all_users: Sequence[UserToScore]
) -> dict[str, float]:
    microseconds = {}
    for users in (1, MAX_USERS):
        for reasons in (False, True):
            name = f"users_{users}{'_with_reasons' if reasons else ''}"
            microseconds[name] = await _microseconds(service, all_users, users, reasons=reasons)
    await service.close()
    return microseconds


async def _microseconds(
    service: PredictionService, all_users: Sequence[UserToScore], users: int, *, reasons: bool
) -> float:
    times = []
    for call in range(CALLS):
        first = call * users % len(all_users)
        start = perf_counter()
        answers = await service.score(all_users[first : first + users], reasons=reasons)
        for answer in answers:
            answer.to_json()
        times.append(perf_counter() - start)
    return round(1e6 * statistics.median(times) / users, 1)


def _onnx_microseconds(day: ServedDay) -> float:
    times = []
    ready = [day.model_calls(place) for place in range(CALLS)]
    for calls in ready:
        start = perf_counter()
        for call in calls:
            call()
        times.append(perf_counter() - start)
    return round(1e6 * statistics.median(times), 1)


if __name__ == "__main__":
    main()
