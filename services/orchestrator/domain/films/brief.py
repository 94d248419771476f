"""What a caller wants of a film as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.characters import (
    Cast,
    CharacterSheet,
    require_one_each,
)
from services.orchestrator.domain.films.likeness import LikenessWish
from services.orchestrator.domain.films.presets import Preset, preset_named
from services.orchestrator.domain.films.shots import PROVIDED, TRANSITIONS, Shot
from services.orchestrator.domain.films.strategy import StrategyType, VisualApproach
from services.orchestrator.domain.films.wording import FilmWording
from services.orchestrator.domain.options import (
    check_identifier,
    check_not_negative,
    check_one_of,
    check_text,
)
from services.orchestrator.domain.request import ASPECT_RATIOS, LANGUAGES, RESOLUTIONS

DEFAULT_CONCURRENCY = 3
MAX_CONCURRENCY = 10
# Kinds of task that a caller may name a model for.
NAMEABLE = (*PROVIDED, "music", "sound", "upscale")
# What is asked for where clips are made twice as large afterwards.
_SMALLER = {"720p": "480p", "1080p": "540p", "1440p": "720p", "2160p": "1080p"}


@dataclass(frozen=True, kw_only=True)
class FilmBrief:
    """A film's settings. "" leaves the choice to the preset or the rules.

    Nothing is begun before `start_time`, nor after `latest_start_time`. `wording` is what became of
    template, style preset and packs when the film was planned, `cast` of its `characters` and of
    those that the tenant's films had before, held against their pictures by `consistency`, None for
    as this deployment has it. `picked` says that the caller left the preset to us.
    """

    title: str = ""
    preset: str = ""
    providers: Mapping[str, str] = field(default_factory=dict)
    budget_limit_micros: int | None = None
    mode: str = ""
    visual_approach: str = ""
    concurrency: int = 0
    use_cache: bool = True
    language: str = "en"
    creative_id: str = ""
    project: str = ""
    require_approval: bool = False
    aspect_ratio: str = "16:9"
    resolution: str = "720p"
    fps: int = 24
    transition: str = ""
    music: str = ""
    captions: str = ""
    placeholder: bool | None = None
    upscale: bool = False
    thumbnail: bool = False
    template: str = ""
    template_values: Mapping[str, str] = field(default_factory=dict)
    style_preset: str = ""
    packs: tuple[str, ...] = ()
    wording: FilmWording = field(default_factory=FilmWording)
    characters: tuple[CharacterSheet, ...] = ()
    consistency: LikenessWish | None = None
    cast: Cast = field(default_factory=Cast)
    picked: bool = False
    start_time: datetime | None = None
    latest_start_time: datetime | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument naming the field that cannot work."""
        preset_named(self.preset)
        check_one_of("mode", self.mode, list(StrategyType))
        check_one_of("visual_approach", self.visual_approach, list(VisualApproach))
        check_one_of("language", self.language, LANGUAGES)
        check_one_of("aspect_ratio", self.aspect_ratio, ASPECT_RATIOS)
        check_one_of("resolution", self.resolution, RESOLUTIONS)
        check_one_of("transition", self.transition, TRANSITIONS)
        check_one_of("captions", self.captions, ("burn", "attach", "off"))
        check_not_negative("budget_limit", self.budget_limit_micros)
        check_identifier("creative_id", self.creative_id)
        check_text("project", self.project, 128)
        check_text("title", self.title, 256)
        check_text("music", self.music, 500)
        check_text("template", self.template, 128)
        check_text("style_preset", self.style_preset, 128)
        if self.template_values and not self.template:
            raise InvalidArgument("template_values", "need a template", allowed=("leave it out",))
        if self.latest_start_time and self.start_time and self.latest_start_time < self.start_time:
            raise InvalidArgument(
                "latest_start_time", "is before start_time", allowed=("a later time",)
            )
        require_one_each(self.characters, "characters")
        for kind, model in self.providers.items():
            check_one_of("providers", kind, NAMEABLE)
            check_identifier(f"providers[{kind}]", model)
        if not 0 <= self.concurrency <= MAX_CONCURRENCY:
            raise InvalidArgument(
                "concurrency", "is out of range", allowed=(f"0 to {MAX_CONCURRENCY}; 0 means 3",)
            )
        if not 8 <= self.fps <= 60:
            raise InvalidArgument("fps", "is out of range", allowed=("8 to 60",))

    def missed(self, ordered: datetime, now: datetime) -> bool:
        """Whether a run that was ordered then waited until its latest start had passed.

        One that is ordered after that hour, by who resumes the film, begins all the same.
        """
        latest = self.latest_start_time
        return latest is not None and ordered <= latest < now

    @property
    def rules(self) -> Preset:
        """The preset that it is made by."""
        return preset_named(self.preset)

    @property
    def words_stay(self) -> bool:
        """Whether its words are shown to no endpoint either: by its caller's own wish alone.

        A film that is offline because no vendor can be reached was never asked to be kept private.
        """
        return self.rules.offline and not self.picked

    @property
    def width(self) -> int:
        """How many tasks run at once at most."""
        return self.concurrency or DEFAULT_CONCURRENCY

    @property
    def asked_resolution(self) -> str:
        """The resolution that clips are asked for: a smaller one where they are enlarged later."""
        return _SMALLER.get(self.resolution, self.resolution) if self.upscale else self.resolution

    @property
    def with_captions(self) -> bool:
        """Whether there are captions."""
        return self.captions != "off" and (self.captions != "" or self.rules.captions)

    @property
    def with_music(self) -> str:
        """What the music is like; "" for none."""
        return "" if self.music == "off" else self.music or self.rules.music

    def clip_model(self, shot: Shot) -> str:
        """The model named for a shot's clip; "" for one in the background: what costs least.

        Where nothing costs less than the film's own model, `usecases.films.thrift` names that.
        """
        return "" if shot.thrifty else self.model_for("animation", shot.providers)

    def model_for(self, kind: str, own: Mapping[str, str]) -> str:
        """The model named for a kind of task: the shot's, the film's, the preset's, or ""."""
        return own.get(kind) or self.providers.get(kind) or self.rules.providers.get(kind, "")
