"""Reading the text of log files in tests."""

from pathlib import Path

from ds_assets.core.decompression import decompress
from ds_assets.core.raw_text import clean_blocks, utf8


def read_text(file: Path) -> str:
    """Return the text of a log file, as the readers of text formats get it."""
    return b"".join(clean_blocks(utf8(decompress(lambda: file.open("rb"))))).decode()
