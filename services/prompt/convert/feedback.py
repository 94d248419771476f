"""Regenerations."""

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from services.prompt.convert.prompts import quantified_from, quantified_to, wire_name
from services.prompt.domain.feedback import Regenerated, RegenerateRequest


def regenerate_request_from(
    message: prompt_service_pb2.RegeneratePromptRequest,
) -> RegenerateRequest:
    """The request; iteration 0 means 1."""
    return RegenerateRequest(
        previous=quantified_from(message.previous),
        feedback=message.feedback,
        iteration=message.iteration or 1,
        creative_id=message.creative_id,
        rules_only=message.rules_only,
    )


def regenerated_to(regenerated: Regenerated) -> prompt_service_pb2.RegeneratePromptResponse:
    """The answer."""
    return prompt_service_pb2.RegeneratePromptResponse(
        quantified_prompt=quantified_to(regenerated.quantified),
        iteration=regenerated.iteration,
        parent_iteration=regenerated.parent_iteration,
        changes=[
            prompt_pb2.PromptChange(
                field=wire_name(change.field),
                before=change.before,
                after=change.after,
                because=change.because,
            )
            for change in regenerated.changes
        ],
        creative_id=regenerated.creative_id,
        not_understood=regenerated.not_understood,
    )
