"""For every field of GenerateVideoRequest: values that cannot work, what the answer must name."""

from dataclasses import dataclass
from typing import Any

from google.protobuf import duration_pb2, struct_pb2
from google.type import money_pb2

from reelmesh.orchestrator.v1 import video_service_pb2 as pb


@dataclass(frozen=True)
class Wrong:
    """A value, the field that the violation names, and words that the violation must hold."""

    value: Any
    named: str
    words: tuple[str, ...]


def seconds(amount: float) -> duration_pb2.Duration:
    whole = int(amount)
    return duration_pb2.Duration(seconds=whole, nanos=round((amount - whole) * 1e9))


def dollars(units: int, nanos: int = 0, currency: str = "USD") -> money_pb2.Money:
    return money_pb2.Money(currency_code=currency, units=units, nanos=nanos)


def options(**values: Any) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def picture(**source: Any) -> pb.ImageInput:
    return pb.ImageInput(**source)


NO_VALUE: Any = 99
NOT_A_NUMBER = struct_pb2.Struct(fields={"first": struct_pb2.Value(number_value=float("nan"))})
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "4:5", "5:4", "3:2", "2:3", "9:21")
RESOLUTIONS = ("480p", "540p", "720p", "1080p", "1440p", "2160p")
MOTIONS = ("static", "pan_left", "tilt_down", "zoom_out", "dolly_in", "tracking", "orbit", "crane")

WRONG: dict[str, list[Wrong]] = {
    "prompt": [
        Wrong("", "prompt", ("1 to 20000",)),
        Wrong(" \n\t", "prompt", ("1 to 20000",)),
        Wrong("x" * 20_001, "prompt", ("20000",)),
        Wrong("a\0b", "prompt", ("NUL",)),
    ],
    "model": [
        Wrong("no_such_model", "model", ("auto", "first_model", "second_model")),
        Wrong("../first_model", "model", ("[A-Za-z0-9._-]{1,128}",)),
    ],
    "variations": [Wrong(9, "variations", ("1 to 8",)), Wrong(-1, "variations", ("1 to 8",))],
    "tenant_name": [Wrong("other", "tenant_name", ("acme",))],
    "creative_id": [
        Wrong("a/../b", "creative_id", ("[A-Za-z0-9._-]{1,128}",)),
        Wrong("x" * 129, "creative_id", ("[A-Za-z0-9._-]{1,128}",)),
        Wrong("a\0b", "creative_id", ("NUL",)),
    ],
    "request_id": [
        Wrong("x" * 129, "request_id", ("128",)),
        Wrong("a\0b", "request_id", ("NUL",)),
    ],
    "negative_prompt": [Wrong("x" * 5001, "negative_prompt", ("5000",))],
    "duration": [
        Wrong(seconds(0), "duration", ("1 s to 60 s",)),
        Wrong(seconds(-3), "duration", ("1 s to 60 s",)),
        Wrong(seconds(0.5), "duration", ("1 s to 60 s",)),
        Wrong(seconds(60.5), "duration", ("1 s to 60 s",)),
        Wrong(duration_pb2.Duration(seconds=1 << 62), "duration", ("1 s to 60 s",)),
    ],
    "video": [
        Wrong(pb.VideoInput(), "video", ("asset", "uri")),
        Wrong(pb.VideoInput(asset="../a"), "video.asset", ("assets/{id}",)),
        Wrong(pb.VideoInput(uri="file:///etc/passwd"), "video.uri", ("https://",)),
        Wrong(pb.VideoInput(asset="assets/a"), "operation", ("OPERATION_EXTEND",)),
    ],
    "operation": [
        Wrong(99, "operation", ("EXTEND", "LIP_SYNC")),
        Wrong(pb.OPERATION_EXTEND, "video", ("the clip to extend",)),
    ],
    "aspect_ratio": [Wrong("17:3", "aspect_ratio", RATIOS)],
    "resolution": [Wrong("8k", "resolution", RESOLUTIONS)],
    "fps": [Wrong(61, "fps", ("1 to 60",)), Wrong(-1, "fps", ("1 to 60",))],
    "seed": [
        Wrong(-1, "seed", ("0 to 4294967295",)),
        Wrong(1 << 32, "seed", ("0 to 4294967295",)),
    ],
    "style": [Wrong("x" * 65, "style", ("64",))],
    "camera_motion": [Wrong("wobble", "camera_motion", MOTIONS)],
    "image": [
        Wrong(picture(), "image", ("asset", "uri", "data")),
        Wrong(picture(asset="videoJobs/1"), "image.asset", ("assets/{id}",)),
        Wrong(picture(uri="file:///etc/passwd"), "image.uri", ("https://",)),
        Wrong(picture(data=b"GIF89a"), "image.data", ("PNG", "JPEG", "WebP")),
        Wrong(picture(data=b"\xff\xd8\xff" + bytes(3 << 20)), "image.data", ("3 MiB",)),
    ],
    "last_image": [
        Wrong(picture(), "last_image", ("asset", "uri", "data")),
        Wrong(picture(asset="x"), "last_image.asset", ("assets/{id}",)),
    ],
    "enhance": [Wrong(99, "enhance", ("AUTO", "ON", "OFF"))],
    "fit": [Wrong(99, "fit", ("STRICT", "NEAREST"))],
    "routing": [
        Wrong(pb.Routing(objective=NO_VALUE), "routing.objective", ("COST", "LATENCY", "QUALITY")),
        Wrong(pb.Routing(min_quality=NO_VALUE), "routing.min_quality", ("DRAFT", "HIGH")),
        Wrong(pb.Routing(order=["a b"]), "routing.order", ("[A-Za-z0-9._-]{1,128}",)),
        Wrong(pb.Routing(allow=["a b"]), "routing.allow", ("[A-Za-z0-9._-]{1,128}",)),
        Wrong(pb.Routing(deny=["a/b"]), "routing.deny", ("[A-Za-z0-9._-]{1,128}",)),
        Wrong(pb.Routing(allow=["a"], deny=["a"]), "routing.deny", ("allowed and denied",)),
        Wrong(pb.Routing(max_price=dollars(-1)), "routing.max_price", ("0.00 USD or more",)),
    ],
    "cache": [
        Wrong(pb.CacheOptions(mode=NO_VALUE), "cache.mode", ("DEFAULT", "OFF", "PROGRESSIVE")),
        Wrong(pb.CacheOptions(min_similarity=1.1), "cache.min_similarity", ("0.0 to 1.0",)),
        Wrong(
            pb.CacheOptions(min_similarity=float("nan")), "cache.min_similarity", ("0.0 to 1.0",)
        ),
    ],
    "project": [
        Wrong("x" * 129, "project", ("128",)),
        Wrong("a\0b", "project", ("NUL",)),
    ],
    "budget_limit": [
        Wrong(dollars(-1), "budget_limit", ("0.00 USD or more",)),
        Wrong(dollars(1, currency="EUR"), "budget_limit.currency_code", ("USD",)),
        Wrong(dollars(0, nanos=1), "budget_limit.nanos", ("multiples of 1000",)),
    ],
    "language": [Wrong("fr", "language", ("en", "sw"))],
    "facets": [
        Wrong(pb.VideoFacets(characters=["x"] * 33), "facets.characters", ("32",)),
        Wrong(pb.VideoFacets(landscapes=["x" * 129]), "facets.landscapes", ("128",)),
        Wrong(pb.VideoFacets(mood="x" * 129), "facets.mood", ("128",)),
    ],
    "labels": [
        Wrong({str(n): "v" for n in range(33)}, "labels", ("32",)),
        Wrong({"k": "x" * 129}, "labels", ("128",)),
        Wrong({"x" * 129: "v"}, "labels", ("128",)),
    ],
    "options": [
        Wrong(options(first={"blob": "x" * (16 << 10)}), "options", ("16 KiB",)),
        Wrong(options(first={"text": "a\0b"}), "options", ("NUL",)),
        Wrong(NOT_A_NUMBER, "options", ("finite numbers",)),
    ],
    "template": [Wrong("x" * 129, "template", ("128",)), Wrong("a\0b", "template", ("NUL",))],
    "template_values": [Wrong({"who": "a fox"}, "template_values", ("template",))],
    "preset": [Wrong("x" * 129, "preset", ("128",))],
    "packs": [Wrong([str(n) for n in range(17)], "packs", ("16",))],
}
CASES = [(name, wrong) for name, cases in WRONG.items() for wrong in cases]
