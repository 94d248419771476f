"""What can go wrong between a client and a vendor, and when it does: rules and magic words."""

from __future__ import annotations

import random
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


class Fault(StrEnum):
    """A way to misbehave; `docs/simulator.md` says what each of them does."""

    # The submit is not accepted: nothing is billed.
    DROPPED_REQUEST = "dropped_request"
    SUBMIT_ERROR = "submit_error"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    NO_CREDIT = "no_credit"
    MODERATED_BEFORE = "moderated_before"
    OK_ERROR = "ok_error"
    # The submit is accepted and billed, and the caller does not learn of it.
    LOST_RESPONSE = "lost_response"
    HUNG_RESPONSE = "hung_response"
    GARBLED_RESPONSE = "garbled_response"
    ACCEPTED_ERROR = "accepted_error"
    # The job.
    MODERATED_AFTER = "moderated_after"
    FAILED = "failed"
    HIDDEN_FAILURE = "hidden_failure"
    EMPTY_SUCCESS = "empty_success"
    LATE_SUCCESS = "late_success"
    UNKNOWN_STATUS = "unknown_status"
    NEVER_FINISHES = "never_finishes"
    STALLS_AT_99 = "stalls_at_99"
    POLL_ERROR = "poll_error"
    POLL_RATE_LIMITED = "poll_rate_limited"
    JOB_LOST = "job_lost"
    # The result.
    EXPIRED_URL = "expired_url"
    TRUNCATED_FILE = "truncated_file"
    CUT_DOWNLOAD = "cut_download"
    WRONG_FILE = "wrong_file"
    SLOW_DRIP = "slow_drip"
    REDIRECT_PRIVATE = "redirect_private"
    # The callback.
    WEBHOOK_FORGED = "webhook_forged"
    WEBHOOK_REPLAYED = "webhook_replayed"
    WEBHOOK_STALE = "webhook_stale"
    WEBHOOK_MISSING = "webhook_missing"


BEFORE: Final = frozenset(
    {
        Fault.DROPPED_REQUEST,
        Fault.SUBMIT_ERROR,
        Fault.RATE_LIMITED,
        Fault.QUOTA,
        Fault.NO_CREDIT,
        Fault.MODERATED_BEFORE,
    }
)
NOT_ACCEPTED: Final = BEFORE | {Fault.OK_ERROR}
LOST: Final = frozenset(
    {
        Fault.LOST_RESPONSE,
        Fault.HUNG_RESPONSE,
        Fault.GARBLED_RESPONSE,
        Fault.ACCEPTED_ERROR,
    }
)
JOB: Final = frozenset(
    {
        Fault.MODERATED_AFTER,
        Fault.FAILED,
        Fault.EMPTY_SUCCESS,
        Fault.LATE_SUCCESS,
        Fault.UNKNOWN_STATUS,
        Fault.NEVER_FINISHES,
        Fault.STALLS_AT_99,
        Fault.POLL_ERROR,
        Fault.POLL_RATE_LIMITED,
        Fault.JOB_LOST,
    }
)
FILE: Final = frozenset(
    {
        Fault.TRUNCATED_FILE,
        Fault.CUT_DOWNLOAD,
        Fault.WRONG_FILE,
        Fault.SLOW_DRIP,
    }
)
# A result that comes in the answer has no address that could expire or lead astray.
INLINE: Final = frozenset({Fault.TRUNCATED_FILE, Fault.WRONG_FILE})
LINK: Final = FILE | {Fault.EXPIRED_URL, Fault.REDIRECT_PRIVATE}
WEBHOOK: Final = frozenset(
    {
        Fault.WEBHOOK_FORGED,
        Fault.WEBHOOK_REPLAYED,
        Fault.WEBHOOK_STALE,
        Fault.WEBHOOK_MISSING,
    }
)

# How often one prompt (before acceptance) or one job (after it) meets the fault; the rest: always.
TIMES: Final[Mapping[Fault, int]] = {
    Fault.DROPPED_REQUEST: 1,
    Fault.SUBMIT_ERROR: 1,
    Fault.OK_ERROR: 1,
    Fault.RATE_LIMITED: 2,
    Fault.POLL_ERROR: 2,
    Fault.POLL_RATE_LIMITED: 2,
    Fault.EXPIRED_URL: 1,
    Fault.CUT_DOWNLOAD: 1,
}
ALWAYS: Final = 2**31
REMEMBERED_PROMPTS: Final = 10_000
_MAGIC = re.compile(r"\[\[sim:([a-z0-9_]+)(?::(\d{1,6}))?\]\]")


class UnknownFault(ValueError):
    """There is no such fault, or the vendor cannot misbehave in this way."""


@dataclass(slots=True)
class Rule:
    """Strikes submits of a vendor ("*" is every one) with a probability, at most `count` times.

    A rule has its own random numbers, from `seed`: what others do does not change whom it strikes.
    """

    vendor: str
    fault: Fault
    probability: float = 1.0
    count: int | None = None
    seed: int = 0
    struck: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if not 0 <= self.probability <= 1:
            msg = "probability lies between 0 and 1"
            raise ValueError(msg)
        if self.count is not None and self.count < 0:
            msg = "count must not be negative"
            raise ValueError(msg)
        self._random = random.Random(self.seed)  # noqa: S311 - it repeats on purpose

    def strikes(self) -> bool:
        """Tell whether it strikes this time, and count it."""
        if self.count is not None and self.struck >= self.count:
            return False
        struck = self._random.random() < self.probability
        self.struck += struck
        return struck


class Scenario:
    """The rules in force, and how often magic words have been obeyed."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._obeyed: OrderedDict[tuple[str, Fault, str], int] = OrderedDict()

    def draw(self, vendor: str, prompt: str, possible: Collection[Fault]) -> dict[Fault, int]:
        """Return the faults that this submit meets, each with how often the job then shows it.

        Raises UnknownFault for a magic word that means nothing here.
        """
        drawn: dict[Fault, int] = {}
        for fault, times in magic_words(prompt):
            if fault not in possible:
                msg = f"{vendor} cannot show {fault}; it can show: {', '.join(sorted(possible))}"
                raise UnknownFault(msg)
            if fault not in NOT_ACCEPTED or self._obeys(vendor, fault, prompt, times):
                drawn[fault] = times
        for rule in self.rules:
            if rule.vendor in {"*", vendor} and rule.fault in possible and rule.strikes():
                drawn[rule.fault] = TIMES.get(rule.fault, ALWAYS)
        return drawn

    def _obeys(self, vendor: str, fault: Fault, prompt: str, times: int) -> bool:
        key = (vendor, fault, prompt)
        seen = self._obeyed.pop(key, 0)
        self._obeyed[key] = seen + 1
        while len(self._obeyed) > REMEMBERED_PROMPTS:
            self._obeyed.popitem(last=False)
        return seen < times

    def clear(self) -> None:
        """Forget the rules and the counts."""
        self.rules.clear()
        self._obeyed.clear()


def magic_words(prompt: str) -> Iterator[tuple[Fault, int]]:
    """Yield the faults that a prompt asks for, as in `[[sim:rate_limited:3]]`; 0 means always.

    Raises UnknownFault for a word that is none.
    """
    for word, number in _MAGIC.findall(prompt):
        fault = fault_of(word)
        yield fault, (int(number) or ALWAYS) if number else TIMES.get(fault, ALWAYS)


def fault_of(word: str) -> Fault:
    """Return the fault of that name. Raises UnknownFault."""
    try:
        return Fault(word)
    except ValueError:
        msg = f"no fault is called {word!r}; there are: {', '.join(sorted(Fault))}"
        raise UnknownFault(msg) from None
