"""What a caller may do with a film that is there: read, follow, cancel, resume, remake."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.common.errors import AlreadyEnded, FailedPrecondition, InvalidArgument, ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.ports import FilmStore, ScriptPort
from services.orchestrator.domain.films.shots import MAX_WORDS, Shot
from services.orchestrator.domain.films.versions import restored
from services.orchestrator.domain.options import check_text
from services.orchestrator.domain.ports import EventFeed
from services.orchestrator.usecases.accept import MAX_REQUEST_ID
from services.orchestrator.usecases.admission import require_running
from services.orchestrator.usecases.read import QUIET_SECONDS
from services.orchestrator.usecases.screening import ScreenWords

_log = get_logger(__name__)
_MAX_FEEDBACK = 2000


def film_id(name: str, field: str = "name") -> str:
    """The id in "films/{id}". Raises InvalidArgument."""
    prefix, _, found = name.partition("/")
    if prefix != "films" or not found.isalnum() or len(found) > 64:
        raise InvalidArgument(field, "is not a film's name", allowed=("films/{id}",))
    return found


@dataclass(frozen=True, kw_only=True)
class ReadFilms:
    """GetFilm, ListFilms, WatchFilm."""

    films: FilmStore
    feed: EventFeed

    async def get(self, tenant: str, name: str) -> Film:
        """One film. Raises NotFound."""
        return await self.films.get(tenant, film_id(name))

    async def list(self, tenant: str, size: int, token: str) -> tuple[Sequence[Film], str]:
        """One page, newest first, and the token of the next; "" on the last."""
        if not 0 <= size <= 200:
            raise InvalidArgument("page_size", "is out of range", allowed=("1 to 200",))
        if token and not (token.isalnum() and len(token) <= 64):
            raise InvalidArgument("page_token", "is not one of ours", allowed=("next_page_token",))
        wanted = size or 50
        found = await self.films.list(tenant, token, wanted + 1)
        page = found[:wanted]
        return page, page[-1].id if len(found) > wanted else ""

    async def watch(self, tenant: str, name: str, after: int) -> AsyncGenerator[Film, None]:
        """The film whenever it has changed since `after`, to its end. Raises NotFound.

        Changes that come close together are told as one: a film always tells all of itself.
        """
        if after < 0:
            raise InvalidArgument("after_sequence", "must not be negative", allowed=("0 or more",))
        identifier = film_id(name)
        with self.feed.follow(identifier) as live:
            film = await self.films.get(tenant, identifier)
            while True:
                if film.sequence > after:
                    after = film.sequence
                    yield film
                if film.state.terminal:
                    return
                await live.next(QUIET_SECONDS)
                film = await self.films.read(identifier)


@dataclass(frozen=True, kw_only=True)
class CommandFilm:
    """CancelFilm, ResumeFilm, RegenerateShot, RestoreCut.

    `price` raises what keeps a film from having a shot of this id made again.
    """

    films: FilmStore
    scripts: ScriptPort
    price: Callable[[Film, str], Awaitable[None]]
    now: Callable[[], datetime]
    screening: ScreenWords = field(default_factory=ScreenWords)

    async def cancel(self, tenant: str, name: str) -> Film:
        """Ask it to stop; finished shots stay. Raises NotFound, AlreadyEnded."""
        return await self.films.request_cancel(tenant, film_id(name))

    async def resume(self, tenant: str, name: str, request_id: str, *, approve: bool) -> Film:
        """Go on with a film that failed or was cancelled, or approve one that waits for it.

        Raises NotFound, AlreadyEnded for a film that is whole or under way, FailedPrecondition for
        an approval that comes after the film's latest start, and for a paused tenant.
        """
        check_text("request_id", request_id, MAX_REQUEST_ID)
        moment, policy = self.now(), await self.screening.policies.of(tenant)

        def resume(film: Film) -> Film | None:
            if request_id and request_id in film.handled:
                return None
            require_running(policy)
            if film.state is FilmState.AWAITING_APPROVAL and not approve:
                raise InvalidArgument("approve", "is not set", allowed=("true",))
            latest = film.brief.latest_start_time
            if film.state is FilmState.AWAITING_APPROVAL and latest is not None and moment > latest:
                raise FailedPrecondition(f"{film.name} was to begin by {latest:%F %R} UTC")
            if film.state in {FilmState.QUEUED, FilmState.RUNNING, FilmState.CANCELLING}:
                raise AlreadyEnded(f"{film.name} is under way: {film.state}")
            if film.state is FilmState.SUCCEEDED:
                raise AlreadyEnded(f"{film.name} is whole; make a shot again to change it")
            return film.resumed(moment, request_id)

        return await self.films.set_going(tenant, film_id(name), resume)

    async def regenerate(
        self, tenant: str, name: str, number: int, *, feedback: str, request_id: str
    ) -> Film:
        """Make one shot again and cut a new version; the other shots stay as they are.

        What was at work for the shot when its film was given up is stopped.
        Feedback is carried out by the prompt service; while it is away its words are added to the
        shot's. Raises NotFound, InvalidArgument, Moderated, BudgetExceeded where a budget cannot
        hold it, what keeps its model from serving, AlreadyEnded while the film is under way,
        FailedPrecondition for a paused tenant.
        """
        check_text("feedback", feedback, _MAX_FEEDBACK)
        check_text("request_id", request_id, MAX_REQUEST_ID)
        known = await self.films.get(tenant, film_id(name))
        if request_id and request_id in known.handled:
            return known
        _require_ended(known)
        require_running(await self.screening.policies.of(tenant))
        moment, old = self.now(), known.numbered(number)
        shot = await self._retold(known, old, feedback) if feedback else old
        await self.screening.film(tenant, known.brief, [shot])
        await self.price(known.remade(moment, shot), shot.shot_id)

        def remake(film: Film) -> Film | None:
            if request_id and request_id in film.handled:
                return None
            _require_ended(film)
            return film.remade(moment, shot, request_id)

        return await self.films.set_going(tenant, known.id, remake)

    async def _retold(self, film: Film, shot: Shot, feedback: str) -> Shot:
        """The shot as the feedback wants it."""
        here = film.brief.words_stay
        try:
            return await self.scripts.retell(film.tenant, shot, feedback, rules_only=here)
        except ServiceError as error:
            _log.warning("feedback_added_plainly", reason=error.reason)
            return replace(shot, prompt=f"{shot.prompt}. {feedback}"[:MAX_WORDS])

    async def restore(self, tenant: str, name: str, version: int, request_id: str) -> Film:
        """Make an earlier cut the newest one, with its shots as they were; nothing is made or paid.

        Raises NotFound, InvalidArgument, AlreadyEnded while the film is under way.
        """
        check_text("request_id", request_id, MAX_REQUEST_ID)
        moment = self.now()

        def restore(film: Film) -> Film | None:
            if request_id and request_id in film.handled:
                return None
            return restored(film, moment, version, request_id)

        return await self.films.set_going(tenant, film_id(name), restore)


def _require_ended(film: Film) -> None:
    if not film.state.terminal:
        raise AlreadyEnded(f"{film.name} is under way: {film.state}")
