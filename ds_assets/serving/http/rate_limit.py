"""How often one API key may be used."""


class Pace:
    """How often one key may be used: so many times a second, and a second's worth at once.

    The generic cell rate algorithm: kept is only the time at which all that was used is paid for.

    Args:
        rate: Uses a second.
    """

    __slots__ = ("_cost", "_paid")

    def __init__(self, rate: int) -> None:
        self._cost = 1 / rate
        self._paid = 0.0

    def wait(self, now: float) -> float:
        """Use it once; or else the seconds after which that is possible.

        Args:
            now: Seconds of a clock that never goes back.
        """
        paid = max(self._paid, now) + self._cost
        if paid > now + 1 + self._cost / 2:  # the half is for the rounding of sums
            return paid - now - 1
        self._paid = paid
        return 0.0
