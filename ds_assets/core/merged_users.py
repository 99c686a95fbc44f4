"""Merging sorted rows of several sources while they are read, user by user.

Scope: the order of rows. What is done with all rows of a user is up to the caller.
"""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc


def merge_by_user(sources: Sequence[Iterable[pa.RecordBatch]]) -> Iterator[pa.Table]:
    """Merge sources without holding more than a few batches of each.

    Args:
        sources: Batches of the same columns, among them `user_id`, by which each source is sorted.

    Yields:
        Tables with all rows of their users, those of a source after those of the sources before
        it. The users of a table come after those of the table before.
    """
    streams = [_Stream(batches) for batches in sources]
    while unread := [stream for stream in streams if not stream.is_over]:
        # Of this user, and of those after it, more rows may follow.
        first = min(stream.last for stream in unread)
        yield from _gather(stream.take_before(first) for stream in streams)
        for stream in unread:
            if stream.last == first:
                stream.read()
    yield from _gather(stream.rows for stream in streams)


def _gather(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    if rows := [part for part in parts if part.num_rows]:
        yield pa.concat_tables(rows)


class _Stream:
    """A source that is being read.

    Attributes:
        rows: Rows that were read and not taken.
        last: The last user that was read.
        is_over: Whether all rows were read.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._unread = filter(len, batches)
        self.rows, self.last = pa.table({}), ""
        self.is_over = False
        self.read()

    def read(self) -> None:
        """Read a batch more."""
        batch = next(self._unread, None)
        if batch is None:
            self.is_over = True
            return
        held = [self.rows] if self.rows.num_rows else []
        self.rows = pa.concat_tables([*held, pa.table(batch)])
        self.last = batch["user_id"][-1].as_py()

    def take_before(self, user_id: str) -> pa.Table:
        """Take the rows of the users before one."""
        if not self.rows.num_rows:
            return self.rows
        count = pc.sum(pc.less(self.rows["user_id"], user_id)).as_py()
        rows, self.rows = self.rows.slice(0, count), self.rows.slice(count)
        return rows
