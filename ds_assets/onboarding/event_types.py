"""What the event types mean: purchases, refunds, sessions, what is no activity, what is counted."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ds_assets.game_parts import IDENTIFIER
from ds_assets.onboarding.guess import Guess, is_abbreviation, plain_name, show_value, show_values

_PURCHASE = re.compile(
    r"purchas|\biap\b|in_?app|order|transaction|payment|\bpaid\b|\bpay\b|revenue|\bbuy|bought"
    r"|business|checkout|subscri|recharge|topup|top_up|realmoney|sale"
    r"|compra|(?<!ver)kauf|\bachat|bestellung|pagamento|zahlung|paiement|acquisto"
)
_NO_PURCHASE = re.compile(
    r"fail|cancel|abort|start|initiat|attempt|begin|view|click|add_to|remove|restore|virtual|soft"
    r"|\bads?\b|rewarded|impression|refund|chargeback|tutorial|level|quest|border|reorder"
    r"|error|\bbug|detail|\binfo|\bpages?\b|screen|\bform\b|method|declin|reject|pending|abandon"
)
_REFUND = re.compile(r"refund|charge ?back|\brevoked?\b|\bvoid(ed)?\b")
_SESSIONS = (
    re.compile(
        r"session_?(start|begin|open|debut)|(start|begin|new|debut)_?session"
        r"|ses(s?ao|ion)_?inici|inicio_?(de_?)?ses(s?ao|ion)|sitzung_?(start|begin)"
    ),
    re.compile(r"^(.*_)?sessions?$|app_?(start|open|launch)|game_?(start|launch)(ed)?$"),
    re.compile(
        r"log_?in|logged_?in|sign_?in|connexion|launch|^visit|^open$|application_opened|^user$"
    ),
)
"""Begins of a session, from the clearest to the vaguest."""
_ABBREVIATED = ("session", "start", "begin")
_PASSIVE = re.compile(
    r"push_?(sent|deliver|recei)|notification_?(sent|deliver|recei|dismiss)|uninstall|app_?remove"
    r"|email_?(sent|deliver)|os_?update|^crash|app_?exception|campaign_?deliver|message_?sent"
)
"""Types of what happens to users, not of what they do."""
_MIN_SHARE = 0.002
_MAX_COUNTED = 8
_COUNTED = "the most frequent other types: each becomes features of its own"


def guess_events(types: "pd.Series[Any]", amounts: "pd.Series[float]") -> list[Guess]:
    """Guess the keys of `events`.

    Args:
        types: The type of each line.
        amounts: The amount of each line; NaN where there is none.
    """
    lines = {str(kind): int(count) for kind, count in types.value_counts().items()}
    refunds = [it for it in lines if _REFUND.search(_words(it))] if amounts.notna().any() else []
    purchases = [it for it in _find_purchases(types, amounts, lines) if it not in refunds]
    passive = [it for it in lines if _PASSIVE.search(plain_name(it))]
    sessions = _find_sessions(lines)
    counted = _choose_counted(lines, {*purchases, *refunds, *sessions, *passive})
    guesses = [
        Guess("events.purchases", purchases, _describe_amounts(purchases, types, amounts)),
        Guess("events.refunds", refunds, "by their names"),
        Guess("events.sessions", sessions, _describe_lines(sessions, lines)),
        Guess("events.counted", counted, _COUNTED),
        Guess("events.passive", passive, "what happens to users; all other types are activity"),
    ]
    return [guess for guess in guesses if guess.value]


def _find_purchases(
    types: "pd.Series[Any]", amounts: "pd.Series[float]", lines: Mapping[str, int]
) -> list[str]:
    paid = amounts.gt(0).groupby(types).mean() if amounts.notna().any() else None
    named = [it for it in lines if _is_purchase(it)]
    if paid is None:
        return named
    with_amount = [str(it) for it in paid.index[paid >= 0.5]]  # noqa: PLR2004
    both = [it for it in with_amount if _is_purchase(it)]
    others = [it for it in with_amount if not _NO_PURCHASE.search(_words(it))]
    return both or others or named or ([*lines] if len(lines) == 1 else [])


def _is_purchase(kind: str) -> bool:
    words = _words(kind)
    return bool(_PURCHASE.search(words)) and not _NO_PURCHASE.search(words)


def _words(kind: str) -> str:
    """A type in lower case, with blanks between its words, so that their ends can be found."""
    return (
        plain_name(kind).replace("_", " ").replace("add to", "add_to").replace("in app", "in_app")
    )


def _spelled_out(kind: str) -> str:
    """A type in lower case, with the words of sessions in place of their abbreviations."""
    words = plain_name(kind).split("_")
    return "_".join(
        next((it for it in _ABBREVIATED if is_abbreviation(word, it)), word) for word in words
    )


def _find_sessions(lines: Mapping[str, int]) -> list[str]:
    for pattern in _SESSIONS:
        if matching := [it for it in lines if pattern.search(_spelled_out(it))]:
            return matching
    return []


def _choose_counted(lines: Mapping[str, int], others: set[str]) -> Any:
    """The most frequent types that nothing else says, with a name if theirs is no plain one."""
    least = _MIN_SHARE * sum(lines.values())
    chosen = [it for it, count in lines.items() if count >= least and it not in others]
    names = dict(_name_each(chosen[:_MAX_COUNTED]))
    return [*names] if all(name == kind for name, kind in names.items()) else names


def _name_each(types: Sequence[str]) -> Iterator[tuple[str, str]]:
    taken: set[str] = set()
    for kind in types:
        name = kind if IDENTIFIER.fullmatch(kind) else plain_name(kind).strip("_")[:40]
        if not IDENTIFIER.fullmatch(name):
            name = f"type_{name}"[:40].rstrip("_")
        if IDENTIFIER.fullmatch(name) and name not in taken:
            taken.add(name)
            yield name, kind


def _describe_amounts(
    purchases: Sequence[str], types: "pd.Series[Any]", amounts: "pd.Series[float]"
) -> str:
    values = amounts[types.isin(purchases)].dropna()
    if values.empty:
        return "by their names; they have no amounts"
    shown = show_values(f"{it:g}" for it in values.drop_duplicates().head(3))
    return f"{len(values):,} lines with an amount, such as {shown}"


def _describe_lines(chosen: Sequence[str], lines: Mapping[str, int]) -> str:
    return ", ".join(f"{show_value(kind)} in {lines[kind]:,} lines" for kind in chosen)
