"""When each shot, each word and each laugh comes in the cut, in seconds. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.orchestrator.domain.films.cues import CUE_SECONDS
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import Piece

TRANSITION_SECONDS = 0.5
# A voice begins a moment into its shot, and lets the one before it end.
LEAD_SECONDS = 0.2
GAP_SECONDS = 0.25
# How fast people speak, where nothing has been spoken yet.
CHARACTERS_PER_SECOND = 14.0


@dataclass(frozen=True, kw_only=True)
class Span:
    """A shot in the cut: when it begins, how long it is, how long it shares with the one before.

    After that its last picture stands, for `hold`.
    """

    start: float
    duration: float
    transition: str
    overlap: float
    hold: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A line in the cut."""

    text: str
    speaker: str
    start: float
    piece: Piece


def spans(shots: Sequence[Shot], durations: Sequence[float], default: str) -> tuple[Span, ...]:
    """Where each shot lies: its own transition or the default; never more than half of a shot."""
    found: list[Span] = []
    end = 0.0
    for number, (shot, duration) in enumerate(zip(shots, durations, strict=True)):
        transition = "cut" if number == 0 else shot.transition or default
        overlap = 0.0
        if transition != "cut":
            overlap = min(TRANSITION_SECONDS, duration / 2, found[-1].duration / 2)
        found.append(
            Span(start=end - overlap, duration=duration, transition=transition, overlap=overlap)
        )
        end += duration - overlap
    return tuple(found)


def length(found: Sequence[Span]) -> float:
    """How long the cut is."""
    return found[-1].start + found[-1].duration + found[-1].hold if found else 0.0


def spoken(
    shots: Sequence[Shot], found: Sequence[Span], pieces: Sequence[Sequence[Piece]]
) -> tuple[Spoken, ...]:
    """Every line where it is spoken: within its shot, but never over the line before it."""
    return tuple(line for lines, _ in _told(shots, found, pieces) for line in lines)


def sounded(
    shots: Sequence[Shot], found: Sequence[Span], pieces: Sequence[Sequence[Piece]]
) -> tuple[tuple[float, ...], ...]:
    """When each cue of each shot is heard: as soon as the words before it have ended.

    `pieces` are the lines' as they are spoken.
    """
    return tuple(cues for _, cues in _told(shots, found, pieces))


def _told(
    shots: Sequence[Shot], found: Sequence[Span], pieces: Sequence[Sequence[Piece]]
) -> list[tuple[list[Spoken], tuple[float, ...]]]:
    """The lines of each shot with their times, and the times of its cues."""
    told: list[tuple[list[Spoken], tuple[float, ...]]] = []
    ended = free = 0.0
    for shot, span, made in zip(shots, found, pieces, strict=True):
        lines: list[Spoken] = []
        cues: list[float] = []
        ended = max(span.start + LEAD_SECONDS, ended)
        free = max(span.start + LEAD_SECONDS, free)
        for place in range(len(shot.lines) + 1):
            for _ in (cue for cue in shot.cues if cue.line == place):
                cues.append(ended)
                ended = free = ended + CUE_SECONDS
            if place < min(len(shot.lines), len(made)):
                line, piece = shot.lines[place], made[place]
                lines.append(Spoken(text=line.text, speaker=line.speaker, start=free, piece=piece))
                ended = free + piece.duration_seconds
                free = ended + GAP_SECONDS
        told.append((lines, tuple(cues)))
    return told


def guessed(shots: Sequence[Shot]) -> tuple[tuple[Piece, ...], ...]:
    """The lines of each shot as they may be spoken, where nothing has been yet."""
    return tuple(
        tuple(
            Piece(asset="", sha256="", duration_seconds=len(line.text) / CHARACTERS_PER_SECOND)
            for line in shot.lines
        )
        for shot in shots
    )


def speaking_seconds(shot: Shot) -> float:
    """About how long a shot's words take."""
    pauses = LEAD_SECONDS + GAP_SECONDS * max(len(shot.lines) - 1, 0)
    spoken_seconds = shot.characters_spoken / CHARACTERS_PER_SECOND + CUE_SECONDS * len(shot.cues)
    return spoken_seconds + pauses if shot.lines or shot.cues else 0.0
