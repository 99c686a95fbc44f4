"""What HTTP needs of who answers, and what it hands over.

Belongs here: the contract between both. Does not belong here: anything of HTTP, nor any source.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ds_assets.core.group_defaults import ALL_USERS
from ds_assets.infra.results.schema import KEY_LENGTH
from ds_assets.serving.answer import Answer
from ds_assets.serving.health import Counts, Health
from ds_assets.serving.user_ids import MAX_USERS_PER_REQUEST

MOST_EVENTS = 10_000
"""Most raw events of one user."""

UserId = Annotated[
    str,
    Meta(min_length=1, max_length=KEY_LENGTH, description="The user, as the game's logs name it."),
]
UserGroup = Annotated[
    str,
    Meta(
        max_length=KEY_LENGTH,
        description="The user's group, as `user_group` of answers has it, such as `country=KR`: "
        "its means answer for a user of whom nothing else is known.",
    ),
]
Feature = float | str | bool | None


class UserIds(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Users to answer for, in this order; one may come twice."""

    user_ids: Annotated[list[UserId], Meta(max_length=MAX_USERS_PER_REQUEST)]
    user_group: UserGroup = ALL_USERS


class UserToScore(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One user, with either ready features or recent raw events."""

    user_id: UserId
    features: (
        Annotated[
            dict[str, Feature],
            Meta(
                description="Columns of `user_features` by name. Those that the models use must be "
                "there; a value that is not known is null."
            ),
        ]
        | UnsetType
    ) = UNSET
    events: (
        Annotated[
            list[dict[str, Any]],
            Meta(max_length=MOST_EVENTS, description="Events as the game's logs write them."),
        ]
        | UnsetType
    ) = UNSET
    user_group: UserGroup = ALL_USERS

    def __post_init__(self) -> None:
        """Hold that exactly one of both is there."""
        if (self.features is UNSET) == (self.events is UNSET):
            raise ValueError("Expected either `features` or `events`")


_EITHER = Meta(extra_json_schema={"oneOf": [{"required": ["features"]}, {"required": ["events"]}]})


class ScoreRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Users to score now by the current models."""

    users: Annotated[list[Annotated[UserToScore, _EITHER]], Meta(max_length=MAX_USERS_PER_REQUEST)]
    reasons: Annotated[bool, Meta(description="Whether reasons are wanted; they take longer.")] = (
        True
    )


class Answering(Protocol):
    """Who answers, within a time of its own. It is used by one event loop, and never holds that up.

    An answer is one object of JSON as bytes, its keys in their declared order and without spaces.
    """

    async def answer_one(self, user_id: str, group: str) -> Answer:
        """The answer for a user. A part that is down is no error.

        Args:
            user_id: A text of 1 to 191 characters.
            group: The user's group, where nothing else is known.
        """
        ...

    async def answer(self, user_ids: Sequence[str], group: str) -> Sequence[Answer]:
        """One answer for each of these users, in their order. A part that is down is no error.

        Args:
            user_ids: 1,000 at most, each of 1 to 191 characters; one may come twice.
            group: As for `answer_one`.
        """
        ...

    async def score(self, asked: ScoreRequest) -> Sequence[Answer]:
        """One answer for each of these users, scored now.

        Raises:
            InputError: what is given of a user cannot be scored; the message says what to do.
        """
        ...

    def health(self) -> Health:
        """How things stand, from memory: nobody is asked for it."""
        ...

    def counts(self) -> Counts:
        """What was answered since the start."""
        ...
