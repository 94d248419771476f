"""What of a film is there already, bought for another one. Nothing is written, counted or made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from services.common.errors import ServiceError
from services.orchestrator.domain.cache.entries import Entry
from services.orchestrator.domain.cache.keys import artefact_key, exact_key
from services.orchestrator.domain.cache.policy import Choice, made_by
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.casting import voices_of
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.ports import VoiceStore
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.films.wants import (
    known_by,
    larger,
    music_of,
    picture_known_by,
    sounds_of,
    speech_of,
)
from services.orchestrator.domain.films.works import Work
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.usecases.artefacts import Artefacts, piece_of

Part: TypeAlias = tuple[str, int]
KnownBy: TypeAlias = Mapping[str, Any]
There: TypeAlias = Mapping[Part, Entry]
"""What is there, by task and part of it, such as a line of a shot, from 0."""


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """A film that is being planned; `choice` is what its clips may come from."""

    tenant: str
    brief: FilmBrief
    shots: tuple[Shot, ...]
    tasks: tuple[FilmTask, ...]
    choice: Choice

    @cached_property
    def by_id(self) -> Mapping[str, FilmTask]:
        """The tasks by their ids."""
        return {task.id: task for task in self.tasks}

    @cached_property
    def by_shot(self) -> Mapping[tuple[str, TaskType], FilmTask]:
        """The tasks by shot and kind."""
        return {(task.shot, task.type): task for task in self.tasks}

    @cached_property
    def shot(self) -> Mapping[str, Shot]:
        """The shots by their ids."""
        return {shot.shot_id: shot for shot in self.shots}

    @cached_property
    def _models(self) -> ModelChoice:
        rules, language = self.brief.rules, self.brief.language
        return ModelChoice(self.choice.models, offline=rules.offline, language=language)

    def model(self, task: FilmTask) -> Model | None:
        """The model that would be asked; None where there is none."""
        try:
            return self._models.for_task(task)
        except ServiceError:
            return None


@dataclass(frozen=True, kw_only=True)
class ForeseeFilm:
    """Looks up what the makers would; stills first, because clips begin with them."""

    artefacts: Artefacts
    voices: VoiceStore

    async def __call__(self, sketch: Sketch) -> There:
        """The entries that would serve, by task and part."""
        if not sketch.brief.use_cache:
            return {}
        there = await self._found(sketch, await self._plain(sketch))
        clips = await self._found(sketch, _clips(sketch, there))
        there |= {part: clip for part, clip in clips.items() if _allowed(sketch, part, clip)}
        return there | await self._found(sketch, _larger(sketch, there))

    async def _found(self, sketch: Sketch, wanted: Mapping[Part, str]) -> dict[Part, Entry]:
        entries = await self.artefacts.known(sketch.tenant, "", set(wanted.values()))
        return {part: entries[key] for part, key in wanted.items() if key in entries}

    async def _plain(self, sketch: Sketch) -> dict[Part, str]:
        """Keys of what needs nothing else to be known: stills, lines, music, effects."""
        wanted: dict[Part, str] = {}
        for task in sketch.tasks:
            model = sketch.model(task) if task.type in _PLAIN else None
            if model is None:
                continue
            if task.type is TaskType.AUDIO:
                works = await self._lines(sketch, task, model)
            else:
                works = dict(enumerate(_PLAIN[task.type](sketch, task, model)))
            for part, known in works.items():
                wanted[task.id, part] = artefact_key(sketch.tenant, model.id, known)
        return wanted

    async def _lines(self, sketch: Sketch, task: FilmTask, model: Model) -> dict[int, KnownBy]:
        """A shot's lines by number; who has no voice of this model yet has spoken none of them."""
        given = bool(voices_of(model))
        voices = await self.voices.voices(sketch.tenant, model.id) if given else {}
        return {
            part: _known(speech_of(sketch.brief, line, voices.get(line.speaker, "")))
            for part, line in enumerate(sketch.shot[task.shot].lines)
            if not given or line.speaker in voices
        }


def _known(work: Work) -> KnownBy:
    return known_by(work) or {}


# What is known of a task by the film as it is planned; a shot's lines are told one by one.
_PLAIN: Mapping[TaskType, Callable[[Sketch, FilmTask, Model], Sequence[KnownBy]]] = {
    TaskType.IMAGE: lambda film, task, _: [picture_known_by(film.brief, film.shot[task.shot])],
    TaskType.MUSIC: lambda film, _, model: [_known(music_of(film.brief, film.shots, model))],
    TaskType.SOUND: lambda film, task, model: [
        _known(work) for work in sounds_of(film.shot[task.shot], model)
    ],
    TaskType.AUDIO: lambda *_: (),
}


def _clip_request(sketch: Sketch, task: FilmTask) -> VideoRequest:
    return shot_request(sketch.brief, sketch.shot[task.shot], model=task.model)


def _clips(sketch: Sketch, there: There) -> dict[Part, str]:
    """Keys of clips; one that begins with a still that is not there yet is not there either."""
    wanted: dict[Part, str] = {}
    for task in sketch.tasks:
        still = sketch.by_shot.get((task.shot, TaskType.IMAGE))
        if task.type is not TaskType.ANIMATION or (still and (still.id, 0) not in there):
            continue
        shown = sketch.brief.cast.pictured(shot := sketch.shot[task.shot])[:1]
        first = {"image": shown[0].sha256} if sketch.brief.cast.first_frame(shot) else {}
        if "" in first.values():
            continue  # nobody knows before what is at an address
        request = _clip_request(sketch, task)
        wanted[task.id, 0] = exact_key(
            sketch.tenant,
            request,
            model=made_by(request, sketch.choice.models),
            iteration=1,
            references={"image": there[still.id, 0].clip.sha256} if still else first,
        )
    return wanted


def _allowed(sketch: Sketch, part: Part, entry: Entry) -> bool:
    request = _clip_request(sketch, sketch.by_id[part[0]])
    return sketch.choice.allows(request, entry.model)


def _larger(sketch: Sketch, there: There) -> dict[Part, str]:
    """Keys of enlarged clips, for those clips that are there."""
    wanted: dict[Part, str] = {}
    for task in sketch.tasks:
        if task.type is not TaskType.UPSCALE:
            continue
        clip = sketch.by_shot.get((task.shot, TaskType.ANIMATION))
        model = sketch.model(task)
        if clip and model and (clip.id, 0) in there:
            known = _known(larger(piece_of(there[clip.id, 0])))
            wanted[task.id, 0] = artefact_key(sketch.tenant, model.id, known)
    return wanted
