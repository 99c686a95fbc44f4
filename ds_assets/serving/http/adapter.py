"""The prediction service as the backend of the HTTP API."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType

from ds_assets.serving.answer import Answer
from ds_assets.serving.health import Counts, Health
from ds_assets.serving.http.protocol import Backend, ScoreRequest
from ds_assets.serving.live_scoring import UserToScore
from ds_assets.serving.service import PredictionService
from ds_assets.serving.shown_offers import ShownOffers

Given = TypeVar("Given", bound=Mapping[str, Any] | Sequence[Mapping[str, Any]])


@asynccontextmanager
async def open_backend(
    open_service: Callable[[], AbstractContextManager[PredictionService]],
    shown_offers: ShownOffers,
) -> AsyncIterator[Backend]:
    """The service on the event loop of a worker; it loads the newest day and looks for newer ones.

    Args:
        open_service: Opens the service.
        shown_offers: Stores what clients report.

    Raises:
        InputError: a setting is not valid.
    """
    with open_service() as service:
        await service.warm()
        await service.refresh()
        fresh = asyncio.create_task(service.keep_fresh())
        try:
            yield _ServiceBackend(service, shown_offers)
        finally:
            shown_offers.close()
            fresh.cancel()
            await service.close()


class _ServiceBackend:
    """Passes decoded requests on to the prediction service, and reports to the lake."""

    def __init__(self, service: PredictionService, shown_offers: ShownOffers) -> None:
        self._service = service
        self.answer_one, self.answer = service.answer_one, service.answer
        self.store_shown_offers = shown_offers.store

    async def score(self, request: ScoreRequest) -> Sequence[Answer]:
        users = [
            UserToScore(user.user_id, _given(user.features), _given(user.events), user.user_group)
            for user in request.users
        ]
        return await self._service.score(users, reasons=request.reasons)

    def health(self) -> Health:
        return self._service.health()

    def counts(self) -> Counts:
        return self._service.counts()


def _given(value: Given | UnsetType) -> Given | None:
    return None if value is UNSET else value
