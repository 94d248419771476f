"""CLIP tells how much a picture looks like words, or another: their cosine in a shared space."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder, Score
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.sampling import load_model, load_words


class Clip:
    """Compares the picture `files["image"]` with the prompt, or with the picture `files["beside"]`.

    -1 to 1. A picture is like its words above about 0.25; two of the same subject have about 0.8,
    of unlike ones about 0.5.
    """

    name = "clip"
    operation = Operation.CHECK
    classes = frozenset({"CLIPModel"})
    longest = 0
    overlap = 0
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return `asked`."""
        return asked

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs: one small picture and one line."""
        return Footprint(parameters=facts.parameters, denoise=GIB // 4, decode=0, decode_tiled=0)

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it with what turns pictures and words into numbers."""
        model = load_model(source, plan, "CLIPModel")
        return Resident(
            pipeline=model,
            source=source,
            plan=plan,
            parts={"ready": load_words(source, "AutoProcessor")},
        )

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return the cosine; words beyond what the model reads are left out."""
        on_step(0, 1)
        names = ("image", "beside") if "beside" in order.files else ("image",)
        pictures = [_opened(order.files[name]) for name in names]
        cosine = (_beside if len(pictures) > 1 else _worded)(resident, order, pictures)
        on_step(1, 1)
        return [Score(value=cosine)]


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB")


def _worded(resident: Resident, order: RunOrder, pictures: list[Image.Image]) -> float:
    import torch

    model, ready = resident.pipeline, resident.parts["ready"]
    given = ready(
        text=[order.prompts[0]],
        images=pictures,
        return_tensors="pt",
        padding=True,
        truncation=True,
        max_length=model.config.text_config.max_position_embeddings,
    )
    with torch.inference_mode():
        found = model(
            input_ids=given.input_ids.to(model.device),
            attention_mask=given.attention_mask.to(model.device),
            pixel_values=given.pixel_values.to(model.device, model.dtype),
        )
    return float((found.image_embeds.float() * found.text_embeds.float()).sum())


def _beside(resident: Resident, order: RunOrder, pictures: list[Image.Image]) -> float:
    """Return the cosine of two pictures: what `CLIPModel` itself does with one, without words."""
    import torch

    model, ready = resident.pipeline, resident.parts["ready"]
    pixels = ready(images=pictures, return_tensors="pt").pixel_values
    with torch.inference_mode():
        pooled = model.vision_model(pixel_values=pixels.to(model.device, model.dtype)).pooler_output
        one, other = model.visual_projection(pooled).float()
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))
