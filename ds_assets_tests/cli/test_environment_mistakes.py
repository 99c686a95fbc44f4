"""Mistakes in the environment, with the one sentence that a command has for each."""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from ds_assets_tests.assets.factories import START, Installation, change_game, event
from ds_assets_tests.cli.test_main import Shell, shell
from ds_assets_tests.conftest import BUCKET
from ds_assets_tests.infra.receivers import SECRET, receiving
from ds_assets_tests.infra.results.databases import execute

__all__ = ["shell"]

CHECK, RUN = ("check",), ("run", str(START))
AWS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
}
MYSQL, POSTGRESQL = "mysql+pymysql://me:s3cret@", "postgresql+psycopg://me:s3cret@"
COMPLAINT = re.compile(
    r"(?:: |^)(?:mistake|unavailable): (.*)|^ds-assets: (?!the environment has)(.*)|^  - (.*)"
    r"|(Invalid value for .*?) +│"
)


class Mistake(NamedTuple):
    """Settings, the command that meets them, its exit code and parts of its one sentence."""

    settings: dict[str, str]
    command: tuple[str, ...]
    code: int
    sentence: tuple[str, ...]


@pytest.fixture
def places(tmp_path: Path) -> Mapping[str, object]:
    """A file and a folder that settings name, and the folder around them."""
    (tmp_path / "file").write_text("[text")
    (tmp_path / "folder").mkdir()
    return {"here": tmp_path, "file": tmp_path / "file", "folder": tmp_path / "folder"}


@pytest.fixture
def shell_with_logs(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in whose home nothing is wrong."""
    for name in (*AWS, "AWS_PROFILE", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    Installation(shell.home).write_logs(START, event(1, f"{START}T10:00:00Z"))
    return shell


def complain(shell: Shell, mistake: Mistake, places: Mapping[str, object]) -> str:
    """The one sentence of a command, without a secret; it ends with the mistake's exit code."""
    for name, value in mistake.settings.items():
        shell.env(name, value.format(**places))
    code, out, err = shell(*(word.format(**places) for word in mistake.command))
    matches = [COMPLAINT.search(line) for line in (out + err).splitlines()]
    sentences = [str(match[match.lastindex or 0]) for match in matches if match]
    assert len(sentences) == 1, out + err
    assert code == mistake.code, sentences
    assert "s3cret" not in out + err
    return sentences[0]


def assert_is_said(mistake: Mistake, sentence: str, places: Mapping[str, object]) -> None:
    pattern = ".*".join(re.escape(part.format(**places)) for part in mistake.sentence)
    assert re.search(pattern, sentence), sentence


MISTAKES = {
    "a misspelt variable": Mistake(
        {"DS_ASSETS_CASHE_URL": "redis://:s3cret@host"},
        CHECK,
        2,
        ("DS_ASSETS_CASHE_URL is not a setting", "did you mean DS_ASSETS_CACHE_URL?"),
    ),
    "a memory limit with a unit": Mistake(
        {"DS_ASSETS_MEMORY_LIMIT_MB": "2GB"},
        RUN,
        2,
        ("DS_ASSETS_MEMORY_LIMIT_MB: found '2GB'; Input should be a valid integer",),
    ),
    "a name of the installation with a blank": Mistake(
        {"DS_ASSETS_INSTALLATION": "my game"},
        CHECK,
        2,
        ("DS_ASSETS_INSTALLATION: found 'my game'; use up to 63 letters, digits",),
    ),
    "a home that does not exist": Mistake(
        {"DS_ASSETS_HOME": "{here}/hoem", "DS_ASSETS_GAME": "{here}/home/game.yaml"},
        CHECK,
        2,
        ("DS_ASSETS_HOME names {here}/hoem, which is not a folder; create it, or correct",),
    ),
    "a home without a game file": Mistake(
        {"DS_ASSETS_HOME": "{folder}"},
        RUN,
        2,
        ("no game.yaml in {folder} (DS_ASSETS_HOME)", "`ds-assets init LOGS`", "DS_ASSETS_GAME"),
    ),
    "a home without a game file that is checked": Mistake(
        {"DS_ASSETS_HOME": "{folder}"},
        CHECK,
        2,
        ("no game.yaml in {folder} (DS_ASSETS_HOME)", "`ds-assets init LOGS`", "DS_ASSETS_GAME"),
    ),
    "a game file that does not exist": Mistake(
        {"DS_ASSETS_GAME": "{here}/gaem.yaml"}, RUN, 2, ("no game file at {here}/gaem.yaml; ",)
    ),
    "a lake that is a file": Mistake(
        {"DS_ASSETS_LAKE": "{file}"}, CHECK, 2, ("{file} is not a folder; correct DS_ASSETS_LAKE",)
    ),
    "a lake that is a file, in a run": Mistake(
        {"DS_ASSETS_LAKE": "{file}"}, RUN, 2, ("{file} is not a folder; correct DS_ASSETS_LAKE",)
    ),
    "a lake that is a file, in the status": Mistake(
        {"DS_ASSETS_LAKE": "{file}"},
        ("status",),
        2,
        ("{file} is not a folder; correct DS_ASSETS_LAKE",),
    ),
    "a lake that is a file, in the service": Mistake(
        {"DS_ASSETS_LAKE": "{file}"},
        ("serve", "--port", "1"),
        2,
        ("{file} is not a folder; correct DS_ASSETS_LAKE",),
    ),
    "a lake that nobody may write": Mistake(
        {"DS_ASSETS_LAKE": "/proc/lake"},
        RUN,
        2,
        ("the lake /proc/lake cannot be written: ", "; correct DS_ASSETS_LAKE, or let this user"),
    ),
    "an address of a lake as its folder": Mistake(
        {"DS_ASSETS_LAKE": "https://account.blob.core.windows.net/lake"},
        CHECK,
        2,
        ("DS_ASSETS_LAKE: found 'https://…; must be a path; for an address", "_URL"),
    ),
    "a source that is a file": Mistake(
        {"DS_ASSETS_SOURCE": "{file}"},
        RUN,
        2,
        ("{file} is not a folder; correct DS_ASSETS_SOURCE",),
    ),
    "a source that does not exist": Mistake(
        {"DS_ASSETS_SOURCE": "{here}/no"},
        CHECK,
        2,
        ("the folder {here}/no does not exist; create it, or correct DS_ASSETS_SOURCE",),
    ),
    "a lake in S3": Mistake(
        {"DS_ASSETS_LAKE_URL": "s3://bucket/lake"},
        CHECK,
        2,
        ("DS_ASSETS_LAKE_URL: found 's3://…; must be https://ACCOUNT.blob.core.windows",),
    ),
    "a connection string as a lake": Mistake(
        {"DS_ASSETS_LAKE_URL": "AccountName=a;AccountKey=s3cret==;EndpointSuffix=core"},
        CHECK,
        2,
        ("DS_ASSETS_LAKE_URL: found 'AccountName=a;AccountKey=…; must be https://ACCOUNT",),
    ),
    "a lake whose port is no number": Mistake(
        {"DS_ASSETS_LAKE_URL": "https://host:port/lake"},
        CHECK,
        2,
        ("DS_ASSETS_LAKE_URL: found 'https://…; must be https://ACCOUNT.blob.core.windows",),
    ),
    "a folder in a container": Mistake(
        {"DS_ASSETS_LAKE_URL": "https://a.blob.core.windows.net/lake/folder"},
        CHECK,
        2,
        ("DS_ASSETS_LAKE_URL: found 'https://…; must be https://ACCOUNT.blob.core.windows",),
    ),
    "a lake whose address names no account, with a key": Mistake(
        {"DS_ASSETS_LAKE_URL": "https://blob.example/lake", "AZURE_STORAGE_KEY": "czNjcmV0"},
        CHECK,
        2,
        ("blob.example/lake (DS_ASSETS_LAKE_URL) cannot be used", "https://ACCOUNT.blob."),
    ),
    "a storage key that is cut": Mistake(
        {"DS_ASSETS_LAKE_URL": "http://127.0.0.1:1/a/lake", "AZURE_STORAGE_KEY": "s3cret"},
        CHECK,
        2,
        ("the account key is not Base64; see AZURE_STORAGE_KEY",),
    ),
    "a bucket with a character that none has": Mistake(
        {**AWS, "DS_ASSETS_SOURCE_URL": "s3://my bucket!/logs"},
        CHECK,
        2,
        ("s3://my bucket!/logs/ (DS_ASSETS_SOURCE_URL) does not name a bucket; accepted",),
    ),
    "an S3 endpoint that is no address": Mistake(
        {**AWS, "DS_ASSETS_SOURCE_URL": "s3://b/logs", "AWS_ENDPOINT_URL_S3": "localhost:9000"},
        RUN,
        2,
        ("DS_ASSETS_SOURCE_URL", "Invalid endpoint: localhost:9000; ", "AWS_ENDPOINT_URL_S3"),
    ),
    "half of a key pair of AWS": Mistake(
        {"DS_ASSETS_SOURCE_URL": "s3://b/logs", "AWS_ACCESS_KEY_ID": "key"},
        CHECK,
        2,
        ("DS_ASSETS_SOURCE_URL", "missing: AWS_SECRET_ACCESS_KEY; see AWS_PROFILE"),
    ),
    "a profile of AWS that does not exist": Mistake(
        {"DS_ASSETS_SOURCE_URL": "s3://b/logs", "AWS_PROFILE": "nobody"},
        RUN,
        2,
        ("DS_ASSETS_SOURCE_URL", "profile (nobody) could not be found; see AWS_PROFILE"),
    ),
    "a results database whose port is no number": Mistake(
        {"DS_ASSETS_RESULTS_URL": f"{MYSQL}host:port/db"},
        CHECK,
        2,
        ("DS_ASSETS_RESULTS_URL is not a database URL; accepted are for example sqlite:///",),
    ),
    "the same for the service": Mistake(
        {"DS_ASSETS_RESULTS_URL": f"{MYSQL}host:port/db"},
        ("serve", "--port", "1"),
        2,
        ("DS_ASSETS_RESULTS_URL is not a database URL; accepted are for example sqlite:///",),
    ),
    "a server without a database": Mistake(
        {"DS_ASSETS_RESULTS_URL": f"{MYSQL}127.0.0.1:1"},
        CHECK,
        2,
        ("DS_ASSETS_RESULTS_URL names no database; accepted are",),
    ),
    "a database in memory": Mistake(
        {"DS_ASSETS_RESULTS_URL": "sqlite:///:memory:"},
        CHECK,
        2,
        ("DS_ASSETS_RESULTS_URL: found sqlite://…; must name a file, such as sqlite:///",),
    ),
    "a password with an unescaped character": Mistake(
        {"DS_ASSETS_RESULTS_URL": "mysql+pymysql://me:s3@cret/s3cret@127.0.0.1:1/db"},
        CHECK,
        2,
        ("DS_ASSETS_RESULTS_URL has an '@', '/' or ':' in its user or password; write %40",),
    ),
    "a driver that is not the one": Mistake(
        {"DS_ASSETS_RESULTS_URL": "mysql://me:s3cret@host/db"},
        CHECK,
        2,
        ("DS_ASSETS_RESULTS_URL: found mysql://…; must begin with sqlite:///, mysql+pymysql://",),
    ),
    "a database that is a text": Mistake(
        {"DS_ASSETS_RESULTS_URL": "sqlite:///{file}"},
        CHECK,
        2,
        ("sqlite:///{file} (DS_ASSETS_RESULTS_URL)", "file is not a database; correct the URL"),
    ),
    "a host that does not exist": Mistake(
        {"DS_ASSETS_RESULTS_URL": f"{MYSQL}no-such-host.invalid/db"},
        CHECK,
        3,
        ("DS_ASSETS_RESULTS_URL", "Can't connect to MySQL server on 'no-such-host.invalid'"),
    ),
    "a certificate that is no certificate": Mistake(
        {"DS_ASSETS_RESULTS_URL": f"{POSTGRESQL}127.0.0.1:1/db?sslrootcert={{file}}"},
        CHECK,
        2,
        ("DS_ASSETS_RESULTS_URL: sslrootcert names {file}, which is not in the form PEM",),
    ),
    "a certificate that is a folder": Mistake(
        {"DS_ASSETS_RESULTS_URL": f"{MYSQL}127.0.0.1:1/db?ssl_ca={{folder}}"},
        CHECK,
        2,
        ("DS_ASSETS_RESULTS_URL: ssl_ca names {folder}, which cannot be read: Is a dir",),
    ),
    "a certificate for Redis that does not exist": Mistake(
        {"DS_ASSETS_CACHE_URL": "rediss://:s3cret@127.0.0.1:1/0?ssl_ca_certs={here}/no.pem"},
        CHECK,
        2,
        ("DS_ASSETS_CACHE_URL: ssl_ca_certs names {here}/no.pem, and there is no such file",),
    ),
    "a Redis that is down": Mistake(
        {"DS_ASSETS_CACHE_URL": "redis://:s3cret@127.0.0.1:1/0"},
        CHECK,
        3,
        ("redis://127.0.0.1:1/0 (DS_ASSETS_CACHE_URL) cannot be used: ", "Connection refused"),
    ),
    "a Redis whose port is no number": Mistake(
        {"DS_ASSETS_CACHE_URL": "redis://:s3cret@127.0.0.1:six/0"},
        CHECK,
        2,
        ("DS_ASSETS_CACHE_URL is not a Redis URL; accepted is for example redis://user",),
    ),
    "a receiver without a scheme": Mistake(
        {"DS_ASSETS_WEBHOOK_URL": "me:s3cret@crm.example/hook", "DS_ASSETS_WEBHOOK_SECRET": SECRET},
        CHECK,
        2,
        ("DS_ASSETS_WEBHOOK_URL: found ", "; must be https://HOST/PATH, or http:// inside"),
    ),
    "a receiver whose host has an empty part": Mistake(
        {"DS_ASSETS_WEBHOOK_URL": "https://a..example/s3cret", "DS_ASSETS_WEBHOOK_SECRET": SECRET},
        RUN,
        2,
        ("DS_ASSETS_WEBHOOK_URL: found https://…; must be https://HOST/PATH, or http:// inside",),
    ),
    "a receiver without a secret": Mistake(
        {"DS_ASSETS_WEBHOOK_URL": "https://crm.example/s3cret"},
        CHECK,
        2,
        ("DS_ASSETS_WEBHOOK_SECRET: found ", "required with DS_ASSETS_WEBHOOK_URL", "makes one"),
    ),
    "a secret that is a password": Mistake(
        {"DS_ASSETS_WEBHOOK_SECRET": "s3cret"},
        CHECK,
        2,
        ("DS_ASSETS_WEBHOOK_SECRET: found ", "; must be whsec_ and 24 to 64 bytes in base64"),
    ),
    "API keys that are no JSON": Mistake(
        {"DS_ASSETS_API_KEYS": "{file}"},
        ("serve", "--port", "1"),
        2,
        ("the API keys in {file} (DS_ASSETS_API_KEYS) cannot be read: JSON is malf", "; restore"),
    ),
    "the same in a check": Mistake(
        {"DS_ASSETS_API_KEYS": "{file}"}, CHECK, 2, ("(DS_ASSETS_API_KEYS) cannot be read",)
    ),
    "a port that is no number": Mistake(
        {}, ("serve", "--port", "http"), 2, ("Invalid value for '--port'", "valid integer")
    ),
    "no worker": Mistake(
        {},
        ("serve", "--workers", "0"),
        2,
        ("Invalid value for '--workers'", "greater than or equal to 1"),
    ),
    "a host of another machine": Mistake(
        {},
        ("serve", "--host", "no-such-host.invalid"),
        2,
        ("cannot listen on no-such-host.invalid, port 8000: ", "choose another --host"),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_with_what_was_found_and_what_to_do(
    shell_with_logs: Shell, name: str, places: Mapping[str, object]
) -> None:
    mistake = MISTAKES[name]
    assert_is_said(mistake, complain(shell_with_logs, mistake, places), places)


def test_a_port_that_is_in_use_is_named(shell_with_logs: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        mistake = Mistake({}, ("serve", "--port", str(port)), 2, ())
        assert complain(shell_with_logs, mistake, {}) == (
            f"cannot listen on 127.0.0.1, port {port}: Address already in use; choose another "
            "--host or --port"
        )


SERVER_MISTAKES = {
    "a wrong password of MySQL": Mistake(
        {"DS_ASSETS_RESULTS_URL": "mysql+pymysql://owner:s3cret@{mysql}/{database}{options}"},
        CHECK,
        2,
        (
            "DS_ASSETS_RESULTS_URL",
            "Access denied for user of that address",
            "; correct the URL, or",
        ),
    ),
    "a database that MySQL does not have": Mistake(
        {"DS_ASSETS_RESULTS_URL": "mysql+pymysql://{owner}@{mysql}/nowhere{options}"},
        CHECK,
        2,
        ("{mysql}/nowhere (DS_ASSETS_RESULTS_URL)", "Unknown database 'nowhere'; correct the URL"),
    ),
    "an account of MySQL without rights": Mistake(
        {"DS_ASSETS_RESULTS_URL": "mysql+pymysql://stranger:s3cret@{mysql}/{database}{options}"},
        CHECK,
        2,
        ("denied", "to database '{database}'; correct the URL, or what the server grants"),
    ),
    "a Redis that needs a password": Mistake(
        {"DS_ASSETS_CACHE_URL": "redis://{redis}/0"},
        CHECK,
        2,
        ("redis://{redis}/0 (DS_ASSETS_CACHE_URL)", "Authentication required; correct the user"),
    ),
    "a wrong password of Redis": Mistake(
        {"DS_ASSETS_CACHE_URL": "redis://:s3cret@{redis}/0"},
        CHECK,
        2,
        ("(DS_ASSETS_CACHE_URL)", "invalid username-password pair", "; correct the user"),
    ),
    "a database that Redis does not have": Mistake(
        {"DS_ASSETS_CACHE_URL": "redis://:{redis_password}@{redis}/99"},
        CHECK,
        2,
        ("redis://{redis}/99", "DB index is out of range; correct the number of the database"),
    ),
    "a cluster that is a server of its own": Mistake(
        {"DS_ASSETS_CACHE_URL": "redis+cluster://:{redis_password}@{redis}"},
        CHECK,
        2,
        ("redis+cluster://{redis}", "cluster; begin the URL with redis:// or rediss://"),
    ),
    "a container that does not exist": Mistake(
        {"DS_ASSETS_LAKE_URL": "{blob}/nowhere", "AZURE_STORAGE_KEY": "{blob_key}"},
        CHECK,
        2,
        ("{blob}/nowhere (DS_ASSETS_LAKE_URL): there is no such container; create it",),
    ),
    "a wrong key of Azure": Mistake(
        {"DS_ASSETS_LAKE_URL": "{blob}/lake", "AZURE_STORAGE_KEY": "czNjcmV0"},
        RUN,
        2,
        ("{blob}/lake (DS_ASSETS_LAKE_URL) is refused, ", "; see AZURE_STORAGE_KEY"),
    ),
}


@pytest.fixture(scope="module")
def servers(mysql_url: str, redis_url: str, blob_url: str) -> Iterator[Mapping[str, object]]:
    """Addresses of servers, and of MySQL the owner, beside a stranger without any right."""
    mysql, user = sa.make_url(mysql_url), "stranger@'127.0.0.1'"
    execute(mysql_url, f"CREATE OR REPLACE USER {user} IDENTIFIED BY 's3cret'")
    yield {
        "mysql": f"{mysql.host}:{mysql.port}",
        "owner": f"{mysql.username}:{mysql.password}",
        "database": mysql.database,
        "options": "?ssl_disabled=true",
        "redis": redis_url.rpartition("@")[2].partition("/")[0],
        "redis_password": urlsplit(redis_url).password,
        "blob": blob_url,
        "blob_key": os.environ["AZURE_STORAGE_KEY"],
    }
    execute(mysql_url, f"DROP USER {user}")


@pytest.mark.server
@pytest.mark.parametrize("name", SERVER_MISTAKES)
def test_a_servers_refusal_is_one_sentence_too(
    shell_with_logs: Shell, name: str, servers: Mapping[str, object]
) -> None:
    mistake = SERVER_MISTAKES[name]
    assert_is_said(mistake, complain(shell_with_logs, mistake, servers), servers)


def test_a_bucket_that_does_not_exist_is_named(shell_with_logs: Shell, s3: Any) -> None:
    settings = AWS | {"AWS_ENDPOINT_URL_S3": s3.meta.endpoint_url}
    mistake = Mistake(settings | {"DS_ASSETS_SOURCE_URL": "s3://nowhere/logs"}, CHECK, 2, ())
    assert complain(shell_with_logs, mistake, {}) == (
        "s3://nowhere/logs/ (DS_ASSETS_SOURCE_URL) is refused, NoSuchBucket: The specified bucket "
        "does not exist; correct it"
    )


@pytest.mark.slow
def test_a_key_that_s3_refuses_is_a_mistake(shell_with_logs: Shell, s3: Any) -> None:
    settings = AWS | {"AWS_ENDPOINT_URL_S3": s3.meta.endpoint_url}
    address = {"DS_ASSETS_SOURCE_URL": f"s3://{BUCKET}/logs"}
    switch = f"{s3.meta.endpoint_url}/moto-api/reset-auth"
    httpx.post(switch, content="0")
    try:
        sentence = complain(shell_with_logs, Mistake(settings | address, RUN, 2, ()), {})
    finally:
        httpx.post(switch, content="inf")
    assert "(DS_ASSETS_SOURCE_URL) is refused, InvalidAccessKeyId" in sentence
    assert sentence.endswith(
        "see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE or the machine's role"
    )


def complain_of_receiver(shell: Shell, url: str, code: int) -> str:
    change_game(Installation(shell.home), {"promotions": {"bundle": {"who": "spend_14d > 0"}}})
    settings = {"DS_ASSETS_WEBHOOK_URL": url, "DS_ASSETS_WEBHOOK_SECRET": SECRET}
    return complain(shell, Mistake(settings, CHECK, code, ()), {})


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, 2, "it answers 401 Unauthorized; compare its secret with DS_ASSETS_WEBHOOK_SECRET"),
        (404, 2, "it answers 404 Not Found; correct the path of the address"),
        (410, 2, "it wants no messages any more; remove or correct DS_ASSETS_WEBHOOK_URL"),
        (429, 3, "(DS_ASSETS_WEBHOOK_URL) answers 429 Too Many Requests"),
        (503, 3, "(DS_ASSETS_WEBHOOK_URL) answers 503 Service Unavailable"),
    ],
)
def test_a_receivers_refusal_is_a_mistake_and_its_outage_is_not(
    shell_with_logs: Shell, status: int, code: int, words: str
) -> None:
    with receiving(lambda _: (status, {})) as receiver:
        sentence = complain_of_receiver(shell_with_logs, receiver.url, code)
    assert sentence.startswith("the receiver at 127.0.0.1 (DS_ASSETS_WEBHOOK_URL) ")
    assert sentence.endswith(words)
    assert len(receiver.attempts) == 1


def test_a_receiver_that_is_down_is_unavailable(shell_with_logs: Shell) -> None:
    sentence = complain_of_receiver(shell_with_logs, "http://127.0.0.1:1/s3cret", 3)
    assert "the receiver at 127.0.0.1 (DS_ASSETS_WEBHOOK_URL) cannot be used: " in sentence
    assert "Connection refused" in sentence
