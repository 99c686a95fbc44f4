"""What a check of the newest day found, as a check reports it."""

from typing import NamedTuple


class Finding(NamedTuple):
    """The result of a comparison.

    Attributes:
        compared: What was compared, with both numbers.
        advice: What to do about it; none where all is well.
    """

    compared: str
    advice: str = ""

    @property
    def is_good(self) -> bool:
        """Whether there is nothing to do."""
        return not self.advice

    def __str__(self) -> str:
        return self.compared if self.is_good else f"{self.compared}; {self.advice}"
