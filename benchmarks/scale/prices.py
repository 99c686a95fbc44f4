"""The dated table of list prices, `benchmarks/prices.yaml`."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from benchmarks.measuring import ROOT
from ds_assets.errors import InputError, describe_mistakes

FILE = ROOT / "benchmarks" / "prices.yaml"
PriceName: TypeAlias = Literal[
    "s3_gb",
    "s3_reads",
    "aws_egress_first",
    "aws_egress_second",
    "aws_egress_third",
    "aws_egress_rest",
    "azure_egress",
    "blob_gb_first",
    "blob_gb_second",
    "blob_gb_rest",
    "spark_core",
    "run_machine",
    "small_machine",
    "kubernetes",
    "balancer",
    "mysql",
    "mysql_gb",
    "dagster_database",
    "redis_node",
]

Text = Annotated[str, Field(min_length=1)]


class Price(BaseModel):
    """A price, and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float = Field(gt=0, allow_inf_nan=False)
    """US dollars per `unit`."""
    unit: Text
    what: Text
    """Product, size and region."""
    source: Annotated[str, Field(pattern=r"^https://\S+$")]
    """An address where it can be checked."""
    read_in: Text
    """Where it was read."""
    date: dt.date
    """The day for which that place states it, or on which it was read if it states none."""


class _Prices(RootModel[dict[PriceName, Price]]):
    @model_validator(mode="after")
    def _check_complete(self) -> "_Prices":
        missing = sorted(set(get_args(PriceName)) - set(self.root))
        if missing:
            raise ValueError(f"{', '.join(missing)}: required")
        return self


def read_prices(file: Path = FILE) -> Mapping[PriceName, Price]:
    """Read the table of prices.

    Raises:
        InputError: a price is missing or not as it has to be.
    """
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        return _Prices.model_validate(content).root
    except ValidationError as error:
        raise InputError(describe_mistakes(str(file), error)) from None
