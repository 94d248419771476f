"""The shape of a culture pack's file and of a presets file."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from services.prompt.domain.culture import Element, Pack, Preset, Respect
from services.prompt.domain.parameters import VideoParameters
from services.prompt.packs.schema import any_of


class Translated(BaseModel):
    """A text in every language that the service speaks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str
    sw: str

    def texts(self) -> dict[str, str]:
        """By language tag."""
        return {"en": self.en, "sw": self.sw}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ElementFile(_Strict):
    """One element of a pack."""

    kind: Literal["place", "wildlife", "people", "dress", "food", "season", "word"]
    words: list[str]
    phrase: Translated


class RespectFile(_Strict):
    """Wording that hurts, and what to say instead."""

    words: list[str]
    instead: Translated


class PresetParameters(_Strict):
    """Parameters that a preset sets."""

    style: str = ""
    quality: str = ""
    aspect_ratio: str = ""
    resolution: str = ""
    fps: int = 0
    camera_motion: str = ""
    shot_type: str = ""
    mood: str = ""
    time_of_day: str = ""
    landscapes: tuple[str, ...] = ()


class PresetFile(_Strict):
    """One preset."""

    kind: Literal["style", "film", "culture"] = "culture"
    display_name: Translated
    phrase: Translated
    parameters: PresetParameters = PresetParameters()

    @field_validator("parameters")
    @classmethod
    def _make_a_video(cls, parameters: PresetParameters) -> PresetParameters:
        VideoParameters(**parameters.model_dump())
        return parameters

    def preset(self, name: str, pack: str) -> Preset:
        """As the domain sees it."""
        return Preset(
            name,
            self.kind,
            pack,
            self.display_name.texts(),
            self.phrase.texts(),
            VideoParameters(**self.parameters.model_dump()),
        )


class PackFile(_Strict):
    """`packs/culture/<id>.yaml`, or `packs/presets/<id>.yaml` with presets alone."""

    pack: str
    name: Translated | None = None
    asks: list[str] = []
    elements: dict[str, ElementFile] = {}
    respectful: list[RespectFile] = []
    presets: dict[str, PresetFile] = {}

    def culture(self) -> Pack:
        """As the domain sees it."""
        return Pack(
            self.pack,
            any_of(self.asks or ["(?!)"]),
            tuple(
                Element(name, e.kind, any_of(e.words), e.phrase.texts())
                for name, e in self.elements.items()
            ),
            tuple(Respect(any_of(r.words), r.instead.texts()) for r in self.respectful),
        )

    def all_presets(self) -> tuple[Preset, ...]:
        """The presets, in the order of the file."""
        return tuple(file.preset(name, self.pack) for name, file in self.presets.items())
