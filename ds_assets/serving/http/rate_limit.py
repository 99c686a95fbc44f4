"""The rate limit of one API key."""


class RateLimiter:
    """Allows a number of requests per second, in bursts of up to a second's worth.

    The generic cell rate algorithm (ITU-T I.371): the only state is the theoretical arrival time
    of the next request.

    Args:
        rate: Requests per second.
    """

    __slots__ = ("_arrival", "_interval")

    def __init__(self, rate: int) -> None:
        self._interval = 1 / rate
        self._arrival = 0.0

    def try_acquire(self, now: float) -> float:
        """Count a request, unless it exceeds the limit.

        Args:
            now: Seconds of a clock that never goes back.

        Returns:
            0 if the request is allowed, else the seconds until it would be.
        """
        arrival = max(self._arrival, now) + self._interval
        if arrival > now + 1 + self._interval / 2:  # the half absorbs rounding of the sums
            return arrival - now - 1
        self._arrival = arrival
        return 0.0
