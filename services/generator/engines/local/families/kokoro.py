"""Kokoro 82M through kokoro-onnx: fast speech on a processor, in nine languages."""

from collections.abc import Iterator, Sequence
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.voices import KOKORO_LANGUAGES, language_of
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder, Sound
from services.generator.engines.local.probe import CheckpointFacts, Source, folder_of
from services.generator.media.words import is_sound, split, spoken

_SLOWEST, _FASTEST = 0.5, 2.0
_DEFAULTS = {"en-us": "af_heart", "en-gb": "bf_emma", "es": "ef_dora", "fr-fr": "ff_siwis",
             "hi": "hf_alpha", "it": "if_sara", "ja": "jf_alpha", "pt-br": "pf_dora",
             "cmn": "zf_xiaobei"}  # fmt: skip


class Kokoro:
    """A folder with kokoro-v1.0.onnx and voices-v1.0.bin, under any names that end so."""

    name = "kokoro"
    operation = Operation.SPEECH
    classes = frozenset({"KokoroOnnx"})
    longest = 0
    overlap = 0
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return `asked`: speech takes as long as it takes."""
        return asked

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs."""
        return Footprint(parameters=facts.parameters, denoise=GIB // 4, decode=0, decode_tiled=0)

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load the graph and the voices."""
        from kokoro_onnx import Kokoro as Model

        folder = folder_of(source)
        graph, voices = next(folder.glob("*.onnx")), next(folder.glob("*.bin"))
        return Resident(pipeline=Model(str(graph), str(voices)), source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one recording for each text; there is no chance in it, so seeds change nothing.

        Raises InvalidArgument for a language, a voice or a speed that it does not have.
        """
        language = language_of(order.language, KOKORO_LANGUAGES, "Kokoro")
        if not _SLOWEST <= order.speed <= _FASTEST:
            message = f"must lie between {_SLOWEST} and {_FASTEST:g}"
            raise InvalidArgument("speed", message)
        voice = _voice(resident.pipeline.get_voices(), order.voice, language)
        made = []
        for number, text in enumerate(order.prompts):
            on_step(number, len(order.prompts))
            made.append(_said(resident.pipeline, text, voice, order.speed, language))
        on_step(len(order.prompts), len(order.prompts))
        return made


def _said(model: Any, text: str, voice: str, speed: float, language: str) -> Sound:
    plain = spoken(text)
    if not any(is_sound(word) for word in split(plain)):
        raise InvalidArgument("text", "has no word that could be spoken")
    samples, rate, timings = model.create_timed(plain, voice=voice, speed=speed, lang=language)
    return Sound(samples=samples[None], rate=rate, words=tuple(_words(plain, timings)))


def _words(text: str, timings: Sequence[Any]) -> Iterator[tuple[str, float, float]]:
    """Yield each word's time where the graph tells it of phonemes and both count the same words."""
    groups: list[list[Any]] = [[]]
    for timing in timings:
        if timing.phoneme.isspace():
            groups.append([])
        elif timing.phoneme.isalpha() or groups[-1]:
            groups[-1].append(timing)
    heard = [group for group in groups if group]
    words = [word for word in split(text) if is_sound(word)]
    if len(heard) == len(words):
        for word, group in zip(words, heard, strict=True):
            yield word, group[0].start, group[-1].end


def _voice(known: Sequence[str], asked: str, language: str) -> str:
    if asked and asked not in known:
        raise InvalidArgument("voice", f"Kokoro has no {asked}", allowed=sorted(known))
    default = _DEFAULTS[language]
    return asked or (default if default in known else sorted(known)[0])
