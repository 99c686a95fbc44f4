"""How servers are addressed: every kind of URL, against a server of that kind."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import pytest
import trustme
from redis.sentinel import SentinelManagedSSLConnection

from ds_assets.errors import InputError
from ds_assets.infra.cache.connection import (
    URL_OPTIONS,
    CacheRefused,
    CacheUnavailable,
    read_address,
)
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets.local_servers.process import free_port
from ds_assets.local_servers.redis import RedisServer
from ds_assets_tests.infra.cache.conftest import PATIENT
from ds_assets_tests.infra.cache.redis_servers import (
    PASSWORD,
    can_write,
    client_of,
    redis_cluster,
    until,
    watched_by_sentinel,
)
from ds_assets_tests.infra.factories import (
    DAYS,
    NO_DELIVERIES,
    fetch,
    fresh,
    get_rows,
    put,
    put_day,
    row,
    table,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "redis.md"


def assert_works(url: str, game: str = "game") -> None:
    with PredictionCache(url, game, 7) as cache:
        cache.ping()
        assert put(cache, DAYS[0], table(row("a"), row("b"))) == CachePut(2, 0)
        expected = [row("b"), row("a"), None]
        assert get_rows(cache, ["b", "a", "nobody"]) == expected
        put_day(cache, DAYS[0], row("a"))
        day, rows = fetch(cache, ["b", "a", "nobody"])
        assert rows == expected
        assert day is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://u:s3cret@host",
        "redis://u:s3cret@host:port",
        "redis://u:s3cret@[host",
        "redis://u:s3cret@",
        "redis://:12/s3cret@host",
        "redis://u:s3cret@host/name",
        "redis://u:s3cret@host/0?no_such_option=1",
        "redis://u:s3cret@host/0?socket_timeout=s3cret",
        "redis+sentinel://u:s3cret@host:26379",
        "redis+sentinel://u:s3cret@host:26379,/service",
        "redis+sentinel://u:s3cret@host:26379/service/name",
        "redis+sentinel://u:s3cret@host:26379/service?no_such_option=1",
        "redis+cluster://u:s3cret@host:port",
        "redis+cluster://u:s3cret@host,",
        "redis+cluster://u:s3cret@host/1",
        "redis+cluster://u:s3cret@host?no_such_option=1",
        "redis+something://u:s3cret@host",
    ],
)
def test_a_url_that_is_none_is_a_clear_mistake_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(InputError, match="DS_ASSETS_CACHE_URL is not") as caught:
        PredictionCache(url, "game", 7)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "kind", ["redis://{}/0", "redis+sentinel://{}/service", "redis+cluster://{}"]
)
@pytest.mark.parametrize(
    "option",
    [
        "decode_responses=true",
        "decode_responses=false",
        "encoding=utf-16",
        "encoding_errors=ignore",
        "legacy_responses=false",
        "parser_class=x",
        "command_packer=x",
        "retry=1",
        "retry_on_error=x",
        "credential_provider=x",
        "redis_connect_func=x",
        "event_dispatcher=x",
        "maint_notifications_config=x",
        "socket_keepalive_options=x",
        "socket_type=1",
        "cache_config=x",
        "ssl_validate_ocsp=true",
        "port=1",
    ],
)
def test_an_option_that_would_break_the_client_is_refused_by_name(kind: str, option: str) -> None:
    url = f"{kind.format('u:s3cret@host')}?socket_timeout=5&{option}"
    with pytest.raises(InputError) as refused:
        read_address(url)
    message = str(refused.value)
    assert message.startswith(f"DS_ASSETS_CACHE_URL must not set {option.partition('=')[0]} in ")
    assert "s3cret" not in message


def test_all_options_that_would_break_the_client_are_named_at_once() -> None:
    with pytest.raises(InputError, match="must not set decode_responses, encoding in its query"):
        read_address("redis://host/0?encoding=utf-8&decode_responses=true&client_name=shop")


def test_a_password_with_a_question_mark_is_not_taken_for_an_option() -> None:
    with pytest.raises(InputError, match="DS_ASSETS_CACHE_URL is not") as refused:
        read_address("redis://:half?s3cret=more@host:6379/0")
    assert "s3cret" not in str(refused.value)


AUTHORITIES = certifi.where()
"""A file in the form PEM."""
VALUES = {
    "ssl_check_hostname": "true",
    "ssl_exclude_verify_flags": "VERIFY_X509_STRICT",
    "ssl_include_verify_flags": "VERIFY_X509_STRICT",
    "ssl_cert_reqs": "none",
    **dict.fromkeys(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), AUTHORITIES),
}
"""Values of accepted options; those of the others are `2`."""


@pytest.mark.parametrize("option", sorted(URL_OPTIONS))
def test_accepted_options_are_those_of_both_clients(option: str) -> None:
    kind = "rediss+sentinel://host/service" if "sentinel" in option else "rediss://host"
    address = read_address(f"{kind}?{option}={VALUES.get(option, '2')}")
    assert address.connect_loop is not None
    for client in (address.connect(), address.connect_loop()):
        client.connection_pool.make_connection()  # type: ignore[union-attr]


@pytest.mark.server
def test_a_server_is_used_with_accepted_options(redis_url: str) -> None:
    options = "&".join(
        f"{name}=2"
        for name in sorted(URL_OPTIONS)
        if not name.startswith(("ssl", "sentinel", "db", "user", "pass", "max"))
    )
    assert_works(f"{redis_url}?{options}", game="options")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://u:s3cret@host:1/2?client_name=s3cret", "redis://host:1/2"),
        ("unix://u:s3cret@/tmp/x.sock?db=3", "unix:///tmp/x.sock"),
        ("rediss+sentinel://u:s3cret@a:1,b:2/name/3", "rediss+sentinel://a:1,b:2/name/3"),
        ("redis+cluster://u:s3cret@a,[::1]:2", "redis+cluster://a,[::1]:2"),
    ],
)
def test_a_cache_is_named_without_credentials(url: str, name: str) -> None:
    assert read_address(url).name == name


def test_what_a_url_says_goes_to_each_connection_to_sentinels_and_servers() -> None:
    address = read_address(
        f"rediss+sentinel://u:s3cret%40@a:1,b/name/3?ssl_ca_certs={AUTHORITIES}&socket_timeout=7"
        "&sentinel_username=watcher&sentinel_password=word"
    )
    pool: Any = address.connect().connection_pool  # type: ignore[union-attr]
    assert pool.connection_class is SentinelManagedSSLConnection
    wanted = {"username": "u", "password": "s3cret@", "db": 3, "ssl_ca_certs": AUTHORITIES}
    timeouts = {"socket_timeout": 7.0, "socket_connect_timeout": PATIENT}
    assert (wanted | timeouts).items() <= pool.connection_kwargs.items()
    pools = [sentinel.connection_pool for sentinel in pool.sentinel_manager.sentinels]
    hosts = [(pool.connection_kwargs["host"], pool.connection_kwargs["port"]) for pool in pools]
    assert hosts == [("a", 1), ("b", 26_379)]
    watched = {"username": "watcher", "password": "word", "ssl_ca_certs": AUTHORITIES} | timeouts
    assert all(watched.items() <= pool.connection_kwargs.items() for pool in pools)


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[str, RedisServer]]:
    """A server that asks for the certificate of its client: the query to reach it, and itself."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(str(files["ca"]))
    certificate.cert_chain_pems[0].write_to_path(str(files["cert"]))
    certificate.private_key_pem.write_to_path(str(files["key"]))
    port = free_port()
    lines = [
        f"tls-port {port}",
        f"tls-ca-cert-file {files['ca']}",
        f"tls-cert-file {files['cert']}",
        f"tls-key-file {files['key']}",
    ]
    with RedisServer(tmp_path / "server", lines) as server:
        query = "ssl_ca_certs={ca}&ssl_certfile={cert}&ssl_keyfile={key}".format(**files)
        yield f"rediss://:{server.password}@127.0.0.1:{port}/0?{query}", server


@pytest.mark.server
def test_a_server_is_reached_over_tls_and_must_be_who_it_says(
    tls: tuple[str, RedisServer],
) -> None:
    url, server = tls
    assert_works(url)
    stranger = PredictionCache(url.partition("?")[0], "game", 7)
    with pytest.raises(CacheUnavailable, match="certificate") as caught:
        stranger.ping()
    assert "rediss://127.0.0.1:" in str(caught.value)
    assert server.password not in str(caught.value)
    stranger.close()


def rule(name: str) -> list[str]:
    """What the document lets a user do, with the password of these tests."""
    match = re.search(rf"^    user ({name} .*)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert match
    return match[1].replace(">PASSWORD", f">{PASSWORD}").split()


def as_user(url: str, name: str) -> str:
    return url.replace(urlsplit(url).netloc.rpartition("@")[0], f"{name}:{PASSWORD}")


@pytest.mark.server
def test_the_documents_rules_are_enough_and_a_reader_cannot_write(tmp_path: Path) -> None:
    same = [f"requirepass {PASSWORD}"]
    with RedisServer(tmp_path, same) as server, client_of(server) as administrator:
        for name in ("ds_writer", "ds_reader"):
            administrator.execute_command("ACL SETUSER", *rule(name))
        url = server.url.removesuffix("0") + "3"
        assert_works(as_user(url, "ds_writer"))
        with PredictionCache(as_user(url, "ds_writer"), "game", 7) as writer:
            writer.try_write()
        with PredictionCache(as_user(url, "ds_reader"), "game", 7) as reader:
            reader.ping()
            with pytest.raises(CacheRefused, match="has no permissions"):
                reader.try_write()
            assert get_rows(reader, ["a"]) == [row("a")]
            days, rows = fetch(reader, ["a"])
            assert (days.newest.as_of, rows) == (DAYS[0].toordinal(), [row("a")])
            with pytest.raises(CacheRefused, match="has no permissions"):
                reader.put_records([row("a")], NO_DELIVERIES)
        with fresh(as_user(server.url, "nobody")) as cache:
            with pytest.raises(CacheRefused, match="invalid username-password") as caught:
                cache.ping()
            assert PASSWORD not in str(caught.value)


@pytest.mark.server
def test_a_cluster_is_found_by_any_of_its_servers_and_takes_the_documents_users(
    tmp_path: Path,
) -> None:
    with redis_cluster(tmp_path) as servers:
        for server in servers:
            with client_of(server) as administrator:
                administrator.execute_command("ACL SETUSER", *rule("ds_writer"))
        assert_works(f"redis+cluster://ds_writer:{PASSWORD}@127.0.0.1:1,127.0.0.1:{server.port}")
        server.kill()
        with fresh(f"redis+cluster://:{PASSWORD}@127.0.0.1:{servers[0].port}") as cache:
            users = [f"u{n}" for n in range(50)]
            with pytest.raises(CacheUnavailable, match=r"redis\+cluster://127") as caught:
                put(cache, DAYS[0], table(*map(row, users)))
            assert PASSWORD not in str(caught.value)


@pytest.mark.server
def test_after_a_failover_the_new_master_is_asked(tmp_path: Path) -> None:
    with watched_by_sentinel(tmp_path) as watched, fresh(watched.url) as cache:
        assert put(cache, DAYS[1], table(row("a", DAYS[1]))) == CachePut(1, 0)
        with client_of(watched.replica) as replica:
            until(lambda: replica.dbsize() == 1)
        watched.master.kill()
        with pytest.raises(CacheUnavailable, match=r"redis\+sentinel://127\.0\.0\.1:1,"):
            get_rows(cache, ["a"])
        with pytest.raises(CacheUnavailable, match=r"redis\+sentinel://127\.0\.0\.1:1,"):
            fetch(cache, ["a"])
        until(lambda: watched.master_port() == watched.replica.port)
        until(lambda: can_write(cache))
        assert get_rows(cache, ["a"]) == [row("a", DAYS[1])]
        assert fetch(cache, ["a"])[1] == [row("a", DAYS[1])]
        assert put(cache, DAYS[0], table(row("a"), row("b"))) == CachePut(1, 1)
