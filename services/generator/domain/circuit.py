"""A circuit breaker: a vendor that keeps failing is rested, then tried with one call."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(slots=True)
class Circuit:
    """Opens after `threshold` failures in a row, for `rest`; then one call decides.

    While the one call is under way (at most for another `rest`) nobody else is let through.
    """

    threshold: int = 5
    rest: timedelta = timedelta(seconds=30)
    _failures: int = field(default=0, init=False)
    _until: datetime | None = field(default=None, init=False)

    def is_open(self, now: datetime) -> bool:
        """Whether calls are refused just now."""
        return self._until is not None and now < self._until

    def allows(self, now: datetime) -> bool:
        """Whether this call may be made; a call that tests a rested vendor keeps others waiting."""
        if self._until is None:
            return True
        if now < self._until:
            return False
        self._until = now + self.rest
        return True

    def succeeded(self) -> None:
        """Close: the vendor answers."""
        self._failures = 0
        self._until = None

    def failed(self, now: datetime) -> None:
        """Count a failure that says something about the vendor and not about one request."""
        self._failures += 1
        if self._failures >= self.threshold:
            self._until = now + self.rest


class Circuits:
    """One circuit per provider."""

    def __init__(self, threshold: int, rest: timedelta) -> None:
        self._threshold = threshold
        self._rest = rest
        self._known: dict[str, Circuit] = {}

    def of(self, provider: str) -> Circuit:
        """Return the circuit of a provider."""
        return self._known.setdefault(provider, Circuit(self._threshold, self._rest))

    def open(self, now: datetime) -> frozenset[str]:
        """Return the providers that are being rested."""
        return frozenset(name for name, one in self._known.items() if one.is_open(now))
