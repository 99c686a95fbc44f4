"""What is wrong with an installation: every server opened, and the game file compared with logs.

Scope: finding. `ds-assets check` and `ds-assets doctor` print what is found. No table, folder or
file of an installation is created or changed; what `try_places` writes is taken back. A receiver of
changes of offers gets a message without changes.
"""

import datetime as dt
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from ds_assets.core.log_diagnostics import describe_unused_names
from ds_assets.core.promotions.messages import build_test_message
from ds_assets.errors import InputError, Unavailable
from ds_assets.field_paths import describe_source
from ds_assets.game import Game
from ds_assets.infra.engines.line_rules import field_key, text_fields
from ds_assets.infra.engines.log_sample import LogSample, summarize_logs
from ds_assets.infra.installation_ids import NO_ID, read_lake_id
from ds_assets.infra.lake.base import STAGING, day_of
from ds_assets.infra.lake.raw_logs import RAW
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.missing_days import describe_missing_days, find_holes, find_missing_days
from ds_assets.infra.newest_logs import find_newest_files, find_source_days, newest_day
from ds_assets.infra.usable_files import refuse_unwritable
from ds_assets.installation import Installation
from ds_assets.settings import find_unknown_variables

TIMEOUT_SECONDS = 60.0
"""For all places together, which are opened side by side."""

_MAX_NAMES = 20
"""Names of folders that a line lists."""

Kind = Literal["mistake", "unavailable", "warning"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: `mistake` in the input; `unavailable`, worth a retry; `warning`, to be looked at.
        text: What is wrong and what to do about it.
    """

    kind: Kind
    text: str


Result: TypeAlias = str | Finding
"""What is usable, or what is wrong."""


def diagnose(installation: Installation, timeout_seconds: float) -> dict[str, Result]:
    """Open all that an installation uses, side by side, and compare the game file with logs.

    Args:
        installation: The installation.
        timeout_seconds: Time after which a place counts as unavailable.

    Returns:
        The result for `game`, for each of `Settings.places`, for `engine` if it is Spark, and for
        `receiver` if there is one.
    """
    probes = {"game": _probe_game, **_probes_of_places(installation)}
    return _run_side_by_side(installation, probes, timeout_seconds)


def try_places(installation: Installation, timeout_seconds: float) -> dict[str, Result]:
    """Open all that an installation uses, and write to each place what is taken back at once.

    Places that do not exist yet are not created.

    Args:
        installation: The installation.
        timeout_seconds: Time after which a place counts as unavailable.

    Returns:
        As of `diagnose`, without the game.
    """
    probes = _probes_of_places(installation)
    writes = {"lake": _write_lake, "results": _write_results, "cache": _write_cache}
    for name, write in writes.items():
        probes[name] = _then_write(probes[name], write)
    return _run_side_by_side(installation, probes, timeout_seconds)


def name_places(installation: Installation) -> dict[str, str]:
    """The game and the places of an installation in words, by the names of `diagnose`."""
    settings = installation.settings
    game = f"{installation.game.name} ({settings.game})"
    receiver = urlsplit(settings.webhook_url).hostname or ""
    return {"game": game, **settings.places(), "engine": "Spark", "receiver": receiver}


def find_environment_mistakes(installation: Installation) -> list[Finding]:
    """Find variables without effect, a named home that does not exist, and damaged API keys."""
    texts = find_unknown_variables()
    settings = installation.settings
    if not settings.home.is_dir() and not settings.has_default_home:
        texts.append(
            f"DS_ASSETS_HOME names {settings.home}, which is not a folder; create it, or correct "
            "the variable"
        )
    try:
        installation.key_file().read()
    except InputError as error:
        texts.append(str(error))
    return [Finding("mistake", text) for text in texts]


def describe_sources(game: Game) -> dict[str, str]:
    """The fields that are read from a line in words, by key of the game file."""
    return {field_key(name): describe_source(it) for name, it in text_fields(game).items()}


def find_unused_names(game: Game, sample: LogSample) -> list[str]:
    """Find fields and event types of the game file that no line of a sample has.

    Returns:
        A sentence for each, with the key of the game file and its value.
    """
    values = {field_key(name): lines for name, lines in sample.values.items()}
    sources = describe_sources(game)
    return list(describe_unused_names(game, sources, values, sample.event_types))


def _probes_of_places(installation: Installation) -> dict[str, Callable[[Installation], Result]]:
    probes: dict[str, Callable[[Installation], Result]] = {
        "source": _probe_source,
        "lake": _probe_lake,
        "results": _probe_results,
        "cache": _probe_cache,
    }
    if installation.settings.uses_spark:
        probes["engine"] = _probe_engine
    if installation.settings.webhook_url:
        probes["receiver"] = _probe_receiver
    return probes


def _run_side_by_side(
    installation: Installation,
    probes: dict[str, Callable[[Installation], Result]],
    timeout_seconds: float,
) -> dict[str, Result]:
    results: dict[str, Result] = {}
    bugs: list[Exception] = []

    def run(name: str, probe: Callable[[Installation], Result]) -> None:
        try:
            results[name] = _catch(lambda: probe(installation))
        except Exception as error:  # noqa: BLE001  (raised by the thread that waits)
            bugs.append(error)

    # Daemons, because a server that never answers must not keep the process from ending.
    threads = [threading.Thread(target=run, args=item, daemon=True) for item in probes.items()]
    end = time.monotonic() + timeout_seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if bugs:
        raise bugs[0]
    late = Finding("unavailable", f"no answer within {timeout_seconds:g} seconds")
    return {name: results.get(name, late) for name in probes}


def _catch(probe: Callable[[], Result]) -> Result:
    try:
        return probe()
    except (InputError, OSError) as error:
        return Finding("mistake", str(error))
    except Unavailable as error:
        return Finding("unavailable", str(error))


def _probe_game(installation: Installation) -> Result:
    """Compare the game file with logs; what is wrong with their places is reported there."""
    game = installation.game
    if text := installation.settings.missing_game:
        raise InputError(text)
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = find_newest_files(
                installation.lake(), installation.log_source(), game, Path(folder)
            )
            sample = summarize_logs(files, game)
    except (InputError, Unavailable, OSError):
        return "valid; not compared with logs, which cannot be read"
    if not sample.lines:
        return "valid; not compared with logs, as there are none yet"
    days = ", ".join(sorted({str(file.day) for file in files}))
    place = f"{sample.lines:,} line{'' if sample.lines == 1 else 's'} of {days}"
    unused = find_unused_names(game, sample)
    if unused:
        return Finding("warning", "; ".join([*unused, f"looked at {place}"]))
    return f"valid; its fields and event types are in {place}"


def _probe_source(installation: Installation) -> Result:
    settings = installation.settings
    source, game = installation.log_source(), installation.game
    if not settings.source_url and not settings.source.is_dir():
        missing = f"the folder {settings.source} does not exist"
        if settings.source != settings.home / "source":
            return Finding("mistake", f"{missing}; create it, or correct DS_ASSETS_SOURCE")
        if _has_logs_in_lake(installation):
            return "not used: the logs are put straight into the lake"
        return Finding(
            "warning", f"{missing}; create it, or set DS_ASSETS_SOURCE or DS_ASSETS_SOURCE_URL"
        )
    folders = DayFolders(source)
    if not (days := find_source_days(folders, game)):
        example = folders.folder(newest_day(game))
        place = f"it has no folder or file of a day, such as {example}"
        text = f"{place}; correct it or logs.path of the game file"
        return Finding("warning", "; ".join([text, *folders.describe_misnamed()]))
    usable = f"usable, newest day {days[-1]}"
    problems = [*_find_missing_days(installation, days[-1], folders), *folders.describe_misnamed()]
    return Finding("warning", "; ".join([usable, *problems])) if problems else usable


def _has_logs_in_lake(installation: Installation) -> bool:
    """Whether the lake has logs; one that cannot be read is reported in its own place."""
    with suppress(InputError, Unavailable, OSError):
        return bool(installation.lake().days(RAW))
    return False


def _find_missing_days(
    installation: Installation, newest: dt.date, folders: DayFolders
) -> list[str]:
    """A sentence for the days before the newest one that neither the lake nor the source has.

    A lake that cannot be read is reported in its own place.
    """
    game = installation.game
    try:
        lake = installation.lake()
        holes = find_holes(newest, lake.days("user_activity"), lake, game)
    except (InputError, Unavailable, OSError):
        return []
    missing = find_missing_days([*holes, newest], folders, game)
    return [describe_missing_days(missing, str(installation.log_source()))] if missing else []


def _probe_lake(installation: Installation) -> Result:
    settings = installation.settings
    if not settings.lake_url:
        refuse_unwritable(settings.lake, "DS_ASSETS_LAKE")
        if not settings.lake.exists():
            return "not created yet; the first run creates it"
    read_lake_id(installation.lake())  # raises an error if it is damaged
    days = installation.lake().days(RAW)
    usable = f"usable, newest day {days[-1]}" if days else "usable, without logs yet"
    if others := [name for name in installation.lake().entries(RAW) if day_of(name) is None]:
        listed = ", ".join(others[:_MAX_NAMES])
        return Finding("warning", f"{usable}; not read, as no dt=YYYY-MM-DD: {RAW}/ {listed}")
    return usable


def _probe_results(installation: Installation) -> Result:
    if file := installation.settings.results_file:
        refuse_unwritable(file.parent, "DS_ASSETS_RESULTS_URL")
        if not file.exists():
            return "not created yet; the first delivery creates it"
    with installation.results() as database:
        version = database.schema_version()
        if version is None:
            return "usable, without tables yet; the first delivery creates them"
        usable = f"usable, schema version {version}"
        return _compare_owner(installation, usable, database.refuse_foreign)


def _probe_cache(installation: Installation) -> Result:
    settings = installation.settings
    if not settings.cache_url:
        refuse_unwritable(settings.cache_folder, "DS_ASSETS_HOME")
        if not settings.cache_folder.exists():
            return "not created yet; the first use creates it"
    with installation.cache() as cache:
        cache.ping()
        return _compare_owner(installation, "usable", cache.refuse_foreign)


def _then_write(
    probe: Callable[[Installation], Result], write: Callable[[Installation], bool]
) -> Callable[[Installation], Result]:
    """Add a write to a probe; a place that refuses it may be that of a machine that only reads."""

    def probe_and_write(installation: Installation) -> Result:
        result = probe(installation)
        try:
            is_written = write(installation)
        except (InputError, OSError) as error:
            text = f"a write is refused, which only a machine that serves does without: {error}"
            before = result if isinstance(result, str) else result.text
            return Finding("warning", f"{before}; {text}")
        if is_written and isinstance(result, str):
            return f"{result}; a write that was taken back succeeded"
        return result

    return probe_and_write


def _write_lake(installation: Installation) -> bool:
    settings = installation.settings
    if not settings.lake_url and not settings.lake.exists():
        return False
    lake, folder = installation.lake(), f"{STAGING}/{uuid.uuid4().hex}"
    try:
        lake.write(f"{folder}/write_test", b"written")
        lake.read(f"{folder}/write_test")
    finally:
        lake.delete_folder(folder)
    return True


def _write_results(installation: Installation) -> bool:
    file = installation.settings.results_file
    if file and not file.exists():
        return False
    with installation.results() as database:
        if database.schema_version() is None:
            return False
        database.try_write()
    return True


def _write_cache(installation: Installation) -> bool:
    settings = installation.settings
    if not settings.cache_url and not settings.cache_folder.exists():
        return False
    with installation.cache() as cache:
        cache.try_write()
    return True


def _compare_owner(
    installation: Installation, usable: str, refuse_foreign: Callable[[str], None]
) -> Result:
    """Find out whether another lake has the installation's name in a store.

    For a lake that has delivered nothing that is a warning: a machine that only serves has none.
    """
    try:
        lake = read_lake_id(installation.lake())
    except (InputError, Unavailable, OSError):
        return f"{usable}; not compared with the lake, which cannot be read"
    try:
        refuse_foreign(lake or NO_ID)
    except InputError as error:
        if lake is not None:
            raise
        return Finding("warning", f"{usable}, but {error}")
    return usable


def _probe_engine(installation: Installation) -> Result:
    installation.engine()
    return "usable"


def _probe_receiver(installation: Installation) -> Result:
    """Send a message without changes: only a reply to a signed one shows whether it is accepted."""
    game = installation.game
    if not game.promotions:
        return "not used: the game file has no promotions"
    with installation.webhook() as webhook:
        if webhook is not None:
            webhook.send_once(build_test_message(dt.datetime.now(dt.UTC), game))
    return "usable, it accepts signed messages"
