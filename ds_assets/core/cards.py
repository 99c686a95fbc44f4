"""Model cards: JSON that describes a stored model, beside its ONNX file.

Scope: the fields that all cards share, and reading and writing cards as text.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict

from ds_assets.core.encoding import Encoding
from ds_assets.core.stored_documents import StoredDocument, read_document

State = Literal["ready", "not_enough_data"]

_LIBRARIES = ("lightgbm", "numpy", "onnx", "pandas", "scikit-learn", "scipy")


class Card(StoredDocument):
    """The fields that all model cards share.

    Attributes:
        state: Whether there was enough data for a model.
        reasons: Sentences that say what was missing, if there is no model.
        version: Short hash of everything that the model was computed from.
        as_of: Day at whose end it was trained.
        encoding: Features, their types and their order.
        seed: Seed of the random number generators.
        libraries: Versions of the libraries that affect the model.
        data_fingerprint: SHA-256 of the training data, independent of the order of its rows.
        onnx_sha256: SHA-256 of the ONNX file; None if there is no model.
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
    """The files of a stored model, as they are sent to the processes that use it.

    Attributes:
        card: The card as JSON.
        onnx: The ONNX file; None if there was not enough data for a model.
        parts: Further ONNX files with their names.
    """

    card: str
    onnx: bytes | None
    parts: tuple[tuple[str, bytes], ...] = ()


AnyCard = TypeVar("AnyCard", bound=Card)


def card_text(card: Card) -> str:
    """Return a card as JSON. Equal cards have equal text."""
    return card.model_dump_json(indent=2) + "\n"


def read_card(kind: type[AnyCard], text: str | bytes, where: str) -> AnyCard:
    """Parse a card.

    Args:
        kind: Class of the card.
        text: JSON, as returned by `card_text`.
        where: Name of the card for messages.

    Raises:
        InputError: the text is not a valid card, or that of a newer release; the message names it
            and lists every mistake.
    """
    return read_document(kind, text, f"the model card {where}")


@cache
def library_versions() -> dict[str, str]:
    """Return the installed version of each library that affects a model's numbers."""
    return {name: version(name) for name in _LIBRARIES}


def version_of(**parts: Any) -> str:
    """Return a short hash that identifies what a model was computed from."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sha256_of(chunks: Iterable[bytes | memoryview]) -> str:
    """Return the hexadecimal SHA-256 of concatenated chunks."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
