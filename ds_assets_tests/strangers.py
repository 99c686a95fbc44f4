"""From an export to predictions as a stranger would go: `python -m ds_assets_tests.strangers`.

Each export is written into an empty folder. From a wheel in an environment of its own, without a
line edited by hand, the game file is guessed, the logs examined, all of them read, and the last day
predicted.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ds_assets_tests.exports import EXPORTS, Export, Line, play, write_export
from ds_assets_tests.wheel import install_wheel, run

WARNED = (0, 1)
"""Exit codes of commands that found something for a person to look at, or nothing."""


@dataclass(frozen=True)
class Walk:
    """What came of an export.

    Attributes:
        wrong_keys: Keys of the game file that were guessed wrong: what was guessed, what is right.
        seconds: What each command took.
        prediction: The prediction of a user.
    """

    wrong_keys: Mapping[str, tuple[Any, Any]]
    seconds: Mapping[str, float]
    prediction: str


def walk(command: Path, export: Export, users: int, days: int, folder: Path) -> Walk:
    """Go from an export to a prediction.

    Args:
        command: The program `ds-assets`.
        export: The export.
        users: Number of users of the game.
        days: Days of logs.
        folder: Empty folder.
    """
    logs, home = folder / "logs", folder / "ds_assets_home"
    write_export(export, users, days, logs)
    seconds: dict[str, float] = {}

    def call(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> str:
        started = time.monotonic()
        answer = run(command, *arguments, folder=folder, codes=codes)
        seconds[str(arguments[0])] = time.monotonic() - started
        return answer

    steps = call("init", logs, "--yes")
    _follow(steps, folder)
    game = yaml.safe_load((home / "game.yaml").read_text())
    if not export.has_days:
        call("import-logs", logs)
    call("check", codes=WARNED)
    call("doctor", codes=WARNED)
    call("run", "--last", codes=WARNED)
    call("status", codes=WARNED)
    return Walk(_compare(game, export), seconds, call("predict", _last_user(export, users, days)))


def _follow(steps: str, folder: Path) -> None:
    """Put the settings that `init` named where the next commands find them."""
    settings = [it.split()[1] for it in steps.splitlines() if it.strip().startswith("export ")]
    (folder / ".env").write_text("".join(f"{setting}\n" for setting in settings))


def _compare(game: Mapping[str, Any], export: Export) -> dict[str, tuple[Any, Any]]:
    guessed = {key: _value(game, key) for key in export.keys}
    return {key: (guessed[key], it) for key, it in export.keys.items() if guessed[key] != it}


def _value(game: Mapping[str, Any], key: str) -> Any:
    value: Any = game
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _last_user(export: Export, users: int, days: int) -> str:
    *_, event = play(users, days)
    paths = export.keys["fields.user_id"]
    line = export.line(event)
    values = (_at(line, path) for path in ([paths] if isinstance(paths, str) else paths))
    return next(str(it) for it in values if it)


def _at(line: Line, path: str) -> Any:
    value: Any = line
    for name in path.replace("json(", "").replace(")", "").split("."):
        value = json.loads(value) if isinstance(value, str) else value
        value = value.get(name)
    return value


def main() -> int:
    """Walk with every export, and print what each took; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="strangers", description=__doc__)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--days", type=int, default=45)
    parser.add_argument("--only", nargs="*", choices=EXPORTS, default=[*EXPORTS])
    options = parser.parse_args()
    right = total = 0
    with tempfile.TemporaryDirectory() as environment, tempfile.TemporaryDirectory() as sources:
        command = install_wheel(Path(environment), Path(sources)) / "ds-assets"
        for name in options.only:
            export = EXPORTS[name]
            with tempfile.TemporaryDirectory() as folder:
                walked = walk(command, export, options.users, options.days, Path(folder))
            taken = "  ".join(f"{step} {it:.0f} s" for step, it in walked.seconds.items())
            print(f"{name:<22} {sum(walked.seconds.values()):4.0f} s  {taken}", flush=True)
            for key, (guess, answer) in walked.wrong_keys.items():
                print(f"{'':<22} {key}: guessed {guess}, right is {answer}")
            total += len(export.keys)
            right += len(export.keys) - len(walked.wrong_keys)
    print(f"{right} of {total} keys are guessed right")
    return 0 if right >= 0.95 * total else 1


if __name__ == "__main__":
    sys.exit(main())
