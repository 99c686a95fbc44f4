"""User ids: the one form in which each is stored, and which texts stand for no user.

Scope: the rule. Readers of logs apply it as SQL with the constants of this module, and the API to
the ids of requests; a test compares both.
"""

import re
from unicodedata import normalize

MAX_USER_ID_LENGTH = 191
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""White space in Unicode, and the byte order mark; removed at both ends of an id."""
FLOAT = r"-?(0|[1-9][0-9]*)\.0+|-?[1-9]\.[0-9]+[eE]\+?[0-9]+"
"""Regular expression of the ways in which programs write a whole number held as a float."""
FLOAT_LIMIT = 10**15
"""Floats hold every whole number below it exactly, and so do the decimals that programs write."""
NULL_USER_IDS = ("", "null", "undefined", "none", "nan")
"""What programs write in place of a user id that they do not have, in lower case."""
_FLOAT = re.compile(FLOAT)


def normalize_user_id(text: str) -> str:
    """Return the form in which a user id is stored.

    Unicode is composed (NFC), blanks at both ends are removed, and a whole number of up to 15
    digits that is written as a float (`123.0`, `1.23e2`) is written as `123`. Everything else is
    kept: leading zeros, long numbers, capital letters, and what only resembles a number, such as
    the text `1e2`, which may be hexadecimal.
    """
    if text.isascii() and text.isalnum():
        return text
    plain = normalize("NFC", text).strip(BLANKS)
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        if abs(number) < FLOAT_LIMIT and number.is_integer():
            return str(int(number))
    return plain
