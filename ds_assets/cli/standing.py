"""Where an installation stands: what is stored of each day, and which runs there are.

Scope: listing and reading. Only listings, records, verdicts and the cards of one day are read, no
table, so that it is fast after years. Nothing is created or changed. What follows from it, and its
words, are in `core.day_status`.
"""

import datetime as dt
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ds_assets.cli.run_states import RunStates, read_run_states
from ds_assets.core.arrivals import SETTLED_AFTER
from ds_assets.core.day_ranges import list_days
from ds_assets.core.day_status import (
    RECENT_DAYS,
    Activity,
    DayStatus,
    Logs,
    Status,
    count_days,
    find_attention,
    find_next,
)
from ds_assets.core.game_settings import ACTIVITY
from ds_assets.core.labels import matures_on
from ds_assets.core.lineage import RAW_LOGS, lineage_of
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.promotions.states import PromotionState
from ds_assets.core.tables import PREDICTION_OUTCOMES, PREDICTIONS, PROMOTION_RESULTS
from ds_assets.core.targets import targets_of
from ds_assets.core.verdicts import CHECKS, Decision, Verdict
from ds_assets.errors import InputError, Unavailable
from ds_assets.game import Game
from ds_assets.infra.labels import find_stored_due_outcomes
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import readable_card
from ds_assets.infra.lake.promotion_states import read_states
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.raw_logs import RAW, SourceDay, describe_lacking, list_source_day
from ds_assets.infra.lake.refresh import describe_changed_days, describe_days, find_changed_days
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.newest_logs import newest_day
from ds_assets.infra.results.schema import SCHEMA_VERSION
from ds_assets.installation import Installation
from ds_assets.sensors.log_source import find_newest_due_day
from ds_assets.settings import DEMO_GAME

RESULTS = "rds_results"
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class _Facts:
    """What is known of the days of an installation.

    Attributes:
        records: The lake's records.
        raw_days: Days with raw files in the lake.
        folders: The days of the source.
        source_days: Days with a folder in the source; none where it cannot be listed.
        runs: What Dagster knows of runs.
        outdated: Assets of each day that have to be made again.
        verdicts: What was decided about days.
        unread: A sentence for each place that cannot be read.
    """

    records: Records
    raw_days: Collection[dt.date]
    folders: DayFolders
    source_days: Collection[dt.date] | None
    runs: RunStates
    outdated: Mapping[dt.date, tuple[str, ...]]
    verdicts: Mapping[dt.date, Verdict | None]
    unread: list[str] = field(default_factory=list)


def read_status(installation: Installation, now: dt.datetime) -> Status:
    """Read where an installation stands.

    Raises:
        InputError: the lake cannot be used, or holds something that cannot be read.
        Unavailable: the lake is unavailable.
    """
    game, lake = installation.game, installation.lake()
    newest_due = find_newest_due_day(game, installation.settings.schedule_hour, now)
    facts = _read_facts(installation, lake, now)
    days = [_describe_day(day, facts, game) for day in _list_days(facts, newest_day(game), game)]
    if not any(day.has_logs for day in days):
        return _describe_empty_home(installation, now, facts.unread)
    older, recent = days[:-RECENT_DAYS], days[-RECENT_DAYS:]
    recent = [_with_note(day, installation, now, facts) for day in recent]
    promotions = _read_promotions(recent[-1].day, installation, lake)
    attention = [
        *_describe_changed_settings(facts.records),
        *find_attention([*older, *recent], newest_due),
        *_find_lost_deliveries(installation, facts),
        *_describe_stopped(promotions),
    ]
    return Status(
        game=game.name,
        at=now,
        days=tuple(recent),
        older=count_days(older),
        models=_describe_models([day.day for day in days if day.predicted], game, lake),
        promotions={name: str(state) for name, state in promotions.items()},
        attention=tuple(attention),
        next=tuple(find_next([*older, *recent], has_daemon=facts.runs.has_daemon)),
        unread=tuple(facts.unread),
    )


def _read_facts(installation: Installation, lake: Lake, now: dt.datetime) -> _Facts:
    game, unread = installation.game, list[str]()
    # Opening the records of a lake without days would create it.
    has_days = bool(lake.days(ACTIVITY))
    records = open_records(game, lake) if has_days else Records(lineage_of(game), lake)
    folders = DayFolders(installation.log_source())
    decided = sorted(records.refused_days() | records.accepted_days())
    return _Facts(
        records,
        frozenset(lake.days(RAW)),
        folders,
        _read("the log source", unread, lambda: _list_source_days(installation, folders)),
        _read("what Dagster knows of runs", unread, lambda: _read_runs(installation, now))
        or RunStates(),
        _find_outdated(records, game),
        {day: records.verdict(day) for day in decided},
        unread,
    )


def _read(place: str, unread: list[str], read: Callable[[], _Value]) -> _Value | None:
    """Read from a place that is not needed for the rest."""
    try:
        return read()
    except (InputError, Unavailable, OSError) as error:
        unread.append(f"{place} cannot be read: {error}")
        return None


def _list_source_days(installation: Installation, folders: DayFolders) -> frozenset[dt.date]:
    game, settings = installation.game, installation.settings
    if not settings.source_url and not settings.source.is_dir():
        return frozenset()
    return frozenset(folders.find_days(list_days(game.first_day, newest_day(game))))


def _read_runs(installation: Installation, now: dt.datetime) -> RunStates:
    home = os.environ.get("DAGSTER_HOME") or installation.settings.home / "dagster"
    return read_run_states(Path(home), now) if Path(home).is_dir() else RunStates()


def _find_outdated(records: Records, game: Game) -> dict[dt.date, tuple[str, ...]]:
    assets: dict[dt.date, list[str]] = {}
    for asset in lineage_of(game):
        if asset not in {RAW_LOGS, PREDICTION_OUTCOMES.name, PROMOTION_RESULTS.name}:
            for day in records.outdated_days(asset):
                assets.setdefault(day, []).append(asset)
    for day in find_stored_due_outcomes(records, game):
        assets.setdefault(day, []).append(PREDICTION_OUTCOMES.name)
    return {day: tuple(names) for day, names in assets.items()}


def _list_days(facts: _Facts, newest: dt.date, game: Game) -> list[dt.date]:
    """Days of the game that have ended, up to the newest one of which there is anything.

    The day after it is listed, too: it is the first that lacks logs.
    """
    stored = {*facts.raw_days, *(facts.source_days or ()), *facts.records.recorded_days(ACTIVITY)}
    last = max(stored, default=newest) + dt.timedelta(days=1)
    first = max(game.first_day, facts.records.first_kept_day)
    return list_days(first, min(last, newest))


def _describe_day(day: dt.date, facts: _Facts, game: Game) -> DayStatus:
    records, verdict = facts.records, facts.verdicts.get(day)
    is_predicted = day in records.recorded_days(PREDICTIONS.name)
    activity: Activity = "stored" if day in records.recorded_days(ACTIVITY) else "none"
    is_refused = verdict is not None and verdict.decision is Decision.REFUSED
    outdated = facts.outdated.get(day, ())
    has_failed = day in facts.runs.failed and not is_refused and (outdated or not is_predicted)
    return DayStatus(
        day=day,
        logs=_find_logs(day, facts, game),
        activity="refused" if is_refused else activity,
        reason="" if verdict is None else str(verdict),
        awaits_decision=verdict is not None and is_refused and verdict.by == CHECKS,
        predicted=is_predicted,
        delivered=day in records.recorded_days(RESULTS),
        compared=day in records.recorded_days(PREDICTION_OUTCOMES.name),
        outcomes_on=_find_outcomes_day(day, game) if is_predicted else None,
        outdated=outdated,
        run="running" if day in facts.runs.running else "failed" if has_failed else None,
        error=facts.runs.failed[day] if has_failed else "",
    )


def _find_outcomes_day(day: dt.date, game: Game) -> dt.date | None:
    """Day at whose end the first outcomes of a day are known; none if the game ends before it."""
    horizon = min(target.horizon for target in targets_of(game).values())
    matured_on = matures_on(day, horizon, game)
    return matured_on if game.last_day is None or matured_on <= game.last_day else None


def _find_logs(day: dt.date, facts: _Facts, game: Game) -> Logs:
    if day in facts.raw_days or day in facts.records.recorded_days(ACTIVITY):
        return "collected"
    if day in (facts.source_days or ()):
        return "in_source"
    if day in game.closed_days:
        return "closed"
    return "missing" if facts.source_days is not None else "unknown"


def _with_note(
    day: DayStatus, installation: Installation, now: dt.datetime, facts: _Facts
) -> DayStatus:
    """Add what the files of a day in the source wait for."""
    if day.logs != "in_source":
        return day
    game, folders = installation.game, facts.folders
    files = _read(
        "the log source", facts.unread, lambda: list_source_day(day.day, folders, game.logs)
    )
    settled_before = now - SETTLED_AFTER if facts.runs.has_daemon else None
    note = "" if files is None else _describe_waiting(files, game, settled_before)
    return day.model_copy(update={"note": note})


def _describe_waiting(files: SourceDay, game: Game, settled_before: dt.datetime | None) -> str:
    if not files.logs:
        return "until its folder in the source has log files"
    if lacking := describe_lacking(files, game.logs):
        return f"until its folder in the source has {lacking}"
    if game.logs.marker or settled_before is None:  # only the sensor waits
        return ""
    is_settled = all(file.modified < settled_before for file in files.logs)
    return "" if is_settled else "until its files have not changed for a minute"


def _describe_changed_settings(records: Records) -> Iterator[str]:
    if changed := find_changed_days(records):
        yield describe_changed_days(changed, None)


def _find_lost_deliveries(installation: Installation, facts: _Facts) -> Iterator[str]:
    """Yield a sentence if the results database lacks days that were delivered."""
    delivered = sorted(facts.records.recorded_days(RESULTS))
    if not delivered:
        return
    stored = _read("the results database", facts.unread, lambda: _read_deliveries(installation))
    if stored is None:
        return
    lost = [day for day in delivered if day >= min(stored, default=delivered[0])]
    if lost := [day for day in lost if day not in stored]:
        yield (
            f"the results database lacks {describe_days(lost)} that were delivered; the sensor "
            f"delivers them again, or `ds-assets run {lost[0]} {lost[-1]}`"
        )


def _read_deliveries(installation: Installation) -> set[dt.date]:
    file = installation.settings.results_file
    if file is not None and not file.exists():  # connecting would create it
        return set()
    with installation.results() as database:
        version = database.schema_version()
        if version is None:  # reading would create the tables
            return set()
        if version != SCHEMA_VERSION:
            raise InputError(f"its tables are of version {version}; the next delivery upgrades it")
        return {delivery.as_of for delivery in database.deliveries()}


def _describe_models(predicted: Sequence[dt.date], game: Game, lake: Lake) -> dict[str, str]:
    """What the newest predictions were made with, by target."""
    if not predicted:
        return {}
    texts = {}
    for name in targets_of(game):
        warnings: list[str] = []
        card = readable_card(name, predicted[-1], ModelCard, lake, warnings.append)
        texts[name] = "; ".join(warnings) if card is None else _describe_model(card)
    return texts


def _describe_model(card: ModelCard) -> str:
    if card.evaluation is not None:
        auc = card.evaluation.measures.auc
        return (
            f"model of {card.trained}, AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}) "
            f"on {card.evaluation.snapshot}"
        )
    return f"early predictions; {card.missing}" if card.early is not None else card.missing


def _read_promotions(
    day: dt.date, installation: Installation, lake: Lake
) -> dict[str, PromotionState]:
    game = installation.game
    if not game.promotions:
        return {}
    _, mistakes = installation.assignment_files().read_all(game)
    return read_states([day], lake, game, mistakes)[day]


def _describe_stopped(promotions: Mapping[str, PromotionState]) -> Iterator[str]:
    for name, state in promotions.items():
        if state.status == "stopped":
            resume = f"`ds-assets resume {name}` continues it all the same"
            advice = resume if state.may_resume else "correct the file"
            yield f"the promotion {name} is stopped: {state.reason}; {advice}"


def _describe_empty_home(
    installation: Installation, now: dt.datetime, unread: Sequence[str]
) -> Status:
    """The status of an installation without any logs, with the first commands."""
    settings = installation.settings
    if settings.game == DEMO_GAME:
        home = settings.home
        first = f"`ds-assets simulate --users 2000 --days 60 --out {home}` writes a game to try"
    else:
        folder = installation.log_source().folder(newest_day(installation.game))
        first = f"put the logs of each day where game.yaml says, such as {folder}"
    return Status(
        game=installation.game.name,
        at=now,
        attention=(f"there are no logs in {settings.places()['source']} and the lake",),
        next=(
            first,
            "`ds-assets check` compares game.yaml with the logs, and opens every place",
            "`ds-assets run --last` makes the first predictions",
        ),
        unread=tuple(unread),
    )
