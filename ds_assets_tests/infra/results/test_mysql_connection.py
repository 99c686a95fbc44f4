"""What only MySQL has: files that servers ask for, accounts, TLS, and answers that do not come."""

import datetime as dt
import ipaddress
import re
import secrets
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pymysql
import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ds_assets.core.tables import MODEL_METRICS
from ds_assets.errors import InputError
from ds_assets.infra.results.backends.mysql import MySQLConnection
from ds_assets.infra.results.database import ResultsDatabase, ResultsUnavailable, SchemaDiffers
from ds_assets.local_servers.mysql import MySQLServer
from ds_assets_tests.infra.factories import DAYS, row_of
from ds_assets_tests.infra.results.databases import (
    ALL_REPORTS,
    current_rows,
    day,
    execute,
    fresh_database,
    metrics,
    read_report,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "results.md"


@pytest.fixture
def url(mysql_url: str) -> Iterator[str]:
    with fresh_database(mysql_url) as url:
        yield url


@pytest.fixture
def connection(url: str) -> Iterator[MySQLConnection]:
    place = sa.make_url(url)
    with MySQLConnection(
        host=place.host,
        port=place.port,
        user=place.username,
        password=place.password,
        database=place.database,
    ) as connection:
        yield connection


LOAD = "LOAD DATA LOCAL INFILE '{}' INTO TABLE words"


@pytest.mark.server
@pytest.mark.parametrize("is_offering", [True, False])
def test_a_server_gets_no_file_but_what_is_on_offer(
    connection: MySQLConnection, tmp_path: Path, is_offering: bool
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("private\n")
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE words (word TEXT)")
    offer = connection.offering([b"public\n"]) if is_offering else nullcontext()
    wanted = secret if is_offering else MySQLConnection.OFFERED
    with offer, pytest.raises(pymysql.err.OperationalError, match="a file that is not on offer"):
        cursor.execute(LOAD.format(wanted))
    assert not connection.open


@pytest.mark.server
def test_rows_that_cannot_be_made_to_their_end_are_not_loaded(
    connection: MySQLConnection, url: str
) -> None:
    def rows() -> Iterator[bytes]:
        yield b"first\n" * 100_000
        raise ZeroDivisionError

    cursor = connection.cursor()
    cursor.execute("CREATE TABLE words (word TEXT)")
    with connection.offering(rows()), pytest.raises(ZeroDivisionError):
        cursor.execute(LOAD.format(MySQLConnection.OFFERED))
    assert execute(url, "SELECT count(*) FROM words") == [(0,)]


@pytest.mark.server
def test_a_server_that_forbids_files_gets_the_same_rows_by_inserts(url: str) -> None:
    execute(url, "SET GLOBAL local_infile = 0")
    try:
        with ResultsDatabase(url) as database:
            database.deliver(DAYS[0], day(DAYS[0], users=12_000), "run")
            assert database.day(DAYS[0]).equals(day(DAYS[0], users=12_000))
    finally:
        execute(url, "SET GLOBAL local_infile = 1")


@pytest.mark.server
def test_a_lookup_reads_the_rows_of_the_users_alone(url: str) -> None:
    with ResultsDatabase(url) as database:
        for as_of in DAYS[:3]:
            database.deliver(as_of, day(as_of, users=2_000), "run")
    query = "SELECT * FROM player_predictions_current WHERE user_id IN ('u00003', 'u01000')"
    rows = {plan[2]: plan[8] for plan in execute(url, f"EXPLAIN {query}")}
    assert int(rows["player_prediction_loads"] if "p" not in rows else rows["p"]) < 10


def grants(account: str) -> list[str]:
    """Statements of the document for one account."""
    blocks = re.findall(r"```sql\n-- The (\w+)[^\n]*\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    text = dict(blocks)[account]
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def account(server: str, url: str, role: str) -> str:
    """An address of the same database for a new account with a role's grants, and no others."""
    database, name = sa.make_url(url).database, f"{role}_{secrets.token_hex(4)}"
    statements = [
        statement.replace("player_insights", str(database)).replace(f"'{role}'", f"'{name}'")
        for statement in grants(role)
    ]
    assert all(name in statement for statement in statements)
    password = secrets.token_urlsafe(12)
    execute(
        server,
        f"CREATE USER '{name}'@'%%' IDENTIFIED BY '{password}'",
        *(statement.replace("%", "%%") for statement in statements),
    )
    place = sa.make_url(url).set(username=name, password=password)
    return place.render_as_string(hide_password=False)


@pytest.mark.server
def test_the_documents_grants_are_enough_for_what_each_account_does(
    url: str, mysql_url: str
) -> None:
    owner = account(mysql_url, url, "owner")
    with ResultsDatabase(owner) as database:
        database.ensure_schema()
    writer, reader = account(mysql_url, url, "writer"), account(mysql_url, url, "reader")
    with ResultsDatabase(writer, days=2) as database:
        database.deliver(DAYS[0], day(DAYS[0]), "one")
    with ResultsDatabase(writer, days=2) as database:
        for as_of in (DAYS[3], DAYS[3], DAYS[4]):
            database.deliver(as_of, day(as_of), "two")
    stored = "SELECT count(*) FROM player_prediction_loads"
    assert execute(url, stored, "SELECT count(*) FROM stale_loads") == [(0,)]
    assert execute(url, stored) == [(6,)]
    with ResultsDatabase(writer, days=2) as database:
        for name, value in (("auc", 0.5), ("brier", 0.25)):
            database.put_report(MODEL_METRICS, DAYS[4], metrics(DAYS[4], name, value=value))
        for contract in ALL_REPORTS:
            rows = pa.Table.from_pylist([row_of(contract, as_of=DAYS[0])], contract.arrow_schema)
            assert database.put_report(contract, DAYS[0], rows) == 1
    with ResultsDatabase(reader) as database:
        for contract in ALL_REPORTS:
            assert read_report(database, contract, DAYS[0]).num_rows == 1
        assert read_report(database, MODEL_METRICS, DAYS[4])["value"].to_pylist() == [0.25]
        with pytest.raises(ResultsUnavailable, match="denied"):
            database.put_report(MODEL_METRICS, DAYS[4], metrics(DAYS[4], "auc"))
        assert database.current_day() == DAYS[4]
        assert len(current_rows(database, ["u00001"])) == 1
        assert database.day(DAYS[3]).num_rows == 3
        assert len(database.deliveries()) == 2
        with pytest.raises(ResultsUnavailable, match="denied"):
            database.deliver(DAYS[4], day(DAYS[4]), "no")


@pytest.mark.server
def test_an_account_that_may_not_change_the_schema_is_told_what_to_run(
    url: str, mysql_url: str
) -> None:
    with ResultsDatabase(account(mysql_url, url, "owner")) as database:
        database.ensure_schema()
    writer = account(mysql_url, url, "writer")
    execute(url, "UPDATE alembic_version SET version_num = '0001'")
    with ResultsDatabase(writer) as database, pytest.raises(SchemaDiffers) as caught:
        database.deliver(DAYS[0], day(DAYS[0]), "run")
    assert isinstance(caught.value, InputError)
    assert "has schema version 0001 that its user can see, this software needs version" in str(
        caught.value
    )
    assert "`python -m ds_assets.infra.results.migrations`" in str(caught.value)
    assert "docs/results.md" in str(caught.value)


class Authority:
    """Makes certificates for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = self.write("ca.pem", self.certificate(self.key, is_authority=True))

    def certificate(self, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> bytes:
        now = dt.datetime.now(dt.UTC)
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "us" if is_authority else "db")])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "us")])
        builder = (
            x509.CertificateBuilder(issuer, own, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
        )
        signed = builder.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def server_options(self) -> list[str]:
        key = ec.generate_private_key(ec.SECP256R1())
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        certificate = self.write("server.pem", self.certificate(key, is_authority=False))
        return [f"--ssl-cert={certificate}", f"--ssl-key={self.write('server.key', text)}"]


@pytest.mark.server
def test_a_server_is_believed_by_its_certificate(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    options = [*ours.server_options(), f"--ssl-ca={ours.file}", "--require-secure-transport=1"]
    with MySQLServer(tmp_path / "server", options) as server:
        with ResultsDatabase(f"{server.url}?ssl_ca={ours.file}") as database:
            database.deliver(DAYS[0], day(DAYS[0]), "run")
            assert database.current_day() == DAYS[0]
        with (
            ResultsDatabase(f"{server.url}?ssl_ca={other.file}") as database,
            pytest.raises(ResultsUnavailable, match=r"certificate verify failed.*ssl_ca") as caught,
        ):
            database.current_day()
        assert str(sa.make_url(server.url).password) not in text_of(caught.value)


def test_a_certificate_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"ssl_ca names /no/such\.pem, and there is no such file"):
        ResultsDatabase("mysql+pymysql://u:s3cret@host/x?ssl_ca=/no/such.pem")


def test_an_option_that_there_is_not_is_named() -> None:
    with (
        ResultsDatabase("mysql+pymysql://u:s3cret@127.0.0.1:1/x?shine=1") as database,
        pytest.raises(InputError, match=r"DS_ASSETS_RESULTS_URL has an option .*'shine'"),
    ):
        database.current_day()


def text_of(error: BaseException) -> str:
    """All that can be read of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.server
def test_a_wrong_password_is_told_without_it(url: str) -> None:
    wrong = sa.make_url(url).set(password="hunter2")  # noqa: S106
    with (
        ResultsDatabase(wrong.render_as_string(hide_password=False)) as database,
        pytest.raises(ResultsUnavailable, match=r"RESULTS_URL.*Access denied") as caught,
    ):
        database.deliver(DAYS[0], day(DAYS[0]), "run")
    assert "hunter2" not in text_of(caught.value) + repr(database)


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up_in_time() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        ResultsDatabase(f"mysql+pymysql://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/x") as it,
    ):
        began = time.monotonic()
        with pytest.raises(
            ResultsUnavailable, match=r"127\.0\.0\.1:\d+/x \(DS_ASSETS_RES"
        ) as caught:
            it.deliver(DAYS[0], day(DAYS[0]), "run")
        assert time.monotonic() - began < 20
    assert "s3cret" not in text_of(caught.value)


@pytest.mark.server
@pytest.mark.slow
def test_an_answer_may_take_longer_than_the_greeting_may(url: str) -> None:
    place = sa.make_url(url)
    with MySQLConnection(
        host=place.host, port=place.port, user=place.username, password=place.password
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT SLEEP(4.5)")
        with (
            connection.result_timeout(1),
            pytest.raises(pymysql.err.OperationalError, match="timed out"),
        ):
            cursor.execute("SELECT SLEEP(3)")
