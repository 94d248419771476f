"""What is asked of the video service for one shot. Pure."""

from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.options import (
    CacheMode,
    CacheOptions,
    Facets,
    Fit,
    ImageInput,
    Objective,
    Routing,
)
from services.orchestrator.domain.request import VideoRequest

MAX_FACETS = 32


def shot_request(
    brief: FilmBrief, shot: Shot, *, model: str = "", picture: str = "", again: bool = False
) -> VideoRequest:
    """The request for a shot's clip; `picture` is the asset that it begins with.

    `again` asks for something else than before: the cache is left out. Lengths and sizes may be
    the nearest that a model makes, because the cut brings every clip to the film's own. What
    a shot says of itself wins over the film's style preset and template.
    """
    cached = brief.use_cache and not again
    wording = brief.wording
    return VideoRequest(
        prompt=wording.put(_words(brief, shot), styled=bool(shot.styles)),
        style="" if shot.styles else wording.told("style", ""),
        packs=brief.packs,
        model=model or "auto",
        creative_id=brief.creative_id,
        negative_prompt=wording.told("negative_prompt", shot.negative_prompt),
        duration_seconds=shot.duration_seconds,
        aspect_ratio=brief.aspect_ratio,
        resolution=brief.asked_resolution,
        fps=brief.fps,
        seed=shot.seed,
        camera_motion=wording.told("camera_motion", shot.camera_motion),
        image=ImageInput(asset=picture) if picture else brief.cast.first_frame(shot),
        fit=Fit.NEAREST,
        routing=Routing(
            objective=Objective.COST if shot.thrifty else None,
            local_only=brief.words_stay,
            # Planned without vendors, it is not charged by one that can be reached again.
            allow_paid=brief.words_stay or not brief.rules.offline,
            allow_placeholder=brief.placeholder,
        ),
        cache=CacheOptions(mode=CacheMode.DEFAULT if cached else CacheMode.OFF),
        project=brief.project,
        language=brief.language,
        facets=facets_of(shot),
        options={"local": {"emotion": shot.emotion}} if shot.emotion else {},
    )


def frame_size(brief: FilmBrief) -> tuple[int, int]:
    """Width and height of the film in pixels, even: its resolution is that of the shorter side."""
    short = int(brief.resolution.removesuffix("p"))
    wide, high = (int(side) for side in brief.aspect_ratio.split(":"))
    long = round(short * max(wide, high) / min(wide, high) / 2) * 2
    return (long, short) if wide >= high else (short, long)


def facets_of(shot: Shot) -> Facets:
    """What the clip of a shot is found by."""
    return Facets(
        characters=shot.characters[:MAX_FACETS],
        landscapes=shot.landscapes[:MAX_FACETS],
        styles=shot.styles[:MAX_FACETS],
        mood=shot.mood,
        time_of_day=shot.time_of_day,
        shot_type=shot.shot_type,
    )


def _words(brief: FilmBrief, shot: Shot) -> str:
    """The prompt with the film's style, and with its people where they are not named in it."""
    styles = [s for s in (brief.rules.style, *shot.styles) if s and s not in shot.prompt]
    absent = [c for c in shot.characters if c.lower() not in shot.prompt.lower()]
    people = f"with {', '.join(absent)}" if absent else ""
    # What they look like is told to all: a picture and its words say the same.
    looks = brief.cast.looks(shot)
    # Models that follow no face's emotion read of it.
    face = f"faces show {shot.emotion}" if shot.emotion else ""
    parts = [shot.prompt, people, looks, face, ", ".join(styles)]
    return ". ".join(part for part in parts if part)
