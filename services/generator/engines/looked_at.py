"""How much pictures look like their words, or like another picture, where a model can tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from services.generator.domain.facts import Finding, Quality
from services.generator.domain.sentences import found_wrong

MATCH, LIKENESS = "prompt_match", "likeness"
# CLIPScore (Hessel et al. 2021, equation 1): 2.5 times the cosine, at least 0.
_SCALE = 2.5
# Pictures of something else lie below it, those of the words well above.
_POOR = 0.5
_WORST, _LEAST_SHARE = 0.4, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A still of a clip of the cut, the words for it, and where the clip lies; seconds."""

    number: int
    picture: str
    words: str
    start: float
    seconds: float


class Sees(Protocol):
    """Whoever can tell how much a picture looks like words."""

    async def likeness(self, identifier: str, picture: Path, words: str) -> float | None:
        """Return the cosine of picture and words, -1 to 1; None where it cannot tell."""

    async def resemblance(self, identifier: str, picture: Path, beside: Path) -> float | None:
        """Return the cosine of the two pictures, -1 to 1; None where it cannot tell."""


async def compared(
    seeing: Sees | None, identifier: str, seen: str, beside: str, quality: Quality
) -> Quality:
    """Return the quality with how much the picture at `seen` looks like the one `beside` it.

    It is the cosine of the two, at least 0 (CLIP-I of Ruiz et al. 2023, DreamBooth), and takes
    nothing off the score. Where nobody can tell, it is named as not measured.
    """
    name = f"{identifier}-beside"
    cosine = await seeing.resemblance(name, Path(seen), Path(beside)) if seeing and seen else None
    if cosine is None:
        return replace(quality, not_measured=(*quality.not_measured, LIKENESS))
    return replace(quality, likeness=round(min(1.0, max(0.0, cosine)), 4))


async def looked_at(
    seeing: Sees | None, identifier: str, shown: Sequence[Shown], quality: Quality
) -> Quality:
    """Return the quality with how much each still looks like its words.

    Where that cannot be told of one, it is named as not measured, and takes nothing off the score.
    """
    found: list[tuple[Shown, float]] = []
    for each in shown:
        name = f"{identifier}-seen-{each.number}"
        cosine = await seeing.likeness(name, Path(each.picture), each.words) if seeing else None
        if cosine is not None:
            found.append((each, min(1.0, max(0.0, _SCALE * cosine))))
    if not found or len(found) < len(shown):
        quality = replace(quality, not_measured=(*quality.not_measured, MATCH))
    return judged(quality, found) if found else quality


def judged(quality: Quality, found: Sequence[tuple[Shown, float]]) -> Quality:
    """Return the quality with these matches, 0 to 1; a poor one takes off by its share of them."""
    whole = sum(shown.seconds for shown, _ in found)
    poor = [_poor(shown, match, whole) for shown, match in found if match < _POOR]
    findings = sorted((*quality.findings, *poor), key=lambda f: (-f.penalty, f.start_seconds))
    score = quality.score - sum(each.penalty for each in poor)
    return replace(
        quality,
        score=round(max(0.0, score), 4),
        findings=tuple(findings),
        prompt_match=round(sum(match for _, match in found) / len(found), 4),
    )


def _poor(shown: Shown, match: float, whole: float) -> Finding:
    share = max(_LEAST_SHARE, shown.seconds / whole)
    told = found_wrong("off_prompt", number=shown.number + 1, match=f"{match:.2f}")
    return Finding(
        kind="off_prompt",
        start_seconds=round(shown.start, 3),
        duration_seconds=round(shown.seconds, 3),
        penalty=round(_WORST * share, 4),
        explanation=told,
    )
