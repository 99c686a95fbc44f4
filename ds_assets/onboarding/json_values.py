"""JSON of logs that nothing is known about."""

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; None if it is none, or has text that is not valid Unicode, or is too deep."""
    try:
        value = json.loads(text)
        if "\\u" in str(text):  # it may be half of a pair
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value
