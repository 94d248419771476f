"""`/v1/videos` as Azure, vLLM-Omni, SGLang, FastVideo and LiteLLM speak it, each in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse, Response
from typing_extensions import override

from services.suite.simulator.faults import Fault
from services.suite.simulator.jobs import Job, Phase, View
from services.suite.simulator.settings import KEY_PREFIX
from services.suite.simulator.shape import Check, one_of, text
from services.suite.simulator.vendors.openai import STATUSES
from services.suite.simulator.vendors.openai_videos import FAULTS, Engine

if TYPE_CHECKING:
    from services.suite.simulator.asking import Ask, Why


class VLLMOmni(Engine):
    """vLLM-Omni: forms alone; a failed job answers with the failure's own HTTP status."""

    name: ClassVar[str] = "vllm_omni"
    plain_detail: ClassVar[bool] = False
    takes_json: ClassVar[bool] = False
    picture_fields: ClassVar[tuple[str, ...]] = ("image_reference",)
    clip_fields: ClassVar[tuple[str, ...]] = ("video_reference",)

    @override
    def shown(self, job: Job, seen: View) -> Response:
        body = self.told(job, seen)
        if seen.phase is Phase.FAILED:
            body["error"] = {"code": 500, "message": body["error"]["message"]}
            return JSONResponse(body, status_code=500)
        return JSONResponse(body)


class SGLang(Engine):
    """SGLang: never in progress, a deletion shows the job."""

    name: ClassVar[str] = "sglang"
    clip_fields: ClassVar[tuple[str, ...]] = ("video_url", "video_reference", "video_path")

    @override
    def word(self, seen: View) -> str:
        return "queued" if not seen.over else super().word(seen)

    @override
    def progress(self, seen: View) -> int:
        return 100 if seen.over else 0

    @override
    def deleted(self, job: Job) -> dict[str, Any]:
        return {**self.told(job, self.look(job)), "status": "deleted"}


class FastVideo(Engine):
    """FastVideo."""

    name: ClassVar[str] = "fastvideo"


class LiteLLM(Engine):
    """LiteLLM's proxy: a key is needed, and running is `processing`."""

    name: ClassVar[str] = "litellm"
    plain_detail: ClassVar[bool] = False

    @override
    def opens(self, ask: Ask) -> bool:
        own = ask.header("x-litellm-api-key").startswith(KEY_PREFIX)
        return own or ask.header("authorization").startswith(f"Bearer {KEY_PREFIX}")

    @override
    def word(self, seen: View) -> str:
        return "processing" if seen.phase is Phase.RUNNING else super().word(seen)


class Azure(Engine):
    """Sora on Azure: its key in `api-key`, its few lengths and sizes, a price."""

    name: ClassVar[str] = "azure"
    prefix: ClassVar[str] = "azure/openai"
    faults: ClassVar[frozenset[Fault]] = FAULTS | {Fault.QUOTA, Fault.RATE_LIMITED}
    statuses: ClassVar[dict[Why, int]] = STATUSES
    plain_detail: ClassVar[bool] = False
    picture_fields: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[dict[str, Check]] = {
        "prompt": text(32_000, shortest=1),
        "model": text(),
        "seconds": one_of("4", "8", "12"),
        "size": one_of("720x1280", "1280x720"),
    }

    @override
    def opens(self, ask: Ask) -> bool:
        return ask.header("api-key").startswith(KEY_PREFIX)

    @override
    def price(self, ask: Ask) -> int:
        return 100_000 * int(ask.body.get("seconds", "4"))
