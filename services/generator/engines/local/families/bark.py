"""Bark: speech with laughter and sighs in it, in thirteen languages; about 13 s at once."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.voices import BARK_LANGUAGES, bark_text, language_of
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder, Sound
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.sampling import Tokens, load_model, load_words, noise
from services.generator.engines.local.tunes import sound

_MOST_LETTERS = 180  # about 13 s of speech, which is what its window holds
_PAUSE_SECONDS = 0.25
_SENTENCE = re.compile(r"[^.!?…。！？]+[.!?…。！？]*\s*")


class Bark:
    """A voice is one of the speakers that lie with the checkpoint, else whoever the seed draws."""

    name = "bark"
    operation = Operation.SPEECH
    classes = frozenset({"BarkModel"})
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
        """Load it with its tokenizer and speakers."""
        model = load_model(source, plan, "BarkModel")
        words = load_words(source, "AutoProcessor")
        return Resident(pipeline=model, source=source, plan=plan, parts={"words": words})

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one recording for each seed. Raises InvalidArgument."""
        language_of(order.language, {code: code for code in BARK_LANGUAGES}, "Bark")
        voice = _voice(resident.parts["words"], order.voice)
        return [
            self._said(resident, list(pieces(bark_text(text))), voice, seed, on_step)
            for text, seed in zip(order.prompts, order.seeds, strict=True)
        ]

    def _said(
        self, resident: Resident, texts: list[str], voice: Any, seed: int, on_step: OnStep
    ) -> Sound:
        if not texts:
            raise InvalidArgument("text", "has nothing in it that could be said")
        model, words = resident.pipeline, resident.parts["words"]
        rate = int(model.generation_config.sample_rate)
        each = int(model.generation_config.semantic_config["max_new_tokens"])
        tokens = Tokens(on_step, each * len(texts))
        said = []
        with noise(seed):
            for text in texts:
                given = words(text, voice_preset=voice).to(model.device)
                made = model.generate(**given, semantic_stopping_criteria=tokens.criteria())
                said.append(sound(made[0], rate).samples)
        tokens.finish()
        pause = np.zeros((1, round(_PAUSE_SECONDS * rate)), np.float32)
        parts = [part for each in said for part in (each, pause)][:-1]
        return Sound(samples=np.concatenate(parts, axis=1), rate=rate)


def pieces(text: str) -> Iterator[str]:
    """Yield sentences together, as many as fit into one window; a long one alone."""
    held = ""
    for sentence in _SENTENCE.findall(text):
        if held and len(held) + len(sentence) > _MOST_LETTERS:
            yield held.strip()
            held = ""
        held += sentence
    if held.strip():
        yield held.strip()


def _voice(words: Any, asked: str) -> str | None:
    """Return a speaker of the checkpoint's own; any other name would be opened as a file."""
    if not asked:
        return None
    speakers = words.speaker_embeddings or {}
    if asked not in speakers or asked == "repo_or_path":
        known = sorted(name for name in speakers if name != "repo_or_path")
        raise InvalidArgument("voice", f"Bark has no {asked} here", allowed=known)
    return asked
