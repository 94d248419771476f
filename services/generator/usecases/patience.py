"""How long, and how often, a drive waits for what only time can tell."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """All in seconds.

    `queue`: the longest wait for a turn. `look_ups`: pauses between questions about an unanswered
    call, the last one repeated. `absence`: how long a vendor that can be asked by our own id must
    keep saying that it has no such job before that is proof. `last_look`: what work that was sent
    gets after a restart, however late it is. `second_looks`: when after its failure a job is looked
    at once more, because some vendors deliver, and bill, after all.
    """

    queue: float = 1800.0
    look_ups: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0, 60.0)
    absence: float = 300.0
    last_look: float = 60.0
    second_looks: tuple[float, ...] = (60.0, 600.0)
