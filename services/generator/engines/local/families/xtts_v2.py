"""XTTS-v2: a voice of one's own from six seconds of it, in seventeen languages.

Runs where coqui-tts and torchaudio are installed (docs/engines.md); weights as safetensors.
"""

from collections.abc import Sequence
from typing import Any

from services.common.errors import InvalidArgument, NoDevice
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.voices import XTTS_LANGUAGES, language_of, long_enough
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.probe import CheckpointFacts, Source, folder_of
from services.generator.engines.local.sampling import noise
from services.generator.engines.local.tunes import recording, sound

_RATE, _SAMPLE_RATE = 24_000, 22_050
_WEIGHTS = "model.safetensors"
_SPOKEN = {code.partition("-")[0]: code for code in XTTS_LANGUAGES}


class XttsV2:
    """Speaks with the voice in `files["voice"]`; the consent to it was looked at before."""

    name = "xtts_v2"
    operation = Operation.SPEECH
    classes = frozenset({"xtts"})
    longest = 0
    overlap = 0
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return `asked`: speech takes as long as it takes."""
        return asked

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs: the weights and a little over them."""
        return Footprint(parameters=facts.parameters, denoise=GIB, decode=GIB, decode_tiled=GIB)

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it. Raises NoDevice where coqui-tts is not installed."""
        try:
            from TTS.tts.configs.xtts_config import XttsConfig
            from TTS.tts.models.xtts import Xtts
        except ImportError as error:
            message = "XTTS-v2 needs coqui-tts and torchaudio, which are not installed here"
            raise NoDevice(message) from error
        from safetensors.torch import load_file

        folder, config = folder_of(source), XttsConfig()
        config.load_json(str(folder / "config.json"))
        model = Xtts.init_from_config(config)
        model.load_state_dict(load_file(folder / _WEIGHTS))
        return Resident(pipeline=model.to(plan.device.place).eval(), source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one recording for each seed. Raises InvalidArgument for a sample too short."""
        language = language_of(order.language, _SPOKEN, "XTTS-v2")
        latents, speaker = _voice(resident.pipeline, order)
        made: list[Output] = []
        for number, (text, seed) in enumerate(zip(order.prompts, order.seeds, strict=True)):
            on_step(number, len(order.prompts))
            with noise(seed):
                said = resident.pipeline.inference(
                    text, language, latents, speaker, speed=order.speed, do_sample=True
                )
            made.append(sound(said["wav"], _RATE))
        on_step(len(order.prompts), len(order.prompts))
        return made


def _voice(model: Any, order: RunOrder) -> tuple[Any, Any]:
    """Return what the model takes a voice to be. Raises InvalidArgument."""
    import torch

    path = order.files.get("voice")
    if path is None:
        raise InvalidArgument("voice", "a recording of the voice is needed")
    samples = recording(path, _SAMPLE_RATE, "voice")
    long_enough(samples.shape[0] / _SAMPLE_RATE)
    wave = torch.from_numpy(samples)[None].to(model.device)
    with torch.inference_mode():
        return (
            model.get_gpt_cond_latents(wave, _SAMPLE_RATE),
            model.get_speaker_embedding(wave, _SAMPLE_RATE),
        )
