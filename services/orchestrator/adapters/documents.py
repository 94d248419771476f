"""Jobs as JSON documents. Never protobuf, so that the wire may change alone."""

from pydantic import TypeAdapter

from services.orchestrator.domain.job import Job

_JOB = TypeAdapter(Job)


def dump(job: Job) -> bytes:
    """The job as JSON."""
    # Defaults are left out: a decision holds dozens of models with mostly empty fields.
    return _JOB.dump_json(job, exclude_defaults=True)


def load(document: bytes) -> Job:
    """The job from its JSON, checked field by field."""
    return _JOB.validate_json(document)
