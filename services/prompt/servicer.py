"""PromptService over gRPC: convert in, one use case, convert out."""

from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from reelmesh.prompt.v1 import prompt_service_pb2 as pb
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceServicer
from services.common.identity import current_identity
from services.prompt.convert import analysis, feedback, prompts, scripts, templates
from services.prompt.domain.culture import Preset
from services.prompt.usecases.analyze import AnalyzePrompt
from services.prompt.usecases.break_down import BreakDownScript
from services.prompt.usecases.compile import CompilePrompt
from services.prompt.usecases.quantify import QuantifyPrompt
from services.prompt.usecases.regenerate import RegeneratePrompt
from services.prompt.usecases.templates import TemplateOrder, Templates

_SHARE = 0.7


@dataclass(frozen=True, kw_only=True)
class UseCases:
    """Everything that the service can do."""

    quantify: QuantifyPrompt
    compile: CompilePrompt
    analyze: AnalyzePrompt
    regenerate: RegeneratePrompt
    break_down: BreakDownScript
    presets: tuple[Preset, ...]
    packs: tuple[str, ...]
    templates: Templates


class PromptServicer(PromptServiceServicer):
    """Answers PromptService; errors become statuses in the interceptor."""

    def __init__(self, usecases: UseCases) -> None:
        self._do = usecases

    @override
    async def QuantifyPrompt(  # the name in the contract
        self, request: pb.QuantifyPromptRequest, context: Any
    ) -> pb.QuantifyPromptResponse:
        """Free text to typed parameters."""
        order = prompts.template_order_from(request)
        filled = await self._do.templates.fill(current_identity().tenant, order) if order else None
        quantified = await self._do.quantify(
            prompts.quantify_request_from(request, filled), patience=_patience(context)
        )
        return pb.QuantifyPromptResponse(quantified_prompt=prompts.quantified_to(quantified))

    @override
    async def CompilePrompt(  # the name in the contract
        self, request: pb.CompilePromptRequest, context: Any
    ) -> pb.CompilePromptResponse:
        """A prompt made ready for one model."""
        made = await self._do.compile(
            prompts.compile_request_from(request), patience=_patience(context)
        )
        return pb.CompilePromptResponse(quantified_prompt=prompts.quantified_to(made))

    @override
    async def RegeneratePrompt(  # the name in the contract
        self, request: pb.RegeneratePromptRequest, context: Any
    ) -> pb.RegeneratePromptResponse:
        """The next iteration of a prompt, with what changed and why."""
        made = await self._do.regenerate(
            feedback.regenerate_request_from(request), patience=_patience(context)
        )
        return feedback.regenerated_to(made)

    @override
    async def AnalyzePrompt(  # the name in the contract
        self, request: pb.AnalyzePromptRequest, context: Any
    ) -> pb.AnalyzePromptResponse:
        """The six keys of request analysis."""
        found = await self._do.analyze(analysis.analyze_request_from(request))
        return pb.AnalyzePromptResponse(analysis=analysis.analysis_to(found))

    @override
    async def BreakDownScript(  # the name in the contract
        self, request: pb.BreakDownScriptRequest, context: Any
    ) -> pb.BreakDownScriptResponse:
        """A script to scenes, shots and characters."""
        breakdown = await self._do.break_down(
            scripts.break_down_request_from(request), patience=_patience(context)
        )
        return pb.BreakDownScriptResponse(breakdown=scripts.breakdown_to(breakdown))

    @override
    async def CreateTemplate(  # the name in the contract
        self, request: pb.CreateTemplateRequest, context: Any
    ) -> pb.CreateTemplateResponse:
        """A template, or a new version of one."""
        wanted = templates.create_request_from(current_identity().tenant, request)
        made = await self._do.templates.create(wanted)
        return pb.CreateTemplateResponse(template=templates.template_to(made))

    @override
    async def ListTemplates(  # the name in the contract
        self, request: pb.ListTemplatesRequest, context: Any
    ) -> pb.ListTemplatesResponse:
        """The tenant's templates, newest version of each."""
        page = templates.page_from(request)
        found, after = await self._do.templates.list(current_identity().tenant, page)
        return pb.ListTemplatesResponse(
            templates=[templates.template_to(template) for template in found],
            next_page_token=templates.page_token(after),
        )

    @override
    async def FillTemplate(  # the name in the contract
        self, request: pb.FillTemplateRequest, context: Any
    ) -> pb.FillTemplateResponse:
        """A template's text, and the version that was used."""
        order = TemplateOrder(request.template, dict(request.template_values))
        filled = await self._do.templates.fill(current_identity().tenant, order)
        return pb.FillTemplateResponse(
            text=filled.text, template=templates.template_to(filled.template)
        )

    @override
    async def ListPresets(  # the name in the contract
        self, request: pb.ListPresetsRequest, context: Any
    ) -> pb.ListPresetsResponse:
        """The presets of all packs, by id, and the packs."""
        chosen = (p for p in self._do.presets if request.pack in {"", p.pack})
        ordered = sorted(chosen, key=lambda preset: preset.id)
        return pb.ListPresetsResponse(
            presets=[analysis.preset_to(preset) for preset in ordered], packs=self._do.packs
        )


def _patience(context: Any) -> float | None:
    """Seconds for a language model: the caller's deadline, less what rules need after it."""
    remaining: float | None = context.time_remaining()
    return None if remaining is None else remaining * _SHARE
