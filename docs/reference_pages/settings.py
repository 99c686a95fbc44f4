"""The settings of an installation."""

from collections.abc import Iterator
from typing import Any

import ds_assets.settings
from ds_assets.settings import PREFIX, Settings
from reference_pages.markdown import WRITTEN, code, describe_type, read_meanings, table

_INTRODUCTION = f"""# Settings

{WRITTEN}

Environment variables, or lines of a file `.env` in the working directory; a variable takes
precedence over the file, and an empty one counts as not set. [`.env.example`](../../.env.example)
is a file to start from. A setting that is marked *secret* may contain a password: it is in no
message and no log. Credentials of AWS and Azure are read as their own tools do ([your own
cloud](../../README.md#on-your-own-cloud)).

"""
_DEFAULT = " Default: "


def page() -> str:
    """The text of the page."""
    return _INTRODUCTION + table(["variable", "accepted", "default", "meaning"], _rows())


def _rows() -> Iterator[list[str]]:
    meanings = read_meanings(ds_assets.settings)
    for name, schema in Settings.model_json_schema()["properties"].items():
        meaning, _, default = meanings[f"Settings.{name}"].partition(_DEFAULT)
        secret = "" if Settings.model_fields[name].repr else " *Secret.*"
        shown = default.rstrip(".") or _plain_default(schema)
        yield [code(f"{PREFIX}{name.upper()}"), describe_type(schema), shown, meaning + secret]


def _plain_default(schema: dict[str, Any]) -> str:
    return code(schema.get("default", ""))
