"""URLs of the results database, and servers that refuse or do not answer."""

import re
import socket
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ds_assets.errors import InputError
from ds_assets.infra.results.backends import DRIVERS, EXAMPLES, backend_of_dialect
from ds_assets.infra.results.database import ResultsDatabase, ResultsUnavailable
from ds_assets.infra.results.errors import ResultsRefused
from ds_assets.settings import RESULTS_SCHEMES
from ds_assets_tests.infra.factories import DAYS
from ds_assets_tests.infra.results.databases import SERVERS, day, fresh_results

ON_SERVERS = ("mysql+pymysql", "postgresql+psycopg")


@pytest.fixture(params=SERVERS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh_results(request, tmp_path) as url:
        yield url


def all_text(error: BaseException) -> str:
    """All that can be read of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


def test_settings_accept_the_schemes_that_there_are_backends_for() -> None:
    assert [scheme.partition(":")[0] for scheme in RESULTS_SCHEMES] == list(DRIVERS)
    assert [example.partition(":")[0] for example in EXAMPLES] == list(DRIVERS)


@pytest.mark.parametrize("scheme", ["oracle", "mysql", "postgresql", "sqlite+aiosqlite"])
def test_a_database_that_there_is_no_backend_for_is_refused(scheme: str) -> None:
    with pytest.raises(InputError) as caught:
        ResultsDatabase(f"{scheme}://someone:s3cret@host/name")
    assert f"DS_ASSETS_RESULTS_URL has the scheme {scheme}; accepted are" in str(caught.value)
    assert all(example in str(caught.value) for example in EXAMPLES)
    assert "s3cret" not in str(caught.value)


def test_sql_for_a_database_that_there_is_no_backend_for_is_not_made() -> None:
    with pytest.raises(KeyError, match="oracle"):
        backend_of_dialect(sa.dialects.registry.load("oracle")())


@pytest.mark.parametrize(
    ("scheme", "option"), [("mysql+pymysql", "ssl_ca"), ("postgresql+psycopg", "sslrootcert")]
)
def test_a_certificate_that_is_not_there_is_named(scheme: str, option: str) -> None:
    complaint = rf"{option} names /no/such\.pem, and there is no such file"
    with pytest.raises(InputError, match=complaint):
        ResultsDatabase(f"{scheme}://u:s3cret@host/x?{option}=/no/such.pem")


@pytest.mark.parametrize("scheme", ON_SERVERS)
def test_an_option_that_there_is_not_is_named(scheme: str) -> None:
    with (
        ResultsDatabase(f"{scheme}://u:s3cret@127.0.0.1:1/x?shine=1") as database,
        pytest.raises(InputError, match=r"DS_ASSETS_RESULTS_URL has an option .*shine") as caught,
    ):
        database.current_day()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ON_SERVERS)
def test_a_server_that_is_not_there_is_named_with_its_setting_and_no_credential(
    scheme: str,
) -> None:
    database = ResultsDatabase(f"{scheme}://someone:s3cret@127.0.0.1:1/game")
    with pytest.raises(ResultsUnavailable) as caught:
        database.current_day()
    text = str(caught.value)
    assert f"{scheme}://127.0.0.1:1/game (DS_ASSETS_RESULTS_URL)" in text
    assert "\n" not in text
    assert "s3cret" not in all_text(caught.value)
    assert "someone" not in text


def test_a_wrong_password_is_told_without_it(url: str) -> None:
    wrong = sa.make_url(url).set(password="hunter2")  # noqa: S106
    refusal = r"RESULTS_URL.*(Access denied|password authentication failed)"
    with (
        ResultsDatabase(wrong.render_as_string(hide_password=False)) as database,
        pytest.raises(ResultsRefused, match=refusal) as caught,
    ):
        database.deliver(DAYS[0], day(DAYS[0]), "run")
    assert "hunter2" not in all_text(caught.value) + repr(database)
    assert str(wrong.username) not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ON_SERVERS)
def test_a_server_that_never_answers_is_given_up_in_time(scheme: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        ResultsDatabase(f"{scheme}://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/x") as database,
    ):
        began = time.monotonic()
        named = re.escape(f"127.0.0.1:{silent.getsockname()[1]}/x (DS_ASSETS_RES")
        with pytest.raises(ResultsUnavailable, match=named) as caught:
            database.deliver(DAYS[0], day(DAYS[0]), "run")
        assert time.monotonic() - began < 20
    assert "s3cret" not in all_text(caught.value)
