import datetime as dt
import json
import os
import stat
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets.serving.http.auth import RELOAD_INTERVAL_S, Authenticator, KeyFile, is_loopback
from ds_assets.serving.http.problems import ProblemError
from ds_assets.serving.http.rate_limit import RateLimiter

ELSEWHERE = "192.0.2.7:1"


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "home" / "api_keys.json")


def bearer(secret: str) -> str:
    return f"Bearer {secret}"


def refusal(gate: Authenticator, header: str, now: float, client: str = ELSEWHERE) -> ProblemError:
    ask, who = (gate.authenticate, header) if header else (gate.admit_local, client)
    with pytest.raises(ProblemError) as caught:
        ask(who, now)
    return caught.value


def test_a_key_is_long_and_random_and_only_its_hash_is_kept(keys: KeyFile) -> None:
    first, second = keys.add("shop"), keys.add("mail")
    assert first != second
    assert len(first) > 40
    text = keys.path.read_text()
    assert first not in text
    assert second not in text
    today = dt.datetime.now(dt.UTC).date()
    assert [(key.name, key.created) for key in keys.read()] == [("shop", today), ("mail", today)]


def test_nobody_else_may_read_the_file_and_nothing_is_left_beside_it(keys: KeyFile) -> None:
    keys.add("shop")
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert list(keys.path.parent.iterdir()) == [keys.path]


@pytest.mark.parametrize("name", ["shop", ""])
def test_a_name_that_is_taken_or_empty_is_refused(keys: KeyFile, name: str) -> None:
    keys.add("shop")
    with pytest.raises(InputError, match="choose another name"):
        keys.add(name)


def test_a_key_that_is_not_there_cannot_be_revoked(keys: KeyFile) -> None:
    with pytest.raises(InputError, match="no API key is named 'shop'; existing keys: none"):
        keys.revoke("shop")
    keys.add("mail")
    with pytest.raises(InputError, match="existing keys: mail"):
        keys.revoke("shop")


@pytest.mark.parametrize("text", ["", "{}", '[{"name": "x"}]', "[1", "\xff"])
def test_a_file_that_holds_something_else_is_told(keys: KeyFile, text: str) -> None:
    keys.path.parent.mkdir()
    keys.path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"api_keys\.json \(DS_ASSETS_API_KEYS\) cannot be read"):
        keys.read()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder is needed")
    with pytest.raises(InputError, match="cannot be"):
        KeyFile(tmp_path / "home" / "api_keys.json").add("shop")


def test_without_any_key_this_machine_is_let_in_and_nobody_else(keys: KeyFile) -> None:
    gate = Authenticator(keys, 10)
    gate.admit_local("127.0.0.1:1", 1.0)
    gate.admit_local("[::1]:1", 1.0)
    assert refusal(gate, "", 1.0).problem.status == 401


def test_with_a_key_everybody_needs_one(keys: KeyFile) -> None:
    secret = keys.add("shop")
    gate = Authenticator(keys, 10)
    gate.authenticate(bearer(secret), 1.0)
    gate.authenticate(f"bEARER  {secret}", 1.0)
    assert refusal(gate, "", 1.0, "127.0.0.1:1").problem.status == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "\xff\xfe", "Bearer \xff"]
)
def test_a_header_without_a_valid_key_is_refused(keys: KeyFile, header: str) -> None:
    secret = keys.add("shop")
    refused = refusal(Authenticator(keys, 10), header, 1.0)
    assert (refused.problem.status, refused.reply.headers[-1][0]) == (401, "www-authenticate")
    assert secret.encode() not in refused.reply.body


def test_a_key_for_a_service_without_keys_is_refused_with_what_to_do(keys: KeyFile) -> None:
    refused = refusal(Authenticator(keys, 10), bearer("KEY"), 1.0)
    assert b"no API key yet: on its own machine send no header" in refused.reply.body


def test_the_hash_of_a_key_is_not_a_key(keys: KeyFile) -> None:
    keys.add("shop")
    gate = Authenticator(keys, 10)
    assert refusal(gate, bearer(keys.read()[0].sha256), 1.0).problem.status == 401


def test_a_key_that_is_made_or_revoked_counts_after_a_second(keys: KeyFile) -> None:
    first = keys.add("shop")
    gate = Authenticator(keys, 10)
    gate.authenticate(bearer(first), 1.0)
    second = keys.add("mail")
    keys.revoke("shop")
    gate.authenticate(bearer(first), 1.0 + 0.9 * RELOAD_INTERVAL_S)
    later = 1.0 + RELOAD_INTERVAL_S
    assert refusal(gate, bearer(first), later).problem.status == 401
    gate.authenticate(bearer(second), later)


def test_when_the_last_key_is_revoked_or_the_file_is_gone_nobody_is_let_in(keys: KeyFile) -> None:
    secret = keys.add("shop")
    gate = Authenticator(keys, 10)
    gate.authenticate(bearer(secret), 1.0)
    keys.revoke("shop")
    assert refusal(gate, bearer(secret), 3.0, "127.0.0.1:1").problem.status == 401
    assert refusal(gate, "", 3.0, "127.0.0.1:1").problem.status == 401
    keys.path.unlink()
    assert refusal(gate, "", 5.0, "127.0.0.1:1").problem.status == 401


def test_a_file_that_is_damaged_changes_nothing_until_it_is_whole_again(
    keys: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    first = keys.add("shop")
    whole = json.loads(keys.path.read_text())
    gate = Authenticator(keys, 10)
    gate.authenticate(bearer(first), 1.0)
    keys.path.write_text("[")
    gate.authenticate(bearer(first), 3.0)
    assert "keeping the current ones" in caplog.text
    keys.path.write_text(json.dumps([]))
    assert refusal(gate, bearer(first), 5.0).problem.status == 401
    keys.path.write_text(json.dumps(whole, indent=4))
    gate.authenticate(bearer(first), 7.0)


def test_a_file_that_is_damaged_from_the_start_lets_nobody_in(keys: KeyFile) -> None:
    keys.path.parent.mkdir()
    keys.path.write_text("[")
    assert refusal(Authenticator(keys, 10), "", 1.0, "127.0.0.1:1").problem.status == 401


def test_each_key_may_be_used_so_often_and_no_oftener(keys: KeyFile) -> None:
    first, second = bearer(keys.add("shop")), bearer(keys.add("mail"))
    gate = Authenticator(keys, 10)
    for _ in range(10):
        gate.authenticate(first, 1.0)
    refused = refusal(gate, first, 1.0)
    assert refused.problem.status == 429
    assert ("retry-after", "1") in refused.reply.headers
    gate.authenticate(second, 1.0)
    # The same key written in another way is the same key.
    assert refusal(gate, first.replace("Bearer", "BEARER "), 1.0).problem.status == 429
    gate.authenticate(first, 1.11)
    assert refusal(gate, first, 1.11).problem.status == 429


def test_the_rate_is_kept_over_a_long_time() -> None:
    limiter = RateLimiter(100)
    passed = sum(not limiter.try_acquire(10 + step / 1_000) for step in range(5_000))
    assert passed == pytest.approx(100 + 5 * 100, abs=2)


def test_looking_again_does_not_forget_how_often_a_key_was_used(keys: KeyFile) -> None:
    secret = bearer(keys.add("shop"))
    gate = Authenticator(keys, 1)
    gate.authenticate(secret, 1.0)
    os.utime(keys.path, ns=(1, 1))
    gate.authenticate(secret, 2.5)
    assert refusal(gate, secret, 2.6).problem.status == 429


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", False),
        ("0.0.0.0", False),  # noqa: S104  (that is what is refused)
        ("::", False),
        ("192.0.2.7", False),
        ("127.0.0.1.example.com", False),
        ("", False),
    ],
)
def test_loopback_is_known_by_its_address(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
