"""The entity tag of an answer: by it a client asks whether what it has still holds.

Belongs here: what makes two answers the same. The age changes with every second and says nothing
new, so it counts by the minute only, and the tag is a weak one.
"""

from isal.isal_zlib import crc32

STEP_SECONDS = 60
"""An answer that is confirmed by its tag is at most so much older than it says."""
_AGE = b'"age_seconds":'


def tag_of(answer: bytes) -> str:
    """The tag of an answer.

    Args:
        answer: One object of JSON, without spaces. A text in it cannot look like its age: there the
            quotes would be escaped.
    """
    before, _, rest = answer.partition(_AGE)
    age, _, after = rest.partition(b",")
    step = int(age) // STEP_SECONDS if age.isdigit() else ""
    return f'W/"{crc32(before):08x}{crc32(after):08x}-{step}"'
