import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ds_assets.core.promotions.messages import Message
from ds_assets.infra.webhook import Webhook, WebhookRefused, WebhookUnavailable
from ds_assets_tests.infra.receivers import ACKNOWLEDGED, SECRET, Reply, receiving

MESSAGE = Message("msg_1", '{"type":"promotion.changes","data":{"name":"Zoë"}}')


def webhook(url: str, patience: float = 20, pause: float = 0.01) -> Webhook:
    return Webhook(url, SECRET, patience, pause)


def refusal(status: int, headers: Mapping[str, str] | None = None) -> tuple[str, int]:
    """The error of a receiver that always answers the same, and how often it was asked."""
    with (
        receiving(lambda _: (status, headers or {})) as receiver,
        webhook(receiver.url) as hook,
        pytest.raises(WebhookRefused) as refused,
    ):
        hook.send(MESSAGE)
    return str(refused.value), len(receiver.attempts)


def test_a_receiver_gets_a_message_that_it_can_verify() -> None:
    with receiving() as receiver, webhook(receiver.url) as hook:
        hook.send(MESSAGE)
        hook.send(Message("msg_2", "{}"))
    assert receiver.accepted == [
        ("msg_1", {"type": "promotion.changes", "data": {"name": "Zoë"}}),
        ("msg_2", {}),
    ]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_with_the_same_id(status: int) -> None:
    def reply(attempt: int) -> Reply:
        return ACKNOWLEDGED if attempt == 2 else (status, {})

    with receiving(reply) as receiver, webhook(receiver.url) as hook:
        hook.send(MESSAGE)
    assert receiver.attempts == ["msg_1"] * 3
    assert receiver.ids() == ["msg_1"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "its own log says why"),
        (401, "compare its secret with DS_ASSETS_WEBHOOK_SECRET"),
        (404, "correct the path"),
        (410, "remove or correct DS_ASSETS_WEBHOOK_URL"),
        (422, "its own log says why"),
    ],
)
def test_what_will_not_pass_is_said_in_one_sentence_and_not_tried_again(
    status: int, words: str
) -> None:
    text, attempts = refusal(status)
    assert attempts == 1
    assert words in text
    assert f"the message msg_1: it answers {status} " in text
    assert "DS_ASSETS_WEBHOOK_URL" in text
    assert "t0ken" not in text
    assert SECRET not in text


def test_a_redirect_is_not_followed() -> None:
    text, attempts = refusal(308, {"location": "http://127.0.0.1:1/"})
    assert attempts == 1
    assert "redirects are not followed" in text


@pytest.mark.slow
@pytest.mark.parametrize("form", ["seconds", "time"])
def test_a_receiver_says_how_long_to_wait(form: str) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=2)
    wanted = "1" if form == "seconds" else format_datetime(moment, usegmt=True)
    with receiving(lambda it: (429, {"retry-after": wanted}) if it == 0 else ACKNOWLEDGED) as (
        receiver
    ):
        started = time.monotonic()
        with webhook(receiver.url) as hook:
            hook.send(MESSAGE)
    assert time.monotonic() - started > 0.9
    assert receiver.attempts == ["msg_1"] * 2


def test_a_receiver_that_wants_a_long_pause_is_left_to_the_next_run() -> None:
    with (
        receiving(lambda _: (429, {"retry-after": "3600"})) as receiver,
        webhook(receiver.url) as hook,
        pytest.raises(WebhookUnavailable, match="answers 429 Too Many Requests"),
    ):
        hook.send(MESSAGE)
    assert len(receiver.attempts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("pause", ["soon", "-1", "", "٣", "1e999", "Mon, 99 Nov 2026"])
def test_a_pause_that_is_no_time_is_ignored(pause: str) -> None:
    with (
        receiving(
            lambda it: (
                (503, {"retry-after": pause.encode().decode("latin-1")})
                if it == 0
                else ACKNOWLEDGED
            )
        ) as receiver,
        webhook(receiver.url) as hook,
    ):
        hook.send(MESSAGE)
    assert receiver.ids() == ["msg_1"]


def test_a_receiver_that_is_down_is_named_without_its_path() -> None:
    with receiving() as receiver:
        url = receiver.url
    with webhook(url, patience=0.2) as hook, pytest.raises(WebhookUnavailable) as lost:
        hook.send(MESSAGE)
    assert "the receiver at 127.0.0.1 (DS_ASSETS_WEBHOOK_URL) cannot be used" in str(lost.value)
    assert "t0ken" not in str(lost.value)


def test_the_name_of_a_receiver_depends_on_its_address_and_does_not_show_it() -> None:
    names = {webhook(f"https://crm.example/{path}").receiver for path in ("a", "b", "b")}
    assert len(names) == 2
    assert all(name.isalnum() for name in names)
