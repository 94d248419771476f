"""Makers of what puts the film together: captions from the speech, and the cut."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.common.errors import FailedPrecondition
from services.orchestrator.domain.films.asking import frame_size
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.cues import CUE_SECONDS
from services.orchestrator.domain.films.cuts import Cut
from services.orchestrator.domain.films.ending import FADE_SECONDS, Ending, ending, heard, held
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import FilmTask, Piece
from services.orchestrator.domain.films.timeline import Span, length, sounded, spans, spoken
from services.orchestrator.domain.films.works import (
    CaptionLine,
    CaptionsWork,
    ComposeWork,
    CutClip,
    CutTrack,
)
from services.orchestrator.domain.notices import Notice, Said, Warned
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.usecases.films.making import Made
from services.orchestrator.usecases.films.purchase import Purchase

# A clip that is this much shorter than its shot moves all that comes after it.
_NOTICEABLE_SECONDS = 0.02
# Below this score a cut is told to be poor.
GATE = 0.6
# Music that was made for another length would stop dead.
MUSIC_FADE_SECONDS = 1.5
# The chord of a storyboard, where the film has music or words of its own.
PLACEHOLDER_DB = -12.0


@dataclass(frozen=True)
class Reel:
    """The shots that have a clip, where each lies in the cut, and what is said in it."""

    film: Film
    shots: tuple[Shot, ...]
    clips: tuple[Piece, ...]
    spans: tuple[Span, ...]
    ending: Ending = field(default_factory=Ending)

    @classmethod
    def of(cls, film: Film, *, planned: bool = False, simple: bool = False) -> "Reel":
        """The reel of a film: as planned, or as the clips are; `simple` has nothing but cuts.

        Raises FailedPrecondition where there is no clip at all.
        """
        found = [(shot, film.clip_of(shot.shot_id)) for shot in film.shots]
        kept = [(shot, piece) for shot, piece in found if piece or planned]
        if not kept:
            raise FailedPrecondition("no shot of the film has a clip")
        lengths = [_length(shot, None if planned else piece) for shot, piece in kept]
        default = "cut" if simple else film.brief.transition or film.brief.rules.transition
        shots = tuple(shot for shot, _ in kept)
        placed = spans([_plain(s) for s in shots] if simple else shots, lengths, default)
        return cls(film, shots, tuple(piece for _, piece in kept if piece), placed)._ended()

    def _ended(self) -> "Reel":
        """The same, its last picture standing under its last words."""
        voices = self._pieces(TaskType.AUDIO)
        cues = [
            at + CUE_SECONDS for times in sounded(self.shots, self.spans, voices) for at in times
        ]
        end = ending(self.spans, spoken(self.shots, self.spans, voices), cues)
        return replace(self, spans=held(self.spans, end.hold_seconds), ending=end)

    def captions(self) -> CaptionsWork:
        """Every line with its time in this reel."""
        spoken_lines = spoken(self.shots, self.spans, self._pieces(TaskType.AUDIO))
        lines = [each.line for each in heard(spoken_lines, self.ending.words_end)]
        return CaptionsWork(
            lines=tuple(
                CaptionLine(
                    text=line.text,
                    start=line.start,
                    duration=line.piece.duration_seconds,
                    speaker=line.speaker,
                    words=line.piece.words,
                    audio="" if line.piece.words else line.piece.asset,
                )
                for line in lines
            ),
            language=self.film.brief.language,
            seconds=length(self.spans),
        )

    def tracks(self) -> tuple[CutTrack, ...]:
        """Dialogue, effects and music at their times."""
        voices = self._pieces(TaskType.AUDIO)
        lines = spoken(self.shots, self.spans, voices)
        found = [
            CutTrack(
                asset=each.line.piece.asset,
                role="dialogue",
                at=each.line.start,
                duration=each.duration,
                fade_out=FADE_SECONDS if each.duration else 0.0,
            )
            for each in heard(lines, self.ending.words_end)
        ]
        cues = sounded(self.shots, self.spans, voices)
        sounds = self._pieces(TaskType.SOUND)
        for shot, span, times, pieces in zip(self.shots, self.spans, cues, sounds, strict=True):
            starts = (*((span.start,) if shot.sound else ()), *times)
            found += [
                CutTrack(asset=piece.asset, role="effect", at=start)
                for start, piece in zip(starts, pieces, strict=False)
            ]
        music = [t for t in self.film.tasks if t.type is TaskType.MUSIC]
        found += [
            CutTrack(asset=p.asset, role="music", loop=True, fade_out=MUSIC_FADE_SECONDS)
            for t in music
            for p in t.pieces
        ]
        return tuple(found)

    def cut_clips(self) -> tuple[CutClip, ...]:
        """The clips in order, each brought to its length."""
        quieter = PLACEHOLDER_DB if self.tracks() else 0.0
        return tuple(
            CutClip(
                asset=clip.asset,
                duration=span.duration,
                transition=span.transition,
                transition_seconds=span.overlap,
                hold=span.hold,
                gain_db=quieter if clip.placeholder else 0.0,
                # A storyboard writes its words: there is nothing to compare them with.
                shows="" if clip.placeholder else shot.prompt,
            )
            for shot, clip, span in zip(self.shots, self.clips, self.spans, strict=True)
        )

    def _pieces(self, kind: TaskType) -> tuple[tuple[Piece, ...], ...]:
        tasks = [self.film.of_shot(shot.shot_id, kind) for shot in self.shots]
        return tuple(task.pieces if task else () for task in tasks)


def _length(shot: Shot, piece: Piece | None) -> float:
    """The shot's length, or that of a clip that is noticeably shorter."""
    if piece is None or piece.duration_seconds > shot.duration_seconds - _NOTICEABLE_SECONDS:
        return shot.duration_seconds
    return piece.duration_seconds


def _plain(shot: Shot) -> Shot:
    return Shot(shot_id=shot.shot_id, prompt=shot.prompt, duration_seconds=shot.duration_seconds)


@dataclass(frozen=True, kw_only=True)
class MakeCaptions:
    """Captions timed by the speech, as the cut is planned."""

    models: ModelsPort
    purchase: Purchase

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        choice = ModelChoice(await self.models.models(film.tenant))
        work = Reel.of(film, planned=True).captions()
        bought = await self.purchase(film, task, 0, work, choice.for_task(task))
        return Made(pieces=(bought.piece,))


@dataclass(frozen=True, kw_only=True)
class MakeCut:
    """The cut: clips, transitions, sound, captions; its quality is looked at and told.

    A reduced try has cuts alone and captions that players show beside the picture.
    """

    models: ModelsPort
    purchase: Purchase
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        choice = ModelChoice(await self.models.models(film.tenant))
        reel = Reel.of(film, simple=task.reduced)
        captions = await self._captions(film, task, reel, choice)
        attach = task.reduced or film.brief.captions == "attach"
        work = ComposeWork(
            clips=reel.cut_clips(),
            tracks=reel.tracks(),
            captions=captions,
            caption_mode="attach" if attach else "burn",
            # A storyboard has its own words below.
            caption_position="top" if any(c.placeholder for c in reel.clips) else "bottom",
            caption_language=film.brief.language,
            fps=film.brief.fps,
            # Where enlarging failed for some of the clips the film is as large all the same.
            size=frame_size(film.brief) if film.brief.upscale else None,
        )
        bought = await self.purchase(film, task, 0, work, choice.for_task(task))
        view, piece = bought.view, bought.piece
        cut = Cut(
            version=film.version + 1,
            asset=piece.asset,
            sha256=piece.sha256,
            duration_seconds=piece.duration_seconds or length(reel.spans),
            create_time=self.now(),
            quality=view.quality,
            findings=tuple(found.said(film.brief.language) for found in view.findings),
            prompt_match=view.prompt_match,
            not_measured=view.not_measured,
            shots={s.shot_id: c.sha256 for s, c in zip(reel.shots, reel.clips, strict=True)},
        )
        return Made(pieces=(piece,), warning=_warning(film, task, reel, cut), cut=cut)

    async def _captions(self, film: Film, task: FilmTask, reel: Reel, choice: ModelChoice) -> str:
        """The captions as planned, or new ones where the clips have moved the words."""
        made = [t for t in film.tasks if t.type is TaskType.CAPTIONS and t.pieces]
        if not made:
            return ""
        if reel.spans == Reel.of(film, planned=True).spans:
            return made[0].pieces[0].asset
        bought = await self.purchase(film, task, -1, reel.captions(), choice.for_task(made[0]))
        return bought.piece.asset


def _warning(film: Film, task: FilmTask, reel: Reel, cut: Cut) -> Warned:
    told = []
    if len(reel.clips) < len(film.shots):
        missing = {s.shot_id for s in film.shots} - {s.shot_id for s in reel.shots}
        told.append(Notice(Said.CUT_WITHOUT, {"shots": ", ".join(sorted(missing))}))
    if task.reduced:
        told.append(Notice(Said.CUT_PLAINLY))
    if reel.ending.late_seconds:
        told.append(Notice(Said.CUT_SHORT, {"late": f"{reel.ending.late_seconds:.1f}"}))
    if cut.quality is not None and cut.quality < GATE:
        facts = {"quality": f"{cut.quality:.2f}", "findings": "; ".join(cut.findings)}
        told.append(Notice(Said.CUT_OF_QUALITY, facts))
    return Notice(Said.CUT, parts=tuple(told)) if told else ""
