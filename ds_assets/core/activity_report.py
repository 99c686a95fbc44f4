"""The report of a day's raw files, lines and events."""

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from ds_assets.core.stored_documents import StoredDocument


class UnreadableFile(BaseModel):
    """A raw file that cannot be read to its end, or whose lines are not text.

    Attributes:
        name: Its name.
        size: Its size in bytes.
        lost_lines: Estimated number of lines that could not be read.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    lost_lines: int


class TypeLines(BaseModel):
    """The lines of an event type of which some are in quarantine.

    Attributes:
        lines: All of its lines, duplicates among them.
        quarantined: Those in quarantine, by reason.
    """

    model_config = ConfigDict(frozen=True)

    lines: int
    quarantined: dict[str, int]


class ActivityReport(StoredDocument):
    """Counts of a day's raw files, their lines and their events."""

    model_config = ConfigDict(frozen=True)

    day: dt.date
    raw_fingerprint: str
    """Fingerprint of the raw files that were read."""
    files: int
    gone_files: int = 0
    """Files that have left the source, whose events are not counted."""
    ignored_files: int = 0
    """Files in the day's folder that are not logs, such as those of working folders."""
    lines: int
    """Lines of the game, without those that are left out by rule."""
    left_out_lines: int = 0
    """Lines that are not events of the game, by `logs.leave_out` of the game file."""
    events: int
    """Valid events, without duplicates."""
    duplicates: int
    late_events: int
    """Events that are dated before the day."""
    changed_user_ids: int = 0
    """Events whose line has the user id in another form than the one that is stored."""
    cut_texts: int = 0
    """Texts of attributes of events that were cut, being too long."""
    quarantined: dict[str, int]
    """Lines, and files that broke off, by reason."""
    quarantined_types: dict[str, TypeLines] = Field(default_factory=dict)
    """Lines by event type, as far as it can be read, of types with lines in quarantine."""
    unreadable: tuple[UnreadableFile, ...] = ()
    days_to_run_again: tuple[dt.date, ...] = ()
    """Later days with events whose ids this day has had since it was made before, or lost."""
    users: int
    rows: int

    @property
    def quarantined_share(self) -> float:
        """Share of the lines that are in quarantine or lost in unreadable files; 0 without any."""
        lost = sum(file.lost_lines for file in self.unreadable)
        return (sum(self.quarantined.values()) + lost) / max(self.lines + lost, 1)
