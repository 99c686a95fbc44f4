"""The bound on texts of attributes: they become categories, user groups and keys of reports.

Scope: shortening a text, in Python and on an engine, so that different texts stay different.
"""

import hashlib
from typing import Any

MAX_ATTRIBUTE_LENGTH = 100
"""Characters. With its attribute's name, a text fits into a key of the results database."""
_DIGEST_LENGTH = 12
_KEPT_LENGTH = MAX_ATTRIBUTE_LENGTH - _DIGEST_LENGTH - 1
_MARK = "…"


def shorten(text: str) -> str:
    """Cut a longer text, and mark it with the beginning of its MD5, so that it stays distinct."""
    if len(text) <= MAX_ATTRIBUTE_LENGTH:
        return text
    # Half of a character pair has no UTF-8.
    digest = hashlib.md5(text.encode(errors="replace"), usedforsecurity=False).hexdigest()
    return f"{text[:_KEPT_LENGTH]}{_MARK}{digest[:_DIGEST_LENGTH]}"


def shortened(f: Any, text: Any) -> Any:
    """The same as an expression of an engine, whose column functions are `f`."""
    kept, digest = f.substring(text, 1, _KEPT_LENGTH), f.substring(f.md5(text), 1, _DIGEST_LENGTH)
    return f.when(is_long(f, text), f.concat(kept, f.lit(_MARK), digest)).otherwise(text)


def is_long(f: Any, text: Any) -> Any:
    """Whether a text is cut, as an expression of an engine."""
    return f.length(text) > f.lit(MAX_ATTRIBUTE_LENGTH)
