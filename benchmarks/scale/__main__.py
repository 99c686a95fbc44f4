"""Compute the plan, print it, and write it into `docs/scale.md`: `python -m benchmarks.scale`.

`--assume NAME=NUMBER` computes it for another game or another choice, and only prints it.
"""

import argparse

from pydantic import ValidationError

from benchmarks.measuring import say
from benchmarks.scale.assumptions import Assumptions
from benchmarks.scale.page import PAGE, RESULTS, fill_page, make_tables
from benchmarks.scale.prices import read_prices
from benchmarks.scale.results import read_reports
from ds_assets.errors import InputError, describe_mistakes, exit_on_error


def main(arguments: list[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: Those of the command line; none reads them from there.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="another number in place of an assumed one; the page is not written",
    )
    assumed = parser.parse_args(arguments).assume
    with exit_on_error():
        tables = make_tables(read_reports(RESULTS), read_assumptions(assumed), read_prices())
    print(tables)
    if not assumed:
        PAGE.write_text(fill_page(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
        say(f"{PAGE.name} has them")


def read_assumptions(texts: list[str]) -> Assumptions:
    """Read `NAME=NUMBER`, each in place of an assumption.

    Raises:
        InputError: a name or a number is not accepted.
    """
    try:
        return Assumptions.model_validate(dict(text.split("=", 1) for text in texts))
    except ValidationError as error:
        raise InputError(describe_mistakes("--assume", error)) from None
    except ValueError:
        raise InputError(f"--assume: found {', '.join(texts)}; NAME=NUMBER is accepted") from None


if __name__ == "__main__":
    main()
