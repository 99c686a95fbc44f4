"""What a stored model says about itself, as JSON beside its ONNX file.

Scope: what all cards have in common, and how they are read and written as text. Where cards are
stored, and how their contents are found, is elsewhere.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ds_assets.core.encoding import Encoding
from ds_assets.errors import InputError, describe_mistakes

State = Literal["ready", "not_enough_data"]

_LIBRARIES = ("numpy", "onnx", "pandas", "scikit-learn", "scipy", "skl2onnx")


class Card(BaseModel):
    """What every model says about itself.

    Attributes:
        state: Whether there is a model.
        reasons: What was missing, in words.
        version: Short hash of everything that the model was made from.
        as_of: Day at whose end it was made.
        encoding: Features, their types and their order.
        seed: Seed of everything drawn by chance.
        libraries: Version of each library that took part.
        data_fingerprint: SHA-256 of what it was made from, whatever the order of the rows.
        onnx_sha256: SHA-256 of the ONNX file; none where there is no model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: State
    reasons: tuple[str, ...]
    version: str
    as_of: dt.date
    encoding: Encoding
    seed: int
    libraries: dict[str, str]
    data_fingerprint: str
    onnx_sha256: str | None


@dataclass(frozen=True)
class ModelFiles:
    """A stored model as it travels to where it is used.

    Attributes:
        card: Its card as JSON.
        onnx: Its ONNX file; none where there was not enough data for a model.
        parts: Further ONNX files, by name.
    """

    card: str
    onnx: bytes | None
    parts: tuple[tuple[str, bytes], ...] = ()


AnyCard = TypeVar("AnyCard", bound=Card)


def card_text(card: Card) -> str:
    """The card as JSON; the same card gives the same text."""
    return card.model_dump_json(indent=2) + "\n"


def read_card(kind: type[AnyCard], text: str | bytes, where: str) -> AnyCard:
    """Read a card.

    Args:
        kind: The card's class.
        text: What `card_text` returned.
        where: Where the card lies, to name it in a message.

    Raises:
        InputError: the text is not such a card; the message names it and every mistake.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise InputError(describe_mistakes(f"the model card {where}", error)) from None


@cache
def library_versions() -> dict[str, str]:
    """Installed version of each library that a model's numbers depend on."""
    return {name: version(name) for name in _LIBRARIES}


def version_of(**parts: Any) -> str:
    """Short hash of what a model was made from: the same parts give the same version."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sha256_of(chunks: Iterable[bytes | memoryview]) -> str:
    """SHA-256 of bytes one after the other, in hexadecimal digits."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
