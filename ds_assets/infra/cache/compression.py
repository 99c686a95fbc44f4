"""Compressing the JSON of values with zstd and a dictionary.

Scope: bytes in, bytes out. The dictionary holds what values have in common, such as the names of
columns and the words of reasons; `benchmarks/train_dictionary.py` makes it. It is a part of the
software and not of the cache, which may lose what it holds.
"""

import hashlib
import threading
from collections.abc import Callable
from importlib.resources import files

import zstandard

_LEVEL = 3
"""Level 6 saves a fifteenth of a value, and takes eight times as long."""
DICTIONARY_FILE = "dictionary.zstd"
_CONTENT = files(__package__).joinpath(DICTIONARY_FILE).read_bytes()
_DICTIONARY = zstandard.ZstdCompressionDict(_CONTENT)
_DICTIONARY.precompute_compress(_LEVEL)
DICTIONARY_ID = hashlib.sha256(_CONTENT).hexdigest()
"""Names the dictionary: what was compressed with another one cannot be read."""


class _Decompressor(threading.local):
    """A decompressor for each thread, as two threads must not use one at the same time."""

    def __init__(self) -> None:
        self.decompress = zstandard.ZstdDecompressor(dict_data=_DICTIONARY).decompress


_decompressor = _Decompressor()


def open_compressor() -> Callable[[bytes], bytes]:
    """Make a function that compresses, for one thread and many contents."""
    return zstandard.ZstdCompressor(_LEVEL, dict_data=_DICTIONARY, write_dict_id=False).compress


def decompress(content: bytes) -> bytes:
    """Decompress what a function of `open_compressor` returned."""
    return _decompressor.decompress(content)
