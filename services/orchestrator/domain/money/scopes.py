"""What a limit can be set on, and which limits an attempt has to respect."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from services.common.errors import InvalidArgument
from services.orchestrator.domain.options import check_text

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_LONGEST_SUBJECT = 128


class ScopeKind(StrEnum):
    """Kinds of limits. `JOB` is a request's own `budget_limit`; nobody sets it later."""

    TENANT = "tenant"
    PROJECT = "project"
    CREATIVE = "creative"
    FILM = "film"
    MONTH = "month"
    CREDENTIAL = "credential"
    USER = "user"
    JOB = "job"


SETTABLE = tuple(kind for kind in ScopeKind if kind is not ScopeKind.JOB)


@dataclass(frozen=True, order=True)
class Scope:
    """One thing that can have a limit.

    Subjects: the tenant, a project, a creative id, a film's id, a month of UTC ("2026-11"), a
    provider (whose credential is charged), the id of an API key.
    """

    kind: ScopeKind
    subject: str

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a subject that nothing could ever be charged to."""
        if not self.subject:
            raise InvalidArgument("budget.subject", "is empty", allowed=("what is limited",))
        check_text("budget.subject", self.subject, _LONGEST_SUBJECT)
        if self.kind is ScopeKind.MONTH and not _MONTH.fullmatch(self.subject):
            raise InvalidArgument("budget.subject", "is not a month", allowed=("YYYY-MM",))

    @property
    def name(self) -> str:
        """The resource name, "budgets/{scope}.{subject}"."""
        return f"budgets/{self.kind}.{self.subject}"


def scope_of(kind: str, subject: str, field: str = "budget.scope") -> Scope:
    """The scope that a caller names. Raises InvalidArgument."""
    if kind not in SETTABLE:
        raise InvalidArgument(field, f"{kind!r} is not known", allowed=SETTABLE)
    return Scope(ScopeKind(kind), subject)


def scope_named(name: str) -> Scope:
    """The scope in "budgets/{scope}.{subject}". Raises InvalidArgument."""
    prefix, _, rest = name.partition("/")
    kind, dot, subject = rest.partition(".")
    if prefix != "budgets" or not dot:
        raise InvalidArgument("name", "is not a budget's", allowed=("budgets/{scope}.{subject}",))
    return scope_of(kind, subject, "name")


def month_of(moment: datetime) -> str:
    """The month of UTC that money spent at this moment belongs to, such as "2026-11"."""
    return moment.astimezone(UTC).strftime("%Y-%m")


@dataclass(frozen=True, kw_only=True)
class Payer:
    """Who pays: everything of a job that a limit can be set on, apart from the provider."""

    tenant: str
    job: str
    month: str
    project: str = ""
    creative: str = ""
    film: str = ""
    user: str = ""

    def scopes(self, *providers: str) -> tuple[Scope, ...]:
        """Every scope that applies with these providers, in the order of locking."""
        subjects = [
            (ScopeKind.TENANT, self.tenant),
            (ScopeKind.PROJECT, self.project),
            (ScopeKind.CREATIVE, self.creative),
            (ScopeKind.FILM, self.film),
            (ScopeKind.MONTH, self.month),
            (ScopeKind.USER, self.user),
            (ScopeKind.JOB, self.job),
            *((ScopeKind.CREDENTIAL, provider) for provider in providers),
        ]
        return tuple(sorted({Scope(kind, subject) for kind, subject in subjects if subject}))
