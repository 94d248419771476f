"""A PromptService that takes the words as they are."""

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2, prompt_service_pb2_grpc


class FakePromptService(prompt_service_pb2_grpc.PromptServiceServicer):
    """Echoes what the caller has set; counts the calls."""

    def __init__(self) -> None:
        self.calls = 0

    async def QuantifyPrompt(self, request, context):
        self.calls += 1
        said = prompt_pb2.QuantifiedPrompt(
            prompt=request.prompt,
            language="en",
            parameters=request.parameters,
            source="rules",
        )
        return prompt_service_pb2.QuantifyPromptResponse(quantified_prompt=said)

    async def CompilePrompt(self, request, context):
        return prompt_service_pb2.CompilePromptResponse(quantified_prompt=request.quantified_prompt)
