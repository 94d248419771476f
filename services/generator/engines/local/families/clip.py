"""CLIP tells how much a picture looks like words: the cosine of the two in the space they share."""

from collections.abc import Sequence

from PIL import Image

from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import GIB, Footprint, Plan
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder, Score
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.sampling import load_model, load_words


class Clip:
    """Compares the picture `files["image"]` with the prompt; -1 to 1, alike above about 0.25."""

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
        import torch

        on_step(0, 1)
        model, ready = resident.pipeline, resident.parts["ready"]
        with Image.open(order.files["image"]) as opened:
            given = ready(
                text=[order.prompts[0]],
                images=[opened.convert("RGB")],
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
        cosine = (found.image_embeds.float() * found.text_embeds.float()).sum()
        on_step(1, 1)
        return [Score(value=float(cosine))]
