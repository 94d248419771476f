"""Going back to an earlier cut of a film: at once, and without cost. Pure."""

from dataclasses import replace
from datetime import datetime

from services.common.errors import AlreadyEnded, InvalidArgument
from services.orchestrator.domain.films.cuts import Cut
from services.orchestrator.domain.films.film import SEEN, Film, FilmState
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import FilmTask, Piece, TaskState


def restored(film: Film, now: datetime, version: int, request_id: str = "") -> Film:
    """The film with an earlier cut as its newest one, and its shots as they were in that cut.

    What is made again afterwards goes on from there. Nothing is thrown away: one can go forth
    again as well. Raises InvalidArgument for a version that is not there, AlreadyEnded while the
    film is under way.
    """
    if not film.state.terminal:
        raise AlreadyEnded(f"{film.name} is under way: {film.state}")
    cut = next((each for each in film.cuts if each.version == version), None)
    if cut is None:
        known = [str(each.version) for each in film.cuts]
        raise InvalidArgument("version", "is not there", allowed=known or ("none yet",))
    tasks = tuple(_task(film, task, cut) for task in film.tasks)
    whole = all(task.state.finished for task in tasks)
    again = replace(cut, version=film.version + 1, create_time=now, restored=version)
    return film.retasked(
        now,
        tasks,
        tuple(_shot(film, shot, cut) for shot in film.shots),
        cuts=(*film.cuts, again),
        state=FilmState.SUCCEEDED if whole else film.state,
        error=None if whole else film.error,
        progress_percent=100 if whole else film.progress_percent,
        handled=film.handling(request_id),
    )


def _task(film: Film, task: FilmTask, cut: Cut) -> FilmTask:
    if task.type is TaskType.COMPOSITION:
        piece = Piece(asset=cut.asset, sha256=cut.sha256, duration_seconds=cut.duration_seconds)
        return replace(task, state=TaskState.SUCCEEDED, pieces=(piece,), error=None)
    version = _version(film, task.shot, cut) if task.type in SEEN else None
    return task if version is None else task.back_to(version, film.shot(task.shot))


def _shot(film: Film, shot: Shot, cut: Cut) -> Shot:
    """The shot as it was told when its clip in the cut was made."""
    version = _version(film, shot.shot_id, cut)
    takes = (take for task in film.tasks if task.shot == shot.shot_id for take in task.takes)
    told = (take.shot for take in takes if take.version == version and take.shot is not None)
    return shot if version is None else _current(film, shot, version) or next(told, shot)


def _current(film: Film, shot: Shot, version: int) -> Shot | None:
    """The shot as it is, where its clip is of this version already."""
    mine = (t for t in film.tasks if t.shot == shot.shot_id and t.type in SEEN and t.pieces)
    return shot if any((t.taken or t.version) == version for t in mine) else None


def _version(film: Film, shot_id: str, cut: Cut) -> int | None:
    """Which version of a shot is in a cut; None where the cut is without it."""
    sha256 = cut.shots.get(shot_id)
    mine = (task for task in film.tasks if task.shot == shot_id and task.type in SEEN)
    found = (task.version_of(sha256) for task in mine) if sha256 else iter(())
    return next((version for version in found if version is not None), None)
