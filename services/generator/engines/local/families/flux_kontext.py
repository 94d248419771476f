"""FLUX.1 Kontext: a picture from words and a picture that it follows, read beside what is made."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from services.generator.domain.shapes import Shape
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local import clips
from services.generator.engines.local.families.flux import Flux
from services.generator.engines.local.family import OnStep, Output, Resident, RunOrder
from services.generator.engines.local.loading import load_pipeline
from services.generator.engines.local.probe import CheckpointFacts, Source
from services.generator.engines.local.running import picture
from services.generator.engines.local.stills import in_common, stills

_STEPS, _GUIDANCE, _WORDS = 28, 2.5, 512


class FluxKontext(Flux):
    """The reference is not what denoising begins with: its tokens stand beside the noise's."""

    name = "flux_kontext"
    classes = frozenset({"FluxKontextPipeline"})

    @override
    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a run needs: twice the tokens, those of the reference among them."""
        alone = super().footprint(facts, shape)
        return replace(alone, denoise=2 * alone.denoise, reads=2)

    @override
    def load(self, source: Source, plan: Plan) -> Resident:
        """Load it once; it makes pictures without a reference as well."""
        made = load_pipeline(source, plan, class_name="FluxKontextPipeline")
        return Resident(pipeline=made, source=source, plan=plan)

    @override
    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return one picture for each seed, which all follow the same reference."""
        width, height = order.shape.width, order.shape.height
        given: dict[str, Any] = {
            **in_common(order, steps=_STEPS),
            "guidance_scale": clips.guided(order, _GUIDANCE),
            "max_sequence_length": _WORDS,
            "max_area": width * height,
            "_auto_resize": False,  # it would be brought to a megapixel, whatever is asked for
        }
        if path := order.files.get("image"):
            given["image"] = picture(path, width, height)
        return stills(resident.pipeline, given, on_step)
