"""Everything but clips from the generator over gRPC, on behalf of a tenant."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

from reelmesh.generator.v1 import generation_pb2 as pb
from reelmesh.generator.v1 import generator_service_pb2
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from services.common.channels import Channel
from services.common.errors import NotFound
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import (
    from_duration,
    from_error,
    from_money,
    from_timestamp,
    to_duration,
    to_money,
    told_of,
)
from services.orchestrator.domain.films.tasks import Piece, Word
from services.orchestrator.domain.films.works import (
    CaptionLine,
    CaptionsWork,
    ComposeWork,
    CutClip,
    CutTrack,
    LookWork,
    MusicWork,
    PictureWork,
    SoundWork,
    SpeechWork,
    UpscaleWork,
    Work,
    WorkOrder,
    WorkView,
)
from services.orchestrator.domain.notices import Translated
from services.orchestrator.domain.options import ImageInput

_STATE = pb.Generation.State
_COMPOSE = pb.ComposeTask
_NOW, _LATER = generator_service_pb2.PRIORITY_INTERACTIVE, generator_service_pb2.PRIORITY_BATCH


class WorksClient:
    """`domain.films.ports.WorkPort`."""

    def __init__(self, channel: Channel) -> None:
        """Make the channel with `retry=[CREATE]`: creating is idempotent by request_id."""
        self._stub = GeneratorServiceStub(channel)

    async def create(self, order: WorkOrder) -> WorkView:
        """See `WorkPort.create`."""
        request = generator_service_pb2.CreateGenerationRequest(
            request_id=order.request_id,
            model=order.model,
            task=task_of(order.work),
            max_price=to_money(order.max_price_micros),
            batch_size=order.together if order.together > 1 else 0,
            priority=_NOW if order.waiting else _LATER,  # a film's parts go as its shots do
            labels=generator_service_pb2.Labels(
                job=order.film, creative_id=order.creative_id, labels=order.labels
            ),
        )
        with acting_as(Identity(order.tenant)):
            answer = await self._stub.CreateGeneration(request)
        return _view(answer.generation)

    async def watch(self, tenant: str, name: str, after: int) -> AsyncIterator[WorkView]:
        """See `WorkPort.watch`."""
        request = generator_service_pb2.WatchGenerationRequest(name=name, after_sequence=after)
        with acting_as(Identity(tenant)):
            stream = self._stub.WatchGeneration(request)
        async for answer in stream:
            yield _view(answer.generation)

    async def cancel(self, tenant: str, request_id: str) -> None:
        """See `WorkPort.cancel`."""
        request = generator_service_pb2.CancelGenerationRequest(request_id=request_id)
        with acting_as(Identity(tenant)), suppress(NotFound):
            await self._stub.CancelGeneration(request)


def task_of(work: Work) -> pb.Task:
    """The work as the generator's contract has it."""
    return _TASKS[type(work)](work)


def _picture(work: PictureWork) -> pb.Task:
    task = pb.ImageTask(
        prompt=work.prompt,
        negative_prompt=work.negative_prompt,
        aspect_ratio=work.aspect_ratio,
        resolution=work.resolution,
        seed=work.seed,
        references=[_media(work.reference)] if work.reference else [],
    )
    return pb.Task(image=task)


def _media(picture: ImageInput) -> pb.Media:
    return pb.Media(asset=picture.asset) if picture.asset else pb.Media(uri=picture.uri)


def _look(work: LookWork) -> pb.Task:
    alike = _media(work.alike) if work.alike else None
    task = pb.CheckTask(media=pb.Media(asset=work.asset), alike=alike, silent_expected=True)
    return pb.Task(check=task)


def _speech(work: SpeechWork) -> pb.Task:
    task = pb.SpeechTask(text=work.text, voice=work.voice, language=work.language)
    return pb.Task(speech=task)


def _music(work: MusicWork) -> pb.Task:
    task = pb.MusicTask(
        prompt=work.prompt, duration=to_duration(work.seconds), mood=work.mood, seed=work.seed
    )
    return pb.Task(music=task)


def _sound(work: SoundWork) -> pb.Task:
    task = pb.SoundTask(prompt=work.prompt, duration=to_duration(work.seconds), seed=work.seed)
    return pb.Task(sound=task)


def _upscale(work: UpscaleWork) -> pb.Task:
    task = pb.UpscaleTask(media=pb.Media(asset=work.asset), factor=work.factor)
    return pb.Task(upscale=task)


def _captions(work: CaptionsWork) -> pb.Task:
    task = pb.CaptionsTask(format="srt", language=work.language, lines=map(_line, work.lines))
    task.film_duration.FromNanoseconds(round(work.seconds * 1e9))
    return pb.Task(captions=task)


def _line(line: CaptionLine) -> pb.CaptionsTask.Line:
    return pb.CaptionsTask.Line(
        text=line.text,
        speaker=line.speaker,
        audio=pb.Media(asset=line.audio) if line.audio and not line.words else None,
        start=to_duration(line.start),
        duration=to_duration(line.duration) if line.duration else None,
        words=[
            pb.WordTime(text=w.text, start=to_duration(w.start), end=to_duration(w.end))
            for w in line.words
        ],
    )


def _compose(work: ComposeWork) -> pb.Task:
    task = _COMPOSE(
        clips=map(_clip, work.clips),
        tracks=map(_track, work.tracks),
        captions=pb.Media(asset=work.captions) if work.captions else None,
        caption_mode=_COMPOSE.CaptionMode.Value(f"CAPTION_MODE_{work.caption_mode.upper()}"),
        caption_style=pb.CaptionStyle(
            position=pb.CaptionStyle.Position.Value(f"POSITION_{work.caption_position.upper()}")
        ),
        caption_language=work.caption_language,
        fps=work.fps,
        width=work.size[0] if work.size else 0,
        height=work.size[1] if work.size else 0,
        keep_levels=work.rough,
        check=not work.rough,
    )
    return pb.Task(compose=task)


def _clip(clip: CutClip) -> pb.ComposeTask.Clip:
    return _COMPOSE.Clip(
        media=pb.Media(asset=clip.asset),
        duration=to_duration(clip.duration),
        transition=_COMPOSE.Transition.Value(f"TRANSITION_{clip.transition.upper()}"),
        transition_duration=to_duration(clip.transition_seconds or None),
        mute=clip.mute,
        shows=clip.shows,
        hold=to_duration(clip.hold or None),
        gain_db=clip.gain_db,
    )


def _track(track: CutTrack) -> pb.ComposeTask.Track:
    return _COMPOSE.Track(
        media=pb.Media(asset=track.asset),
        role=_COMPOSE.Role.Value(f"ROLE_{track.role.upper()}"),
        at=to_duration(track.at),
        duration=to_duration(track.duration),
        loop=track.loop,
        fade_out=to_duration(track.fade_out or None),
    )


_TASKS: Mapping[type[object], Callable[[Any], pb.Task]] = {
    PictureWork: _picture,
    UpscaleWork: _upscale,
    SpeechWork: _speech,
    MusicWork: _music,
    SoundWork: _sound,
    CaptionsWork: _captions,
    ComposeWork: _compose,
    LookWork: _look,
}


def _view(generation: pb.Generation) -> WorkView:
    state = _STATE.Name(generation.state).removeprefix("STATE_").lower()
    done, output = state == "succeeded", generation.output
    found = output.quality
    return WorkView(
        name=generation.name,
        state=state,
        sequence=generation.sequence,
        model=generation.model,
        provider=generation.provider,
        progress_percent=generation.progress_percent,
        progress_source=generation.progress_source or "none",
        eta=from_timestamp(generation.eta),
        cost_micros=from_money("cost", generation.cost) if generation.HasField("cost") else None,
        error=from_error(generation.error),
        warnings=told_of(generation.warnings, [told.texts for told in generation.told]),
        piece=_piece(generation) if done else None,
        quality=found.score if output.HasField("quality") else None,
        findings=tuple(
            Translated(dict(finding.texts) or {"en": finding.explanation})
            for finding in found.findings
        ),
        prompt_match=found.prompt_match if found.HasField("prompt_match") else None,
        likeness=found.likeness if found.HasField("likeness") else None,
        not_measured=tuple(found.not_measured),
    )


def _piece(generation: pb.Generation) -> Piece:
    output = generation.output
    return Piece(
        asset=generation.asset,
        sha256=output.sha256,
        duration_seconds=from_duration(output.duration) or 0.0,
        model=generation.model,
        placeholder=generation.placeholder,
        words=tuple(
            Word(text=w.text, start=from_duration(w.start) or 0.0, end=from_duration(w.end) or 0.0)
            for w in output.words
        ),
    )
