"""An evaluation that cannot look at what it needs is skipped, with the reason in one sentence."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import dagster as dg

from ds_assets.errors import InputError, Unavailable

Evaluate = Callable[..., dg.SensorResult]


def skip_on_errors(evaluate: Evaluate) -> Evaluate:
    """Skip an evaluation on an error made for users. The cursor stays: the next one sees the same.

    Without it the UI shows the stack of the error for each evaluation while a server is down.
    """

    @wraps(evaluate)
    def run(context: dg.SensorEvaluationContext, **resources: Any) -> dg.SensorResult:
        try:
            return evaluate(context, **resources)
        except (InputError, Unavailable) as error:
            context.log.warning(str(error))
            return dg.SensorResult(skip_reason=f"Nothing was looked at; it is tried again: {error}")

    return run
