"""The root of the tree of errors; see ``services.common.errors`` for its branches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong: ``field`` names it (a request field, a quota, a precondition)."""

    field: str
    message: str


class ServiceError(Exception):
    """The call failed; read the reason.

    Attributes:
        message: a sentence for people, safe to show to the caller.
        reason: a name of ``ErrorReason``, for programs.
        retryable: whether the same call (with the same ``request_id``) may work later.
        retry_after: seconds to wait before that, or ``None`` when nobody knows.
        metadata: facts about this one failure; the keys are documented at the enum's value.
        violations: each single thing that is wrong.
    """

    default_reason: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        reason: str = "",
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[Violation] = (),
    ) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        self.reason = reason or self.default_reason
        self.retry_after = retry_after
        self.metadata = {key: str(value) for key, value in (metadata or {}).items()}
        self.violations = tuple(violations)
        super().__init__(self.message)

    @classmethod
    def rebuild(cls, state: Mapping[str, object]) -> Self:
        """Return an instance with the attributes of ``state``; the constructor is not called."""
        error = cls.__new__(cls, state["message"])
        error.__dict__.update(state)
        return error

    @override
    def __reduce__(self) -> tuple[Callable[[Mapping[str, object]], Self], tuple[dict[str, object]]]:
        return type(self).rebuild, (dict(self.__dict__),)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, reason={self.reason!r})"
