"""The tables of `docs/scale.md`, in Markdown.

Scope: words and numbers of each table; what they are computed by is in `plan`.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.bench_sizes import MYSQL, RAW_LOGS
from benchmarks.measuring import ROOT
from benchmarks.report import Report
from benchmarks.scale.assumptions import Assumptions
from benchmarks.scale.plan import (
    GB,
    SECONDS_PER_HOUR,
    Part,
    compute_cluster,
    compute_results_bytes,
    compute_serving,
    count_raw_files,
    list_costs,
    list_parts,
    list_stored_days,
    rank_parts,
    raw_bytes,
)
from benchmarks.scale.prices import Price, PriceName
from benchmarks.scale.results import (
    SPARK,
    Figures,
    find_missing,
    read_figures,
    read_reports,
)
from ds_assets.settings import Settings

PAGE, RESULTS = ROOT / "docs" / "scale.md", ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- computed: begin -->\n", "<!-- computed: end -->\n"
NOT_COMPUTED = "*Not computed yet: run `python -m benchmarks.scale`.*\n"
NOT_MEASURED = "not measured"
_EXACT = 10_000
"""Whole numbers below it are not rounded."""
_REQUESTS_PER_KEY = float(Settings.model_fields["requests_per_key"].default)


def fill_page(text: str, tables: str) -> str:
    """Put the tables between the markers of a page.

    Raises:
        ValueError: the page does not have each marker once, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks {BEGIN.strip()} or {END.strip()}")
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def make_expected_tables(folder: Path, prices: Mapping[PriceName, Price]) -> str:
    """What the page has to hold, given the results of a folder."""
    if find_missing(folder):
        return NOT_COMPUTED
    return make_tables(read_reports(folder), Assumptions(), prices)


def make_tables(
    reports: Mapping[str, Report], assumptions: Assumptions, prices: Mapping[PriceName, Price]
) -> str:
    """All tables of the plan.

    Raises:
        InputError: a row of a result is missing.
    """
    figures = read_figures(reports)
    sections = {
        "What is assumed": _assumptions(assumptions),
        "What was measured": [*_figures(figures), *_sources(reports)],
        "A day in the lake": _stored(figures, assumptions),
        "Hours of a day": [*_cluster(figures, assumptions), *_parts(figures, assumptions)],
        "Answers": _serving(figures, assumptions),
        "Dollars a month": [*_costs(figures, assumptions, prices), *_prices(prices)],
        "What breaks first": _ranking(figures, assumptions),
    }
    return "\n".join(f"## {title}\n\n{''.join(lines)}" for title, lines in sections.items())


def _assumptions(assumptions: Assumptions) -> Iterator[str]:
    fields = type(assumptions).model_fields
    rows = [
        (f"`{name}`", f"{getattr(assumptions, name):,.10g}", str(field.description))
        for name, field in fields.items()
    ]
    yield "The table shows what the plan takes as given; none of it was measured.\n\n"
    yield _table(("name", "value", "meaning"), rows)


def _figures(figures: Figures) -> Iterator[str]:
    it, size = figures, figures.bytes_per_row
    growth = it.seconds
    overhead = NOT_MEASURED if it.spark_overhead is None else _number(it.spark_overhead)
    rows = [
        ("core seconds per million events", growth.per_event * 1e6 * it.cores, "growth_events"),
        ("the same, logs to features alone", it.batch_core_seconds, "activity_features"),
        ("seconds per million active users", growth.per_user * 1e6, "growth_users"),
        ("seconds that do not grow", growth.fixed, "growth_events, growth_users"),
        ("MB per million active users", it.memory_mb.per_user * 1e6, "growth_users"),
        ("MB per million events", it.memory_mb.per_event * 1e6, "growth_events"),
        ("MB per second from S3 to Azure Blob", it.copy_bytes / 1e6, "copy_logs"),
        ("rows per second into MySQL", it.delivered_rows, "results_database"),
        ("users per second into Redis", it.cached_users, "cache"),
        ("bytes of Redis per user, without reasons", it.cache_bytes[0], "cache"),
        ("bytes of Redis per user, with reasons", it.cache_bytes[1], "cache"),
        ("answers for one user per second and worker", it.answers, "serving"),
        ("bytes of MySQL per delivered row", size[MYSQL], "sizes"),
        ("compressed bytes per simulated event", size[RAW_LOGS], "sizes"),
    ]
    yield "The table shows the figures that everything below is computed from.\n\n"
    cells = [(name, _number(value), source) for name, value, source in rows]
    spark = ("time of reading logs, Spark over DuckDB on as many cores", overhead, SPARK)
    yield _table(("figure", "value", "result"), [*cells, spark]) + "\n"


def _sources(reports: Mapping[str, Report]) -> Iterator[str]:
    rows = [
        (f"`{name}.json`", f"{it.time:%Y-%m-%d}", it.commit, str(it.machine["cores"]))
        for name, it in reports.items()
    ]
    yield "The table shows when each result was measured, and on how many cores.\n\n"
    yield _table(("result", "day", "commit", "cores"), rows)


def _stored(figures: Figures, assumptions: Assumptions) -> Iterator[str]:
    days = list_stored_days(figures, assumptions)
    rows = [
        (
            f"`{it.name}`",
            _number(it.rows),
            _number(it.size_bytes / it.rows),
            _number(it.size_bytes / GB),
            _number(count_raw_files(assumptions)) if it.name == RAW_LOGS else "1",
            _number(it.days),
            _number(it.kept_bytes / GB),
        )
        for it in days
    ]
    kept = _number(sum(it.kept_bytes for it in days) / GB)
    results = compute_results_bytes(figures.bytes_per_row[MYSQL], assumptions)
    yield "The table shows what a day adds to the lake, in how many files, and what is kept.\n\n"
    yield _table(("table", "rows", "bytes each", "GB", "files", "kept days", "kept GB"), rows)
    yield f"\nThe lake keeps {kept} GB, the results database {_number(results / GB)} GB.\n"


def _cluster(figures: Figures, assumptions: Assumptions) -> Iterator[str]:
    it = compute_cluster(figures, assumptions)
    cores = math.ceil(it.core_hours / it.hours)
    rows = [
        ("DuckDB, if it used all cores of one machine", _number(it.core_hours), _number(cores)),
        ("Spark", _optional(it.spark_core_hours), _optional(it.cores)),
    ]
    window = _number(it.hours)
    yield f"The table shows the work on logs that grows with events, to be done in {window} h.\n\n"
    yield _table(("engine", "core hours a day", "cores"), rows) + "\n"


def _parts(figures: Figures, assumptions: Assumptions) -> Iterator[str]:
    parts = [it for it in list_parts(figures, assumptions) if it.unit == "s"]
    rows = [
        (it.name, it.basis, _number(it.total / SECONDS_PER_HOUR), _fits(it), _note(it))
        for it in parts
    ]
    yield "The table shows what passes through one process each day, and whether it is in time.\n\n"
    yield _table(("the process", "result", "hours", "in time", "note"), rows)


def _serving(figures: Figures, assumptions: Assumptions) -> Iterator[str]:
    it = compute_serving(figures, assumptions, _REQUESTS_PER_KEY)
    without, with_reasons = map(_number, it.redis_gib)
    limit = _number(_REQUESTS_PER_KEY)
    rows = [
        ("requests per second at the peak", _number(it.peak_requests)),
        ("workers for these at the measured rate", _number(it.workers_by_rate)),
        (f"workers for these from one key at {limit} each", _number(it.workers_by_limit)),
        ("workers", _number(it.workers)),
        ("GiB of Redis without reasons, with the reserve", without),
        ("GiB of Redis with reasons, with the reserve", with_reasons),
        ("nodes of Redis, with replicas and reasons", _number(it.redis_nodes)),
    ]
    yield "The table shows what answers need: workers of the API, and memory of Redis.\n\n"
    yield _table(("what", "number"), rows)


def _costs(
    figures: Figures, assumptions: Assumptions, prices: Mapping[PriceName, Price]
) -> Iterator[str]:
    serving = compute_serving(figures, assumptions, _REQUESTS_PER_KEY)
    costs = list_costs(figures, assumptions, serving, prices)
    rows = [
        (it.name, _optional(it.amount), it.unit, _optional(it.dollars), ", ".join(it.prices))
        for it in costs
    ]
    total = _number(sum(it.dollars for it in costs if it.dollars is not None))
    unmeasured = [it.name for it in costs if it.dollars is None]
    left_out = f" without {', '.join(unmeasured)}" if unmeasured else ""
    yield "The table shows a month at list prices, each line with the prices that it uses.\n\n"
    yield _table(("for", "amount", "unit", "dollars", "prices"), rows)
    yield f"\nTogether {total} dollars a month{left_out}, and "
    yield f"{_number(raw_bytes(assumptions) / GB)} GB of logs a day.\n\n"


def _prices(prices: Mapping[PriceName, Price]) -> Iterator[str]:
    rows = [
        (name, f"{it.value:g}", it.unit, it.what, f"[{it.read_in}]({it.source})", str(it.date))
        for name, it in prices.items()
    ]
    yield "The table shows the prices in dollars, and where and when they were read.\n\n"
    yield _table(("name", "dollars", "per", "what", "read in", "date"), rows)


def _ranking(figures: Figures, assumptions: Assumptions) -> Iterator[str]:
    parts = rank_parts(list_parts(figures, assumptions))
    players = assumptions.daily_players
    rows = [
        (
            it.name,
            f"{_number(it.limit)} {it.unit}",
            f"{_number(it.total)} {it.unit}",
            "no size" if math.isinf(it.capacity) else _number(it.capacity * players),
        )
        for it in parts
    ]
    one_task = ("writes all event ids of a day as one file, on Spark", NOT_MEASURED)
    yield "The table shows the number of daily players, with events and users in proportion, "
    yield "above which a process exceeds its limit.\n\n"
    heads = ("the process", "limit", "needs", "up to daily players")
    yield _table(heads, [*rows, (one_task[0], "", NOT_MEASURED, NOT_MEASURED)])


def _fits(part: Part) -> str:
    return "yes" if part.total <= part.limit else "no"


def _note(part: Part) -> str:
    return "also in what grows with users" if part.is_counted else ""


def _optional(value: float | None) -> str:
    return NOT_MEASURED if value is None else _number(value)


def _number(value: float) -> str:
    """A small whole number as it is, any other with three digits that count."""
    if float(value).is_integer() and abs(value) < _EXACT:
        return f"{value:,.0f}"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.{max(0, digits)}f}" if digits < 5 else f"{rounded:.2g}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
