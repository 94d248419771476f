"""What a cut is to be: its frames, how long each clip is in it, and what of them is copied."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.common.errors import InvalidArgument
from services.generator.domain.compositions import Clip, ComposeTask, Encoding
from services.generator.media.encoder import DELAY
from services.generator.media.h264 import ParameterSets
from services.generator.media.probe import (
    BT709,
    HIGH_DYNAMIC,
    SQUARE,
    UNKNOWN,
    Color,
    Facts,
    Picture,
)
from services.generator.media.shaping import FORMAT, MATRICES, Target, upright
from services.generator.media.timeline import Copyable, Length, Part, Placed, parts, placed

_STANDS = Fraction(1, 4)
"""Seconds for which a clip's last picture stands where there is no more of it, unasked: files often
say how long their sound is, which outlasts the picture by a few hundredths."""
_MAX_RATE = 120
_WHOLE_RATES = (24, 25, 30, 48, 50, 60)
_RATES = [*map(Fraction, _WHOLE_RATES), *(Fraction(n * 1000, 1001) for n in _WHOLE_RATES)]


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut that can be made: the clips where they lie, and what becomes of each frame."""

    task: ComposeTask
    facts: Sequence[Facts]
    target: Target
    clips: Sequence[Placed]
    plan: Sequence[Part]
    copied: ParameterSets | None

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self.clips[-1].end

    @property
    def seconds(self) -> Fraction:
        """Length in seconds."""
        return self.frames / self.target.rate

    @property
    def method(self) -> str:
        """How it is made: "copied", "smart" or "encoded"."""
        copied = {part.clip is not None for part in self.plan}
        return {frozenset({True}): "copied", frozenset({False}): "encoded"}.get(
            frozenset(copied), "smart"
        )

    @property
    def delay(self) -> int:
        """Frames by which decoding runs ahead of showing, in any part."""
        used = {part.clip for part in self.plan if part.clip is not None}
        return max([DELAY, *(picture_of(self.facts[n], n).delay for n in used)])


def planned(
    task: ComposeTask, facts: Sequence[Facts], drawn: Callable[[Fraction], list[tuple[int, int]]]
) -> Cut:
    """Return the cut. `drawn` gives, for a frame rate, the frames that something is drawn into.

    Raises InvalidArgument naming the clip that does not fit.
    """
    pictures = [picture_of(each, number) for number, each in enumerate(facts)]
    target = _target(task, pictures)
    lengths = [
        _length(clip, picture, number)
        for number, (clip, picture) in enumerate(zip(task.clips, pictures, strict=True))
    ]
    clips = placed(task.clips, lengths, target.rate)
    sets = _shared(task, pictures, target)
    copyable = [
        _copyable(clip, picture, place, target) if sets and picture.parameters == sets else None
        for clip, picture, place in zip(task.clips, pictures, clips, strict=True)
    ]
    plan = parts(clips, copyable, drawn(target.rate), target.rate)
    return Cut(task, facts, target, clips, plan, sets)


def picture_of(facts: Facts, number: int) -> Picture:
    """Return a clip's pictures; raises InvalidArgument naming the clip that has none."""
    if facts.picture is None:
        raise InvalidArgument(f"clips[{number}].media", "holds no picture")
    return facts.picture


def _target(task: ComposeTask, pictures: Sequence[Picture]) -> Target:
    first = pictures[0]
    rate = Fraction(task.frame_rate) if task.frame_rate else _rate(first)
    color = _color(pictures)
    if task.width:
        return Target(task.width, task.height, rate, color)
    seen = upright(first.width, first.height, first.ratio, first.turned)
    width, height = (max(2, side // 2 * 2) for side in seen)
    return Target(width, height, rate, color)


def _color(pictures: Sequence[Picture]) -> Color:
    """Return the first clip's colours where they are those of a film; stills take on what they are.

    A full range is not; what has a high dynamic range is brought to BT.709, and so is RGB and what
    else has no matrix that frames are brought to.
    """
    first = next((picture for picture in pictures if not picture.still), None)
    if first is None:
        return UNKNOWN
    foreign = first.color.matrix not in {UNKNOWN.matrix, *MATRICES}
    if foreign or first.color.transfer in HIGH_DYNAMIC:
        return BT709
    return first.color._replace(full=False)


def _rate(first: Picture) -> Fraction:
    """Return the first clip's rate, the nearest usual one where it is uneven."""
    if first.still:
        return Fraction(25)
    if first.rate is not None and first.rate <= _MAX_RATE:
        return first.rate
    return min(_RATES, key=lambda rate: abs(rate - first.average_rate))


def _length(clip: Clip, picture: Picture, number: int) -> Length:
    """Return how long a clip lasts in the cut."""
    stands = Fraction(clip.hold_seconds)
    wanted = None if clip.duration_seconds is None else Fraction(clip.duration_seconds)
    if picture.still:
        if wanted is None:
            raise InvalidArgument(f"clips[{number}].duration", "is needed for a picture")
        return Length(wanted, stands)
    left = picture.length - Fraction(clip.start_seconds)
    if left <= 0:
        message = f"lies behind the clip's end: it lasts {picture.seconds:.3f} s"
        raise InvalidArgument(f"clips[{number}].start", message)
    if wanted is not None and wanted > left + _STANDS:
        message = f"the clip has no more than {float(left):.3f} s from there"
        raise InvalidArgument(f"clips[{number}].duration", message)
    return Length(left if wanted is None else wanted, stands)


def _shared(task: ComposeTask, pictures: Sequence[Picture], target: Target) -> ParameterSets | None:
    """Return the parameter sets that most of the clips share which could be copied."""
    if task.encoding is Encoding.FULL:
        return None
    usable = Counter(
        picture.parameters
        for picture in pictures
        if picture.parameters
        and (picture.width, picture.height) == (target.width, target.height)
        and picture.rate == target.rate
        and picture.pixels == FORMAT
        and picture.ratio == SQUARE
        and _alike(picture.color, target)
        and not picture.turned
    )
    return max(usable, key=lambda each: usable[each], default=None)


def _alike(color: Color, target: Target) -> bool:
    """Whether numbers mean the film's colours as they are; what is not said is no difference."""
    if color.full or color.transfer in HIGH_DYNAMIC:
        return False
    if color.matrix not in {UNKNOWN.matrix, target.matrix}:
        return False
    pairs = zip(color[:2], target.color[:2], strict=True)
    return all(one == other or UNKNOWN.matrix in {one, other} for one, other in pairs)


def _copyable(clip: Clip, picture: Picture, place: Placed, target: Target) -> Copyable | None:
    """Return where a clip can be cut, counted from its first frame in the cut."""
    skipped = clip.start_seconds * target.rate
    first = round(skipped)
    if abs(skipped - first) > 0.01:
        return None
    keys = [key - first for key in picture.keys if key >= first]
    ends = frozenset(end - first for end in picture.ends if first <= end <= first + place.runs)
    return Copyable(keys, ends)
