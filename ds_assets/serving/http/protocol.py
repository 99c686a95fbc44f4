"""The contract between the HTTP API and its backend: bodies of requests, and calls."""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ds_assets.core.group_defaults import ALL_USERS
from ds_assets.infra.lake.shown_offers import ShownOffer
from ds_assets.infra.results.schema import KEY_LENGTH
from ds_assets.serving.answer import Answer
from ds_assets.serving.health import Counts, Health
from ds_assets.serving.user_ids import MAX_USERS_PER_REQUEST

MAX_EVENTS_PER_USER = 10_000

UserId = Annotated[
    str,
    Meta(min_length=1, max_length=KEY_LENGTH, description="The user id as in the game's logs."),
]
UserGroup = Annotated[
    str,
    Meta(
        max_length=KEY_LENGTH,
        description="User group, such as `country=KR`, as in the field `user_group` of answers. "
        "Its averages are the answer for a user about whom nothing else is known.",
    ),
]
Feature = float | str | bool | None


class PredictionsRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Users to answer for, in this order; an id may be repeated."""

    user_ids: Annotated[list[UserId], Meta(max_length=MAX_USERS_PER_REQUEST)]
    user_group: UserGroup = ALL_USERS


class UserToScore(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One user, with either features or recent raw events."""

    user_id: UserId
    features: (
        Annotated[
            dict[str, Feature],
            Meta(
                description="Columns of `user_features` by name. Those that the models use are "
                "required; an unknown value is null."
            ),
        ]
        | UnsetType
    ) = UNSET
    events: (
        Annotated[
            list[dict[str, Any]],
            Meta(max_length=MAX_EVENTS_PER_USER, description="Events as in the game's logs."),
        ]
        | UnsetType
    ) = UNSET
    user_group: UserGroup = ALL_USERS

    def __post_init__(self) -> None:
        """Check that exactly one of the two is given."""
        if (self.features is UNSET) == (self.events is UNSET):
            raise ValueError("Expected either `features` or `events`")


_EITHER = Meta(extra_json_schema={"oneOf": [{"required": ["features"]}, {"required": ["events"]}]})


class ScoreRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Users to score now with the current models."""

    users: Annotated[list[Annotated[UserToScore, _EITHER]], Meta(max_length=MAX_USERS_PER_REQUEST)]
    reasons: Annotated[
        bool, Meta(description="Whether to explain the predictions, which takes longer.")
    ] = True


class OutcomesRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Offers that were shown; one that is reported twice counts once."""

    outcomes: Annotated[list[ShownOffer], Meta(max_length=MAX_USERS_PER_REQUEST)]


class Backend(Protocol):
    """Answers requests within a time limit of its own, on one event loop that it never blocks."""

    async def answer_one(self, user_id: str, group: str) -> Answer:
        """Answer for one user; a source that is unavailable is not an error.

        Args:
            user_id: A text of 1 to 191 characters.
            group: User group whose defaults answer for a user about whom nothing is known.
        """
        ...

    async def answer(self, user_ids: Sequence[str], group: str) -> Sequence[Answer]:
        """Answer for each of these users, in their order; as `answer_one`.

        Args:
            user_ids: Up to 1,000, each of 1 to 191 characters; an id may be repeated.
            group: As for `answer_one`.
        """
        ...

    async def score(self, request: ScoreRequest) -> Sequence[Answer]:
        """Answer for each of these users with a score made now.

        Raises:
            InputError: what is given of a user cannot be scored; the message says what to change.
            UnusableEventsError: events cannot be used; all of them are counted.
        """
        ...

    async def store_shown_offers(self, offers: Sequence[ShownOffer]) -> None:
        """Store reports; when this returns, they are safe.

        Raises:
            OffersNotStored: they cannot be stored now.
        """
        ...

    def health(self) -> Health:
        """State of the backend and its dependencies, from memory."""
        ...

    def counts(self) -> Counts:
        """Counters since the start."""
        ...
