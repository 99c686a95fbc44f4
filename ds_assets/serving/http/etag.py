"""The entity tag of an answer, by which a client asks whether its copy is still current.

Scope: what makes two answers the same. The age changes every second without saying anything new, so
it counts by the minute only, and the tag is a weak one.
"""

from isal.isal_zlib import crc32

from ds_assets.serving.answer import Answer

AGE_STEP_S = 60
"""An answer that is confirmed by its tag is at most so much older than it says."""


def tag_of(answer: Answer) -> str:
    """The entity tag of an answer."""
    header = answer.header
    age = header.age_seconds
    step = "" if age is None else age // AGE_STEP_S
    content = crc32(answer.members, crc32(answer.user_id.encode()))
    return f'W/"{content:08x}-{header.status}-{header.source}-{step}"'
