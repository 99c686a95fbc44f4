"""Users and the promotions that they were first assigned to: those that are compared.

A user counts once in a promotion, from the first assignment on, whatever the version: what came
before it was the same in all arms. Whether a user qualifies again later may be an effect of the
promotion, and users that it kept or drove away would make the arms differ.

Scope: finding these users with the engine, and their terms.
"""

from ds_assets.core.aggregates import exact_sum
from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.promotions.assignment import CONTROL, HOLDOUT, TREATED
from ds_assets.core.tables import PREDICTED_NUMBERS
from ds_assets.core.targets import BUILT_IN, CHURN

_DESCRIBED = (
    *("version", "arm", "weight", "assignment_id", "cluster", "user_group"),
    *(*PREDICTED_NUMBERS, "target_probability"),
)
_TARGET_OF_ALL = next(target for target in BUILT_IN if target.name == CHURN)
"""The target by which all promotions together are compared with the holdout."""
_COLUMNS = ("promotion", "user_id", "as_of", *_DESCRIBED, "cost")


@plan_once
def find_first_assignments(assignments: DataFrame, windows: DataFrame, engine: Engine) -> DataFrame:
    """The users that each promotion was first assigned to on one of some days.

    All promotions together are compared with the holdout: of these, a user that is not in the
    holdout counts as treated, also where a promotion has the user in control.

    Args:
        assignments: Columns of `PROMOTIONS` of all days.
        windows: Columns day and until, the last day over which spend is measured.
        engine: Engine that runs it.

    Returns:
        promotion, or `all`; user_id; as_of; what is stored of the user as of that day; and cost,
        that of all assignments of the promotion that are in effect within the window.
    """
    f = engine.functions
    rows = _of_each(assignments, engine).union(_of_all(assignments, engine))
    first = rows.groupBy("promotion", "user_id").agg(f.min("as_of").alias("first_day"))
    chosen = first.join(windows, f.col("first_day") == f.col("day")).select(
        f.col("promotion").alias("first_promotion"),
        f.col("user_id").alias("first_user"),
        *("first_day", "until"),
    )
    is_same = (f.col("promotion") == f.col("first_promotion")) & (
        f.col("user_id") == f.col("first_user")
    )
    # A step of names alone: SQLFrame cannot tell apart columns of joined frames in expressions.
    both = rows.join(chosen, is_same).select(*_COLUMNS, "first_day", "until")
    is_first = f.col("as_of") == f.col("first_day")
    is_within = f.col("as_of") < f.col("until")
    return both.groupBy("promotion", "user_id", f.col("first_day").alias("as_of")).agg(
        *(f.max(f.when(is_first, f.col(name))).alias(name) for name in _DESCRIBED),
        exact_sum(f, f.when(is_within, f.col("cost"))).alias("cost"),
    )


def _of_each(assignments: DataFrame, engine: Engine) -> DataFrame:
    """Assignments of each promotion, without the holdout, which no promotion has to itself."""
    f = engine.functions
    return assignments.where(f.col("arm") != HOLDOUT).select(*_COLUMNS)


def _of_all(assignments: DataFrame, engine: Engine) -> DataFrame:
    """Assignments as those of one promotion, whose control is the holdout."""
    f = engine.functions
    arm = f.when(f.col("arm") == HOLDOUT, f.lit(CONTROL)).otherwise(f.lit(TREATED))
    replaced = {
        "promotion": f.lit(ALL),
        "version": f.lit(ALL),
        "arm": arm,
        "target_probability": f.col(_TARGET_OF_ALL.probability_column),
    }
    return assignments.select(
        *(replaced[name].alias(name) if name in replaced else f.col(name) for name in _COLUMNS)
    )
