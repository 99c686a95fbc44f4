"""A receiver of messages over HTTP, signed as Standard Webhooks (standardwebhooks.com) defines it.

Scope: one message, with its signature and retries. Which message is next is in
`promotion_messages`.
"""

import datetime as dt
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Self
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook as Signer
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_before_delay,
    wait_random_exponential,
)

from ds_assets.core.promotions.messages import Message
from ds_assets.errors import InputError, Unavailable
from ds_assets.infra.transfer import CONNECT_TIMEOUT_S, is_temporary

READ_TIMEOUT_S = 15
"""Seconds that a receiver has for its reply, as Standard Webhooks recommends."""
PATIENCE_S = 45
"""Seconds after which no further attempt is made; the next run continues."""
_LONGEST_PAUSE_S = 20
_RECEIVER_DIGITS = 16
_MAX_BODY_BYTES = 1 << 16


class WebhookRefused(InputError):
    """The receiver does not accept a message, and would not accept it a moment later."""


class WebhookUnavailable(Unavailable):
    """The receiver cannot be reached, or cannot accept a message now."""

    def __init__(self, text: str, pause_seconds: float = 0) -> None:
        super().__init__(text)
        self.pause_seconds = pause_seconds


class Webhook:
    """The receiver at one address. Nothing is connected before the first message.

    Args:
        url: The address.
        secret: The secret that signs messages.
        patience: Seconds after which no further attempt is made.
        pause: Seconds that the first pause has at most; those after it double.
    """

    def __init__(
        self, url: str, secret: str, patience: float = PATIENCE_S, pause: float = 1.0
    ) -> None:
        self._url, self._signer = url, Signer(secret)
        self._client = httpx.Client(
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        )
        self._patience, self._pause = patience, pause
        self._where = f"the receiver at {urlsplit(url).hostname} (DS_ASSETS_WEBHOOK_URL)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def receiver(self) -> str:
        """A name for the address, from which nobody learns the address."""
        return hashlib.sha256(self._url.encode()).hexdigest()[:_RECEIVER_DIGITS]

    def send(self, message: Message) -> None:
        """Send a message until the receiver acknowledges it.

        Raises:
            WebhookRefused: The receiver refuses it.
            WebhookUnavailable: The receiver cannot accept it now, after all attempts.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(WebhookUnavailable),
            stop=stop_before_delay(self._patience),
            wait=_wait(self._pause),
            reraise=True,
        )
        attempts(self.send_once, message)

    def send_once(self, message: Message) -> None:
        """Send a message without a further attempt; raises what `send` raises."""
        now = dt.datetime.now(dt.UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message.id, now, message.body),
        }
        try:
            with self._client.stream(
                "POST", self._url, content=message.body.encode(), headers=headers
            ) as reply:
                _use_up(reply)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise WebhookUnavailable(f"{self._where} cannot be used: {reason}") from None
        if not reply.is_success:
            raise self._refusal(message, reply)

    def _refusal(
        self, message: Message, reply: httpx.Response
    ) -> WebhookRefused | WebhookUnavailable:
        answer = f"{reply.status_code} {reply.reason_phrase}".strip()
        if is_temporary(reply.status_code):
            pause = _read_pause(reply.headers.get("retry-after", ""))
            return WebhookUnavailable(f"{self._where} answers {answer}", pause)
        advice = _ADVICE.get(reply.status_code, "its own log says why; correct it, and run the day")
        return WebhookRefused(
            f"{self._where} does not accept the message {message.id}: it answers {answer}; {advice}"
        )


_ADVICE: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "compare its secret with DS_ASSETS_WEBHOOK_SECRET",
    HTTPStatus.FORBIDDEN: "compare its secret with DS_ASSETS_WEBHOOK_SECRET",
    HTTPStatus.NOT_FOUND: "correct the path of the address",
    HTTPStatus.GONE: "it wants no messages any more; remove or correct DS_ASSETS_WEBHOOK_URL",
    **dict.fromkeys(
        (
            *(HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER),
            *(HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT),
        ),
        "redirects are not followed; set the address that it redirects to",
    ),
}


def _use_up(reply: httpx.Response) -> None:
    """Read a short body, so that the connection can be used again; the status says it all."""
    size = reply.headers.get("content-length", "")
    if size.isdecimal() and int(size) <= _MAX_BODY_BYTES:
        with suppress(httpx.HTTPError):
            reply.read()


def _wait(pause: float) -> Callable[[RetryCallState], float]:
    """The pause before an attempt: it grows, and is at least what the receiver asks for."""
    growing = wait_random_exponential(multiplier=pause, max=_LONGEST_PAUSE_S)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wanted = error.pause_seconds if isinstance(error, WebhookUnavailable) else 0
        return max(wanted, growing(state))

    return wait


def _read_pause(retry_after: str) -> float:
    """Seconds of the header Retry-After, which has a number or a time; 0 without one."""
    try:
        return float(retry_after) if retry_after.isdecimal() else _seconds_until(retry_after)
    except ValueError:
        return 0


def _seconds_until(http_date: str) -> float:
    return max(0.0, parsedate_to_datetime(http_date).timestamp() - time.time())
