"""Writes the document from the protos: ``python -m services.gateway.openapi PROTOS_DIR``."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from services.gateway.openapi.document import build

DOCUMENT = Path(__file__).with_name("openapi.json")


def render(protos: Path) -> str:
    """Return the document's text for the services of ``protos``; raises ``RuntimeError``."""
    import google.rpc  # noqa: PLC0415 - only this build step needs to know where its protos lie

    includes = [protos, *(Path(folder).parent.parent for folder in google.rpc.__path__)]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "set.binpb")
        arguments = [
            "protoc",
            *(f"-I{path}" for path in includes),
            f"-I{Path(protoc.__file__).parent / '_proto'}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={target}",
            "reelmesh/orchestrator/v1/video_service.proto",
            "reelmesh/orchestrator/v1/film_service.proto",
            "reelmesh/orchestrator/v1/budget_service.proto",
            "reelmesh/orchestrator/v1/policy_service.proto",
            "reelmesh/orchestrator/v1/cache_service.proto",
            "reelmesh/generator/v1/vendor_key_service.proto",
            "reelmesh/orchestrator/v1/comparison_service.proto",
            "reelmesh/orchestrator/v1/character_service.proto",
            "reelmesh/storage/v1/storage_service.proto",
        ]
        if protoc.main(arguments):
            message = f"protoc could not read {protos}"
            raise RuntimeError(message)
        files = FileDescriptorSet.FromString(target.read_bytes())
    document = build(files, version=importlib.metadata.version("reelmesh"))
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write ``openapi.json`` beside this file."""
    protos = Path(sys.argv[1] if len(sys.argv) > 1 else "protos")
    DOCUMENT.write_text(render(protos), encoding="utf-8")


if __name__ == "__main__":
    main()
