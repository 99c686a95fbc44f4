"""The card of the effect models of a promotion for people, as Markdown.

Scope: the wording. Every number in it is the card's.
"""

from collections.abc import Collection, Iterator
from datetime import date

from ds_assets.core.models.evaluation.metrics import Measure
from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.promotions.uplift.groups import EffectGroup
from ds_assets.core.promotions.uplift.policy import PolicyDecision, PolicyName
from ds_assets.core.promotions.uplift.validation import RESPONSE, RISK, UPLIFT, EffectValidation

_RANKINGS = {UPLIFT: "**by effect**", RESPONSE: "by outcome if treated", RISK: "by outcome if not"}
_POLICIES: dict[PolicyName, str] = {
    "uplift": "by expected profit",
    "all": "all who qualify",
    "nobody": "nobody",
    "risk": "by risk",
}
_GROUPS = {
    "persuadable": "do what is wanted because of it",
    "sure": "do it anyway",
    "lost": "do it in no case",
    "sleeping dog": "would have done it without",
}


def format_uplift_card(card: UpliftCard) -> str:
    """The card of the effect models of a promotion as Markdown."""
    return "\n\n".join([_head(card), *_body(card)])


def describe_uplift_pictures(card: UpliftCard) -> dict[str, str]:
    """What the pictures of a card show, a line for each, by the name of the picture."""
    if card.validation is None:
        return {}
    words = {
        "qini": (
            "What treating a share of the users brings, per user who qualifies. The straight line "
            "is a random order."
        )
    }
    if card.validation.wanted.tenths:
        words["tenths"] = (
            "Measured effects with their 95 % intervals; on the line they are as predicted."
        )
    return words


def _head(card: UpliftCard) -> str:
    wanted = f"less {card.target}" if card.direction < 0 else f"more {card.target}"
    return f"**{card.promotion}**: its effect on each user, towards {wanted}, as of {card.as_of}."


def _body(card: UpliftCard) -> Iterator[str]:
    if card.validation is None:
        yield f"There is no model yet: {'; '.join(card.reasons)}. The rule chooses all who qualify."
        return
    yield (
        f"Version `{card.version}`, learnt from {card.treated:,} treated and {card.control:,} "
        f"control users of {_days(card.days)}. Validated on {_days(card.validated_on)}, by models "
        "of the days before."
    )
    yield from _effect("### Effect on the target", card.validation.wanted, points=True)
    if card.validation.groups:
        yield _groups(card.validation.groups)
    if card.validation.spend is not None:
        yield from _effect("### Effect on spend", card.validation.spend, points=False)
    yield "### Whom to treat"
    if card.validation.decision is None:
        yield "The rule chooses all who qualify: nothing is earned that could be compared."
    else:
        yield _decision(card.validation.decision)


def _effect(heading: str, effect: EffectValidation, *, points: bool) -> Iterator[str]:
    yield heading
    yield (
        f"{effect.treated:,} treated and {effect.control:,} control users: average effect "
        f"{_of(effect.average, points=points)}. {_claim(effect)}"
    )
    rows = [
        f"| {_RANKINGS[name]} | {_of(it.top_uplift, points=points)} "
        f"| {_of(it.qini, points=points)} |"
        for name, it in effect.rankings.items()
    ]
    yield "\n".join(["| order | effect on the top tenth | Qini |", "|---|---|---|", *rows])
    if effect.tenths:
        head = "| tenth by predicted effect | predicted | measured |"
        rows = [
            f"| {number} | {_show(it.predicted, points=points)} "
            f"| {_of(it.measured, points=points)} |"
            for number, it in enumerate(effect.tenths, start=1)
        ]
        yield "\n".join([head, "|---|---|---|", *rows])


def _claim(effect: EffectValidation) -> str:
    if not effect.line.differs or effect.slope is None:
        return (
            "Effects do not differ between users beyond noise: the same effect is predicted for "
            "all of them, and no order is claimed to be better than another."
        )
    slope = effect.slope
    return (
        "Effects differ between users beyond noise. Calibration slope (1: differences come true as "
        f"predicted): {slope.value:.2f} ({slope.low:.2f} to {slope.high:.2f})."
    )


def _groups(groups: Collection[EffectGroup]) -> str:
    head = "| group | share | without | predicted effect | measured effect |"
    rows = (
        f"| {it.name}: {_GROUPS[it.name]} | {it.share:.0%} | {it.without:.0%} "
        f"| {_show(it.predicted, points=True)} | {_of(it.measured, points=True)} |"
        for it in groups
    )
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def _decision(decision: PolicyDecision) -> str:
    used = (
        "Users are chosen by expected profit (effect times value less cost)"
        if decision.used == "uplift"
        else "The rule chooses all who qualify"
    )
    head = "| who is treated | share | profit per user | more than treating all |"
    rows = (
        f"| {_POLICIES[name]} | {it.treated_share:.0%} | {_of(it.profit, points=False)} "
        f"| {_of(it.more_than_all, points=False)} |"
        for name, it in decision.values.items()
    )
    return f"{used}: {decision.reason}.\n\n" + "\n".join([head, "|---|---|---|---|", *rows])


def _days(days: Collection[date]) -> str:
    if not days:
        return "no day"
    first, last = min(days), max(days)
    return str(first) if first == last else f"{len(days)} days, {first} to {last}"


def _show(value: float, *, points: bool) -> str:
    """A number, or a share as points of a hundred."""
    return f"{100 * value:+.2f} points" if points else f"{value:.4g}"


def _of(measure: Measure | None, *, points: bool) -> str:
    if measure is None:
        return "too few users"
    if points:
        low, high = (f"{100 * end:+.2f}" for end in (measure.low, measure.high))
        return f"{_show(measure.value, points=True)} ({low} to {high})"
    return f"{measure.value:.4g} ({measure.low:.4g} to {measure.high:.4g})"
