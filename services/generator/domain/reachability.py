"""Which vendors can be reached over the network: one is asked in turn, all when it is silent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Reachability:
    """What is known of each address ("host:port"); `providers` says who is behind it.

    While all answer, one address is looked at in each round, so that a network that works is not
    bothered. The first one that does not answer makes the next round look at all of them; those
    that are away are looked at in every round until they are back.
    """

    providers: Mapping[str, frozenset[str]]
    _away: set[str] = field(default_factory=set, init=False)
    _turn: int = field(default=0, init=False)
    _alarmed: bool = field(default=False, init=False)

    def due(self) -> tuple[str, ...]:
        """Addresses to look at in this round."""
        addresses = sorted(self.providers)
        if not addresses or self._alarmed:
            return tuple(addresses)
        self._turn = (self._turn + 1) % len(addresses)
        return tuple(sorted(self._away | {addresses[self._turn]}))

    def heard(self, answers: Mapping[str, bool]) -> bool:
        """Learn from a round; returns whether all must be looked at, at once."""
        silent = {address for address, answered in answers.items() if not answered}
        news = not self._alarmed and bool(silent - self._away)
        if news:
            self._alarmed = True  # one silent address may be one vendor, or the network
            return True
        self._alarmed = False
        self._away = (self._away - answers.keys()) | silent
        return False

    @property
    def unreachable(self) -> frozenset[str]:
        """Providers that cannot be reached."""
        return frozenset(name for address in self._away for name in self.providers[address])


def addresses_of(vendors: Iterable[tuple[str, str, int]]) -> Mapping[str, frozenset[str]]:
    """Providers by "host:port", from (provider, host, port)."""
    found: dict[str, set[str]] = {}
    for provider, host, port in vendors:
        found.setdefault(f"{host}:{port}", set()).add(provider)
    return {address: frozenset(names) for address, names in found.items()}
