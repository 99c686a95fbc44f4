"""What all assets do alike when something is wrong."""

from pathlib import Path

import dagster as dg
import pytest

from ds_assets.errors import InputError
from ds_assets_tests.assets.factories import day, event, make_installation


@pytest.mark.slow
def test_input_that_is_wrong_fails_at_once_with_its_sentence(tmp_path: Path) -> None:
    before = make_installation(tmp_path, properties={})
    before.write_logs(day(0), event(1, "2026-01-01T12:00:00Z"))
    before.run(day(0), assets=("raw_logs", "user_activity"))
    changed = make_installation(tmp_path, properties={"score": "props.score"})
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(InputError, match=r"another game\.yaml; run `ds-assets refresh`"):
            changed.run(day(0), assets=("user_features",), instance=instance)
        assert _events(instance, dg.DagsterEventType.STEP_UP_FOR_RETRY) == 0
        assert _events(instance, dg.DagsterEventType.STEP_FAILURE) == 1


def _events(instance: dg.DagsterInstance, kind: dg.DagsterEventType) -> int:
    (run,) = instance.get_runs()
    return len(instance.all_logs(run.run_id, of_type=kind))
