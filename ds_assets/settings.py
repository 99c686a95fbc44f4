"""Settings of an installation, from environment variables.

Scope: addresses, folders, limits. What the game is stands in the game file (`game.py`).
"""

import base64
import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from ds_assets.errors import InputError, describe_mistakes

PREFIX = "DS_ASSETS_"
_TEST_PREFIX = f"{PREFIX}TEST_"
"""Variables of the project's own tests."""
RESULTS_SCHEMES = ("sqlite:///", "mysql+pymysql://", "postgresql+psycopg://")
"""How the URL of a results database begins."""
DEMO_GAME = Path(__file__).parent / "demo" / "game.yaml"


_HOME = "ds_assets_home"
_SECRET_PREFIX, _SECRET_BYTES = "whsec_", range(24, 65)
"""How a webhook's secret begins, and its accepted lengths; see standardwebhooks.com."""
_MAX_URL = 2_000
"""Characters in the address of a receiver; servers refuse longer ones."""
_MAX_NAMES = 2
"""Names in the path of a lake's address: of the account, if the host has several, and container."""
_SOURCE = re.compile("s3://[^/]")
_NAMED = re.compile(r"(?:^|\s)([A-Za-z0-9._-]+)=(\S+)")


def _refuse_address(value: object) -> object:
    if isinstance(value, str) and "://" in value:
        raise ValueError("must be a path; for an address there is a variable that ends with _URL")
    return value


AbsolutePath = Annotated[Path, BeforeValidator(_refuse_address), AfterValidator(Path.absolute)]


class Settings(BaseSettings):
    """Settings of one installation; each is an environment variable with the prefix DS_ASSETS_."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: AbsolutePath
    """Folder for everything without an address of its own. Default: ds_assets_home."""
    installation: str = ""
    """Name of the installation, which its rows and cache entries belong to. Installations that
    share a database or a Redis need different names. Default: the name of the game."""
    game: AbsolutePath
    """The game file. Default: game.yaml in the home if it exists, else the demo's."""
    source: AbsolutePath
    """Folder of the logs that the game writes. Default: source in the home."""
    source_url: str = ""
    """Address of the logs in S3, `s3://BUCKET/PREFIX`, instead of the folder. Several of them have
    names, and blanks between them: `sessions=s3://BUCKET/PREFIX purchases=s3://BUCKET/PREFIX`."""
    lake: AbsolutePath
    """Folder of the lake. Default: lake in the home."""
    lake_url: str = ""
    """Address of the lake in Azure Blob, `https://ACCOUNT.blob.core.windows.net/CONTAINER`,
    instead of the folder."""
    results_url: Annotated[str, Field(repr=False)]
    """SQLAlchemy URL of the results database. Default: an SQLite file in the home."""
    results_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """Days that the results database keeps, counted back from the newest; 0 keeps all."""
    cache_url: Annotated[str, Field(repr=False)] = ""
    """Redis URL of the cache. Default: an embedded server with its file in the home."""
    cache_days: Annotated[int, Field(ge=1, le=365)] = 7
    """Days after which a cached prediction expires."""
    raw_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """Days of raw files that the lake keeps, counted back from the newest; 0 keeps all."""
    quarantine_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """The same for lines that were not used."""
    table_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """The same for activity, features, clusters, predictions and what is made from them."""
    model_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """The same for models."""
    memory_limit_mb: Annotated[int, Field(ge=128)] = 2048
    """Memory limit of the embedded engine; beyond it data is spilled to disk."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Threads of the embedded engine."""
    spark_remote: Annotated[str, Field(repr=False)] = ""
    """Address of a Spark Connect server, `sc://HOST:PORT`, used instead of the embedded engine."""
    spark_master: str = ""
    """Master of a Spark started by this process, used instead of the embedded engine: `local[2]`,
    `spark://HOST:PORT`, `yarn`, `k8s://…`."""
    spark_lake: Annotated[str, Field(validate_default=True)] = ""
    """Address of the lake as Spark sees it: `abfss://…`, `wasbs://…`, `s3a://…`, `file:///…`.
    Default: the lake's folder."""
    schedule_hour: Annotated[int, Field(ge=0, le=23)] = 2
    """Hour of the day, in the game's time zone, from which the previous day's logs are copied."""
    recheck_days: Annotated[int, Field(ge=1, le=365)] = 3
    """Newest days whose files in the source are compared with the copies again and again."""
    api_keys: AbsolutePath
    """File with the hashes of the API keys. Default: api_keys.json in the home."""
    requests_per_key: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """Rate limit: requests per second of one API key to one worker."""
    requests_at_once: Annotated[int, Field(ge=1, le=1_000)] = 256
    """Maximum concurrent requests per worker; beyond it the API returns 503."""
    webhook_url: Annotated[str, Field(repr=False)] = ""
    """Address that receives the daily changes of offers, `https://HOST/PATH`, in signed messages.
    Default: none, and they are only stored in the lake."""
    webhook_secret: Annotated[str, Field(repr=False, validate_default=True)] = ""
    """Secret that signs the messages, `whsec_…`: 24 to 64 random bytes in base64."""

    @model_validator(mode="before")
    @classmethod
    def _default_to_the_home(cls, given: dict[str, Any]) -> dict[str, Any]:
        home = _path(given.get("home"), Path(_HOME))
        own_game = home / "game.yaml"
        defaults: dict[str, Any] = {
            "home": home,
            "game": own_game if own_game.exists() else DEMO_GAME,
            "source": home / "source",
            "lake": home / "lake",
            "api_keys": home / "api_keys.json",
        }
        values = defaults | given
        values["results_url"] = given.get("results_url") or f"sqlite:///{home / 'results.sqlite'}"
        if not values.get("lake_url") and not values.get("spark_lake"):
            values["spark_lake"] = f"file://{_path(values['lake'], home)}"
        return values

    @field_validator("installation")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
            raise ValueError(
                "use up to 63 letters, digits, '.', '_' and '-', and begin with a letter or digit"
            )
        return name

    @field_validator("source_url")
    @classmethod
    def _is_a_source(cls, url: str) -> str:
        read_source_urls(url)
        return url

    @field_validator("lake_url")
    @classmethod
    def _is_a_lake(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and not _is_container(parts):
            raise ValueError("must be https://ACCOUNT.blob.core.windows.net/CONTAINER")
        if parts.query or "@" in parts.netloc:
            raise ValueError("must not hold credentials; put the token in AZURE_STORAGE_SAS_TOKEN")
        return url

    @field_validator("spark_remote")
    @classmethod
    def _is_spark_connect(cls, address: str) -> str:
        if address and not address.startswith("sc://"):
            raise ValueError("must begin with sc://, for example sc://127.0.0.1:15002")
        return address

    @field_validator("spark_master")
    @classmethod
    def _is_the_only_spark(cls, master: str, info: ValidationInfo) -> str:
        if master and not re.match(r"(local(\[.+\])?|yarn)$|(spark|k8s)://.", master):
            raise ValueError("must be local, local[N], yarn, spark://HOST:PORT or k8s://…")
        if master and info.data.get("spark_remote"):
            raise ValueError("DS_ASSETS_SPARK_REMOTE is set too; set one of them")
        return master

    @field_validator("spark_lake")
    @classmethod
    def _is_where_the_lake_is(cls, address: str, info: ValidationInfo) -> str:
        uses_spark = info.data.get("spark_remote") or info.data.get("spark_master")
        if not address and uses_spark and info.data.get("lake_url"):
            raise ValueError(
                "required with Spark and DS_ASSETS_LAKE_URL: the lake as Spark sees it, such as "
                "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net"
            )
        if address and not re.match(r"[a-z][a-z0-9]*://.", address):
            raise ValueError("must be an address, for example file:///FOLDER or abfss://…")
        return address

    @field_validator("results_url")
    @classmethod
    def _is_a_database(cls, url: str) -> str:
        if url and not url.startswith(RESULTS_SCHEMES):
            *others, last = RESULTS_SCHEMES
            raise ValueError(f"must begin with {', '.join(others)} or {last}")
        if url in {"sqlite:///", "sqlite:///:memory:"}:
            raise ValueError("must name a file, such as sqlite:////folder/results.sqlite")
        return url

    @field_validator("cache_url")
    @classmethod
    def _is_a_cache(cls, url: str) -> str:
        kinds = ("redis", "redis+sentinel", "redis+cluster")
        if url and url.partition("://")[0].replace("rediss", "redis") not in {*kinds, "unix"}:
            raise ValueError(
                "must begin with redis://, redis+sentinel://, redis+cluster://, the same with "
                "rediss for TLS, or unix://"
            )
        return url

    @field_validator("webhook_url")
    @classmethod
    def _is_a_receiver(cls, url: str) -> str:
        if url and not _is_web_address(url):
            raise ValueError("must be https://HOST/PATH, or http:// inside a network of your own")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _is_a_secret(cls, secret: str, info: ValidationInfo) -> str:
        if secret and not is_webhook_secret(secret):
            raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        if not secret and info.data.get("webhook_url"):
            raise ValueError(
                "required with DS_ASSETS_WEBHOOK_URL; `echo whsec_$(openssl rand -base64 32)` "
                "makes one, which the receiver needs too"
            )
        return secret

    @property
    def missing_game(self) -> str:
        """What to do where no game file is named and the home has none; else empty."""
        if self.game != DEMO_GAME:
            return ""
        return (
            f"there is no game.yaml in {self.home} (DS_ASSETS_HOME), so that the demo's would be "
            "used; write one with `ds-assets init LOGS`, or set DS_ASSETS_GAME"
        )

    @property
    def uses_spark(self) -> bool:
        """Whether the engine is Spark."""
        return bool(self.spark_remote or self.spark_master)

    @property
    def cache_folder(self) -> Path:
        """Folder of the embedded cache server."""
        return self.home / "cache"

    @property
    def results_file(self) -> Path | None:
        """File of the results database; none on a server."""
        scheme, _, path = self.results_url.partition(":///")
        return Path(path.partition("?")[0]) if scheme == "sqlite" else None

    @property
    def lake_cache(self) -> Path:
        """Folder for local copies of objects of a lake that has an address."""
        return self.home / "lake_cache"

    def places(self) -> dict[str, str]:
        """Where data is stored, for people: by name, without credentials."""
        return {
            "source": self.source_url or str(self.source),
            "lake": self.lake_url or str(self.lake),
            "results": _without_credentials(self.results_url),
            "cache": _without_credentials(self.cache_url) or str(self.cache_folder),
        }

    def technologies(self) -> dict[str, str]:
        """What each resource of the graph runs on, by its name; in words that the UI has icons for.

        The embedded cache is Valkey.
        """
        return {
            "log_source": "s3" if self.source_url else "file",
            "lake": "azure" if self.lake_url else "file",
            "engine": "spark" if self.spark_remote or self.spark_master else "duckdb",
            "results": re.split(r"[+:]", self.results_url)[0],
            "cache": "redis" if self.cache_url else "valkey",
        }

    @property
    def has_default_home(self) -> bool:
        """Whether the home is the one that is used without DS_ASSETS_HOME."""
        return self.home == Path(_HOME).absolute()


def read_source_urls(text: str) -> dict[str, str]:
    """Return the addresses of log sources in S3 by name; that of a single one has none.

    Raises:
        ValueError: it is no address; the message is for the author of the setting.
    """
    if not text:
        return {}
    named = {"": text} if text.startswith("s3://") else dict(_NAMED.findall(text))
    is_whole = "" in named or len(named) == len(text.split())
    if is_whole and all(_SOURCE.match(address) for address in named.values()):
        return named
    raise ValueError(
        "must be s3://BUCKET or s3://BUCKET/PREFIX, or several with names of their own, "
        "such as sessions=s3://BUCKET/PREFIX purchases=s3://BUCKET/PREFIX"
    )


def is_webhook_secret(text: str) -> bool:
    """Whether a text is a secret as Standard Webhooks defines it."""
    try:
        secret = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(_SECRET_PREFIX) and len(secret) in _SECRET_BYTES


def _is_container(parts: SplitResult) -> bool:
    """Whether an address is that of a container."""
    names = parts.path.strip("/").split("/")
    most = 1 if ".blob.core." in parts.netloc else _MAX_NAMES
    is_path = all(names) and len(names) <= most
    return parts.scheme in {"http", "https"} and _has_host(parts) and is_path


def _is_web_address(url: str) -> bool:
    """Whether a text is an address of HTTP whose host can be looked up."""
    parts = urlsplit(url)
    try:
        (parts.hostname or "").encode("idna").decode("idna")
    except UnicodeError:
        return False
    is_one_word = url.isprintable() and " " not in url and len(url) <= _MAX_URL
    return is_one_word and parts.scheme in {"http", "https"} and _has_host(parts)


def _has_host(parts: SplitResult) -> bool:
    """Whether an address names a host, and its port is a number or absent."""
    try:
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _path(value: object, default: Path) -> Path:
    """A path as absolute, or the default where there is none or something else; see `home`."""
    return (Path(value) if isinstance(value, str | Path) else default).absolute()


def _without_credentials(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" or not url:
        return url
    # A password may contain an @, so everything before the last one is cut.
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings from the environment and from a `.env` file in the working directory.

    Args:
        overrides: Settings by field name that take precedence over the environment.

    Raises:
        InputError: a setting is not valid. The message names every mistake.
    """
    try:
        return Settings(**(overrides or {}))
    except ValidationError as error:
        secrets = [name for name, field in Settings.model_fields.items() if not field.repr]
        mistakes = describe_mistakes("the environment", error, _variable, secrets)
        raise InputError(mistakes) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the settings or the .env file cannot be read: {error}") from None


def find_unknown_variables() -> list[str]:
    """Describe variables with the prefix that are not settings, and are therefore without effect.

    Returns:
        A sentence for each variable of the environment and the `.env` file, with the most similar
        setting.
    """
    settings = {_variable(key) for key in Settings.model_fields}
    try:
        in_file = DotEnvSettingsSource(Settings).env_vars
    except (OSError, UnicodeDecodeError):  # reported by `load_settings`
        in_file = {}
    names = sorted({name.upper() for name in (*os.environ, *in_file)} - settings)
    return [
        f"{name} is not a setting and has no effect; {_suggest_setting(name)}"
        for name in names
        if name.startswith(PREFIX) and not name.startswith(_TEST_PREFIX)
    ]


def _suggest_setting(variable: str) -> str:
    # Without the prefix, which would make all of them similar.
    similar = get_close_matches(variable.removeprefix(PREFIX).lower(), Settings.model_fields, 1)
    return (
        f"did you mean {_variable(similar[0])}?" if similar else ".env.example lists all settings"
    )


def _variable(key: str) -> str:
    return PREFIX + key.upper()
