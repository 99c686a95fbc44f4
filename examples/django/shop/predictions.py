"""The prediction service of this process, and reports of the offers that were shown."""

import atexit
import os
import threading
from contextlib import ExitStack
from functools import cache
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from ds_assets.errors import InputError
from ds_assets.infra.lake.shown_offers import ShownOffer, store_shown_offers
from ds_assets.installation import load_installation
from ds_assets.serving.answer import Prediction
from ds_assets.serving.blocking import BlockingService, blocking
from ds_assets.serving.sources import REQUEST_TIMEOUT_S

_opening = threading.Lock()


def prediction_of(player_id: str) -> Prediction:
    """Get the prediction for a player, within about a second, whatever is down.

    Raises:
        InputError: no player can have such an id.
        ImproperlyConfigured: a setting of the installation, or its game file, is not valid.
    """
    with _opening:
        service = _service_of(os.getpid())
    (prediction,) = service.answer([player_id])
    return prediction


def report_shown(player_id: str, assignment_id: str) -> None:
    """Report that the offer of an assignment was shown; what is reported twice counts once.

    Raises:
        LakeUnavailable: it cannot be stored now.
    """
    installation = load_installation()
    now = timezone.now()
    day = now.astimezone(ZoneInfo(installation.game.time_zone)).date()
    store_shown_offers([ShownOffer(player_id, assignment_id, now)], day, installation.lake())


@cache
def _service_of(process: int) -> BlockingService:
    """Open the service of a process, at its first request: a fork has none of its parent's threads.

    So a server can load the project before or after it forks.
    """
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(load_installation().service(REQUEST_TIMEOUT_S))
            service = stack.enter_context(blocking(opened))
        except InputError as error:
            raise ImproperlyConfigured(str(error)) from None
        atexit.register(_close, process, stack.pop_all())
    return service


def _close(process: int, opened: ExitStack) -> None:
    if os.getpid() == process:
        opened.close()
