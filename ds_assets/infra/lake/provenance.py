"""Records of what each stored day was made from, in the lake beside its tables.

Scope: storing, listing and removing records, fingerprints of what is stored, and which days are
outdated. Which asset reads which is in `core.lineage`, what a change of the game file means in
`core.game_settings`.

A day has a record only while it is whole: the record goes before the day is written again, and
comes when it is stored. So a day of a killed run has none, and is outdated. Of a day with several
records, which runs at the same time have left, none counts.

Each version of the game file that days were made with is stored once, named after its fingerprint,
so that a listing of the records says which days were made with another one.
"""

import datetime as dt
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import msgspec

from ds_assets.core.game_settings import GameSettings, find_changes, needs_again
from ds_assets.core.lineage import RAW_LOGS, USABLE_WHEN_REFUSED, Lineage
from ds_assets.core.promotions.decisions import Withdrawal
from ds_assets.core.provenance import (
    Provenance,
    Summary,
    fingerprint,
    fingerprint_of_inputs,
    summary_of,
)
from ds_assets.core.stored_documents import DamagedDocumentError, read_document
from ds_assets.core.verdicts import Decision, Verdict, VerdictName
from ds_assets.infra.lake.base import Lake, LakeObject
from ds_assets.infra.lake.models import card_name
from ds_assets.infra.lake.promotion_decisions import list_withdrawals
from ds_assets.infra.lake.raw_logs import RawObject, raw_objects
from ds_assets.infra.lake.tables import stored_days, table_file
from ds_assets.infra.lake.verdicts import list_verdicts, read_verdict

PROVENANCE = "provenance"
FIRST_KEPT_DAYS = "retention.json"
"""Object with the first day that the retention has kept, by kind of data; see `retention`."""
ADOPTED = f"{PROVENANCE}/adopted.json"
"""Object that says which game file the days of an earlier release count as made with."""
UNKNOWN_KEY = "game.yaml"
"""Stands for the keys that have changed when the earlier version is lost."""

_log = logging.getLogger(__name__)
Lineages = Mapping[str, Lineage]
Names = tuple[str, ...]
"""Names of the records of an asset, as the lake lists them."""
_NO_LINEAGE = Lineage()
_CLOSED = "closed"
"""Stands for the content of a closed day: a day that is made from it is outdated if it opens."""
_CACHED_LISTINGS = 64
"""A few for each asset: a sensor asks again and again, mostly about what has not changed."""


class Records:
    """The records of all assets, each asset as it was when it was first asked for."""

    def __init__(self, lineages: Lineages, lake: Lake) -> None:
        self._lineages = lineages
        self._lake = lake
        self._listed: dict[str, Names] = {}
        self._settings: dict[str, GameSettings | None] = {}
        self._verdicts: Mapping[dt.date, VerdictName] | None = None

    def recorded_days(self, asset: str) -> Mapping[dt.date, Summary]:
        """The days of an asset that have a record."""
        return _summaries(self._names(asset))

    def refused_days(self) -> set[dt.date]:
        """The days of `user_activity` that are refused."""
        return self._days_with_verdict(Decision.REFUSED)

    def accepted_days(self) -> set[dt.date]:
        """The days of `user_activity` that were refused before."""
        return self._days_with_verdict(Decision.ACCEPTED)

    def verdict(self, day: dt.date) -> Verdict | None:
        """The verdict on the present `user_activity` of a day; none if its checks have passed."""
        name = self._newest_verdicts().get(day)
        return None if name is None else read_verdict(name, self._lake)

    def usable_days(self, asset: str) -> Mapping[dt.date, Summary]:
        """The days of an asset that others may be made from: recorded, and not refused.

        A day is refused with everything that was made for it.
        """
        recorded, refused = self.recorded_days(asset), self.refused_days()
        first = self._lineages.get(asset, _NO_LINEAGE).first_day
        refused = set() if asset in USABLE_WHEN_REFUSED else refused
        if asset == RAW_LOGS or not (refused or first > min(recorded, default=first)):
            return recorded
        return {
            day: summary for day, summary in recorded.items() if day not in refused and day >= first
        }

    def usable_files(self, asset: str) -> dict[dt.date, LakeObject]:
        """The files of an asset's usable days, in the table of its name, ascending by day.

        A file without a record belongs to a run that has not ended, whose checks may refuse it, or
        to one that was killed.
        """
        usable = self.usable_days(asset)
        return {day: file for day, file in stored_days(asset, self._lake).items() if day in usable}

    def inputs(self, asset: str, day: dt.date, *, history: bool = False) -> dict[str, str]:
        """Fingerprints of what a day is made from, as they are now, by asset and day.

        Args:
            asset: The asset.
            day: The day.
            history: Whether to list the inputs whose change leaves the day valid, and no others.
        """
        lineage = self._lineages[asset]
        read = {reads.asset: self._names(reads.asset) for reads in lineage.reads}
        return _inputs(lineage, day, read, self._find_taken_back(lineage), history=history)

    def current_days(self, asset: str) -> frozenset[dt.date]:
        """The days of an asset that were made from their inputs, and with the game file, of now."""
        lineage = self._lineages[asset]
        read = {it.asset: self._names(it.asset) for it in lineage.reads if not it.is_history}
        taken_back = self._find_taken_back(lineage)
        current = _current_days(lineage, self._names(asset), tuple(read.items()), taken_back)
        return current.difference(self.changed_days(asset))

    def changed_days(self, asset: str) -> Mapping[dt.date, tuple[str, ...]]:
        """The stored days of an asset that another game file made, with the keys that differ.

        Only keys whose change means that the asset is made again are considered. Of a refused day
        only `user_activity` is made again: it may pass.
        """
        recorded = self.recorded_days(asset)
        changes = {
            settings: keys
            for settings in {summary.settings for summary in recorded.values()}
            if (keys := self._changed_keys(asset, settings))
        }
        return {
            day: changes[summary.settings]
            for day, summary in sorted(recorded.items())
            if summary.settings in changes
            and self._is_made(asset, day)
            and (asset == "user_activity" or day not in self.refused_days())
        }

    def newest_settings(self, asset: str) -> GameSettings | None:
        """The game file that the newest stored day of an asset counts as made with."""
        recorded = self.recorded_days(asset)
        return self._read_settings(recorded[max(recorded)].settings) if recorded else None

    def outdated_days(self, asset: str) -> list[dt.date]:
        """Stored days that were made from other inputs than there are now, ascending.

        A delivery is outdated for every day with predictions that it does not hold, any other asset
        for an accepted day that it lacks. Refused days are not made again; of an asset that is
        stored on some days only, neither are those without activity: the next run makes them.
        """
        folders = stored_folders(self._lineages[asset])
        stored = (
            self.accepted_days().union(self._lake.days(folders[0]))
            if folders
            else set(self.usable_days("predictions"))
        )
        outdated = stored - self.refused_days() - self.current_days(asset)
        outdated |= self.changed_days(asset).keys()
        if self._lineages[asset].period > 1:
            outdated &= self.usable_days("user_activity").keys()
        return sorted(day for day in outdated if self._is_made(asset, day))

    def needs_run(self, asset: str, day: dt.date) -> bool:
        """Whether a day of an asset is not stored whole, or has to be made again."""
        if day not in self.recorded_days(asset):
            return True
        return self._is_made(asset, day) and day not in self.current_days(asset)

    def mark_again(self, asset: str, days: Iterable[dt.date], reason: str) -> None:
        """Mark recorded days as outdated, which others may be made from until they are replaced."""
        self._replace(asset, days, {"again": reason})

    def keep(self, asset: str, day: dt.date, reason: str) -> str:
        """Let a day count as made with the present game file, though it was not.

        Returns:
            Fingerprint of its content.
        """
        lineage = self._lineages[asset]
        store_settings(lineage.settings, self._lake)
        content = stored_content(lineage, day, self._lake)
        changes = {"settings": lineage.settings.fingerprint, "kept": reason, "content": content}
        self._replace(asset, [day], changes)
        return content

    def find_changed_inputs(self, asset: str, day: dt.date) -> dict[str, list[dt.date]]:
        """Find the days that an asset would read for a day, and that another game file made."""
        inputs: dict[str, list[dt.date]] = {}
        for reads in self._lineages[asset].reads:
            first, last = (day - dt.timedelta(it) for it in (reads.earliest, reads.latest))
            changed = self.changed_days(reads.asset)
            if within := [read for read in changed if first <= read <= last]:
                inputs[reads.asset] = within
        return inputs

    def withdraw(self, asset: str, days: Iterable[dt.date]) -> None:
        """Remove the records of days, which are outdated from now on."""
        self._lake.delete(_names_of_days(asset, days, self._lake))
        self._listed.pop(asset, None)

    def refresh_raw_content(self, files: Mapping[dt.date, Sequence[RawObject]]) -> None:
        """Record the content of days' raw files, see `refresh_raw_content`."""
        refresh_raw_content(files, self._lake)
        self._listed.pop(RAW_LOGS, None)

    def read(self, asset: str, day: dt.date) -> Provenance | None:
        """Read the record of a day; none for a day without one, or with a damaged one."""
        names = _names_of_days(asset, [day], self._lake)
        return read_record(names[0], self._lake) if names else None

    def _replace(self, asset: str, days: Iterable[dt.date], changes: Mapping[str, str]) -> None:
        """Change the records of days; a damaged one goes, so that its day is made again."""
        for name in _names_of_days(asset, days, self._lake):
            record = read_record(name, self._lake)
            self._lake.delete([name])
            if record is not None:
                store_record(record.model_copy(update=changes), self._lake)
        self._listed.pop(asset, None)

    @property
    def first_kept_day(self) -> dt.date:
        """The first day whose tables the retention has kept; earlier ones were removed."""
        return self._first_kept.get("tables", dt.date.min)

    @cached_property
    def _first_kept(self) -> Mapping[str, dt.date]:
        return first_kept_days(self._lake)

    def _is_made(self, asset: str, day: dt.date) -> bool:
        """Whether a day of an asset belongs to the game, and the retention keeps its inputs."""
        lineage = self._lineages[asset]
        if not lineage.is_made_on(day) or day < self.first_kept_day:
            return False
        return all(
            self._is_kept(reads.asset, day - dt.timedelta(days=reads.offsets[0]))
            for reads in lineage.reads
            if not reads.is_history
        )

    def _is_kept(self, asset: str, day: dt.date) -> bool:
        first = self._first_kept.get("raw" if asset == RAW_LOGS else "tables")
        return first is None or day >= first

    def _changed_keys(self, asset: str, settings: str) -> tuple[str, ...]:
        now = self._lineages[asset].settings
        if settings == now.fingerprint:
            return ()
        before = self._read_settings(settings)
        if before is None:
            return (UNKNOWN_KEY,) if settings and asset != RAW_LOGS else ()
        return tuple(key for key in find_changes(before, now) if needs_again(key, asset))

    def _read_settings(self, settings: str) -> GameSettings | None:
        """The version of the game file with a fingerprint; none if it is lost."""
        if settings not in self._settings:
            self._settings[settings] = read_settings(
                settings or read_adopted(self._lake).settings, self._lake
            )
        return self._settings[settings]

    def _names(self, asset: str) -> Names:
        if asset not in self._listed:
            self._listed[asset] = _list_names(asset, self._lake)
        return self._listed[asset]

    def _find_taken_back(self, lineage: Lineage) -> "_TakenBack":
        concerns_it = any(reads.is_without_withdrawn for reads in lineage.reads)
        withdrawals = self._withdrawals if concerns_it else ()
        return _TakenBack(frozenset(self.refused_days()), withdrawals)

    @cached_property
    def _withdrawals(self) -> tuple[Withdrawal, ...]:
        return list_withdrawals(self._lake)

    def _days_with_verdict(self, decision: Decision) -> set[dt.date]:
        verdicts = self._newest_verdicts()
        return {day for day, name in verdicts.items() if name.decision is decision}

    def _newest_verdicts(self) -> Mapping[dt.date, VerdictName]:
        if self._verdicts is None:
            recorded = self.recorded_days("user_activity")
            contents = {day: summary.content for day, summary in recorded.items()}
            self._verdicts = list_verdicts(contents, self._lake)
        return self._verdicts


def first_kept_days(lake: Lake) -> dict[str, dt.date]:
    """Read the first day that the retention has kept, by kind of data; none where all is kept."""
    try:
        return msgspec.json.decode(lake.read(FIRST_KEPT_DAYS), type=dict[str, dt.date])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        _log.warning(
            "%s cannot be read (%s), so that days that were removed look as if they were missing; "
            "run the job remove_expired_days, which writes it again",
            FIRST_KEPT_DAYS,
            error,
        )
        return {}


def _list_names(asset: str, lake: Lake) -> Names:
    return tuple(lake.entries(f"{PROVENANCE}/{asset}"))


@lru_cache(_CACHED_LISTINGS)
def _summaries(names: Names) -> Mapping[dt.date, Summary]:
    summaries = [summary for summary in map(summary_of, names) if summary is not None]
    counts = Counter(summary.day for summary in summaries)
    return {summary.day: summary for summary in summaries if counts[summary.day] == 1}


class _TakenBack(NamedTuple):
    """What has been taken back of what is stored.

    Attributes:
        refused: The refused days.
        withdrawals: Withdrawals of promotions; none for an asset that they do not concern.
    """

    refused: frozenset[dt.date]
    withdrawals: tuple[Withdrawal, ...]

    def withdrawn_on(self, days: Iterable[dt.date]) -> dict[str, str]:
        """The promotions whose assignments are withdrawn, of each day that has any, as inputs."""
        promotions = {
            day: sorted({it.promotion for it in self.withdrawals if it.covers(day)}) for day in days
        }
        return {f"withdrawn {day}": " ".join(names) for day, names in promotions.items() if names}


@lru_cache(_CACHED_LISTINGS)
def _contents(
    asset: str, names: Names, refused: frozenset[dt.date], first_day: dt.date
) -> Mapping[dt.date, tuple[str, str]]:
    """Name and fingerprint of each usable day of an asset as an input of others."""
    return {
        day: (f"{asset} {day}", it.content)
        for day, it in _summaries(names).items()
        if day >= first_day and (asset in USABLE_WHEN_REFUSED or day not in refused)
    }


def _inputs(
    lineage: Lineage,
    day: dt.date,
    read: Mapping[str, Names],
    taken_back: _TakenBack,
    *,
    history: bool,
) -> dict[str, str]:
    inputs: dict[str, str] = {}
    for reads in lineage.reads:
        if reads.is_history is history:
            names, first = read[reads.asset], lineage.first_day
            contents = _contents(reads.asset, names, taken_back.refused, first)
            days = reads.days(day, contents)
            inputs |= dict(contents[other] for other in days)
            if reads.is_without_withdrawn:
                inputs |= taken_back.withdrawn_on(days)
            inputs |= {
                f"closed_days {other}": _CLOSED for other in reads.closed_days_in(day, contents)
            }
    return inputs


@lru_cache(_CACHED_LISTINGS)
def _current_days(
    lineage: Lineage,
    names: Names,
    read: tuple[tuple[str, Names], ...],
    taken_back: _TakenBack,
) -> frozenset[dt.date]:
    listed = dict(read)
    return frozenset(
        day
        for day, record in _summaries(names).items()
        if record.inputs
        == fingerprint_of_inputs(_inputs(lineage, day, listed, taken_back, history=False))
    )


@dataclass(frozen=True)
class Recording:
    """What becomes known about days while they are made, for their records.

    Attributes:
        contents: Fingerprint of the content of a day, where it is known already, and of what a
            delivery holds; none for a day that must not be used, which gets no record.
        again: Why a day has to be made again although its inputs stay the same.
    """

    contents: dict[dt.date, str | None] = field(default_factory=dict)
    again: dict[dt.date, str] = field(default_factory=dict)


@contextmanager
def recorded(
    asset: str, days: Sequence[dt.date], lineages: Lineages, lake: Lake, run_id: str
) -> Iterator[Recording]:
    """Record what days are made from, which is done in the context.

    The inputs are listed before they are read: if one changes meanwhile, the record has another
    content of it than there is then, and the day is outdated. After an error the days have no
    record.

    Yields:
        An empty recording, to be filled in.
    """
    if any(reads.asset == RAW_LOGS for reads in lineages[asset].reads):
        refresh_raw_content({day: raw_objects(day, lake) for day in days}, lake)
    records = Records(lineages, lake)
    settings = lineages[asset].settings
    store_settings(settings, lake)
    begun = [
        Provenance(
            asset=asset,
            day=day,
            inputs=records.inputs(asset, day),
            history=records.inputs(asset, day, history=True),
            settings=settings.fingerprint,
            run_id=run_id,
        )
        for day in days
    ]
    lake.delete(_names_of_days(asset, days, lake))
    recording = Recording()
    yield recording
    for record in begun:
        content = recording.contents.get(record.day, "")
        if content is not None:
            content = content or _content(lineages[asset], record, lake)
            again = recording.again.get(record.day, "")
            store_record(record.model_copy(update={"content": content, "again": again}), lake)


def refresh_raw_content(files: Mapping[dt.date, Sequence[RawObject]], lake: Lake) -> None:
    """Record the content of days' raw files where files or their tags are not the recorded ones.

    Only then the files are read: files that were copied or restored, with other times, turn out to
    be the same.

    Args:
        files: All raw files of each day.
        lake: Where they are.
    """
    recorded = _summaries(_list_names(RAW_LOGS, lake))
    changed = {
        day: objects
        for day, objects in files.items()
        if day not in recorded or recorded[day].inputs != fingerprint_of_inputs(_tags(objects))
    }
    lake.delete(_names_of_days(RAW_LOGS, changed, lake))
    for objects in filter(None, changed.values()):
        record_raw_files(objects, lambda file: sha256_of(file.stored.name, lake), lake)


def record_raw_files(
    files: Sequence[RawObject], checksum: Callable[[RawObject], str], lake: Lake
) -> None:
    """Record the content of all raw files of a day.

    Args:
        files: The files; there is one at least.
        checksum: Returns the SHA-256 of a file.
        lake: Where they are.
    """
    content = fingerprint(text for file in files for text in (file.stored.name, checksum(file)))
    record = Provenance(asset=RAW_LOGS, day=files[0].day, content=content, inputs=_tags(files))
    store_record(record, lake)


def _tags(files: Iterable[RawObject]) -> dict[str, str]:
    return {file.name: file.stored.tag for file in files}


def _content(lineage: Lineage, record: Provenance, lake: Lake) -> str:
    if stored_folders(lineage):
        return stored_content(lineage, record.day, lake)
    return fingerprint_of_inputs(record.inputs)


def stored_content(lineage: Lineage, day: dt.date, lake: Lake) -> str:
    """Fingerprint of what is stored of a day."""
    names = stored_files(lineage, day)
    return fingerprint(text for name in names for text in (name, sha256_of(name, lake)))


def stored_files(lineage: Lineage, day: dt.date) -> list[str]:
    """Names of the objects of a day; the card of a model has the checksums of its other files."""
    return [
        *(table_file(table, day) for table in lineage.tables),
        *(card_name(kind, day) for kind in lineage.models),
    ]


def stored_folders(lineage: Lineage) -> list[str]:
    """Folders of the tables and models of an asset; none for a delivery."""
    return [*lineage.tables, *(f"models/{kind}" for kind in lineage.models)]


def sha256_of(name: str, lake: Lake) -> str:
    """Checksum of an object; empty where there is none."""
    try:
        with lake.local(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _names_of_days(asset: str, days: Iterable[dt.date], lake: Lake) -> list[str]:
    """Names of all records of days."""
    wanted = set(days)
    return [
        f"{PROVENANCE}/{asset}/{entry}"
        for entry in _list_names(asset, lake)
        if (summary := summary_of(entry)) is not None and summary.day in wanted
    ]


def read_record(name: str, lake: Lake) -> Provenance | None:
    """Read the record of a day; none if it is damaged.

    Raises:
        NewerFormatError: it is of a newer release.
    """
    try:
        return read_document(Provenance, lake.read(name), name)
    except DamagedDocumentError as error:
        _log.warning("%s; the day counts as not recorded", error)
        return None


def store_settings(settings: GameSettings, lake: Lake) -> None:
    """Store a version of the game file, if it is not stored already, and whole."""
    if read_settings(settings.fingerprint, lake) is None:
        lake.write(_settings_file(settings.fingerprint), settings.text.encode())


def read_settings(fingerprint: str, lake: Lake) -> GameSettings | None:
    """Read the version of the game file with a fingerprint; none if it is lost or damaged."""
    try:
        settings = GameSettings(lake.read(_settings_file(fingerprint)).decode())
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return settings if settings.fingerprint == fingerprint else None


class Adopted(NamedTuple):
    """What has been adopted of earlier releases.

    Attributes:
        settings: Fingerprint of the game file that days count as made with whose records have
            none; empty before they are adopted.
        has_renamed_reports: Whether the reports of days have their present names.
    """

    settings: str = ""
    has_renamed_reports: bool = False


def read_adopted(lake: Lake) -> Adopted:
    """Read what has been adopted of earlier releases."""
    adopted = read_object(ADOPTED, lake, "days of a release without records are adopted again")
    settings = str(adopted.get("settings", ""))
    return Adopted(settings, adopted.get("has_renamed_reports") is True)


def read_object(name: str, lake: Lake, consequence: str) -> Mapping[str, Any]:
    """Read a small JSON object; empty if it is missing or damaged.

    Args:
        name: Its name.
        lake: Where it is stored.
        consequence: What follows from its loss, for the warning.
    """
    try:
        content = json.loads(lake.read(name))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        _log.warning("%s is damaged; %s", name, consequence)
        return {}
    return content


def store_adopted(adopted: Adopted, lake: Lake) -> None:
    """Record what has been adopted of earlier releases."""
    lake.write(ADOPTED, json.dumps(adopted._asdict()).encode())


def _settings_file(fingerprint: str) -> str:
    return f"{PROVENANCE}/settings/{fingerprint}.json"


def store_record(record: Provenance, lake: Lake) -> None:
    """Store the record of a day that is whole."""
    name = f"{PROVENANCE}/{record.asset}/{record.name}"
    lake.write(name, record.model_dump_json(indent=1).encode())
