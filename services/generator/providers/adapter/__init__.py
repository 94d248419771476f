"""What every provider adapter is made of.

An adapter translates and does nothing else: it turns a submission into a `Call`, and a vendor's
`Reply` into a closed set of answers. It never sends, waits, loops, logs, retries or reads the
environment; `client.py` does the sending.
"""

from services.generator.domain.tasks import Json
from services.generator.providers.adapter.contract import (
    Accepted,
    Call,
    Failed,
    Outcome,
    Output,
    Part,
    Reply,
    Running,
    Submission,
    Succeeded,
    Update,
)
from services.generator.providers.adapter.faults import (
    Fault,
    error_of,
    fault_of_status,
    sounds_moderated,
    text_of,
)
from services.generator.providers.adapter.google_account import GoogleAccount
from services.generator.providers.adapter.magic import media_type_of
from services.generator.providers.adapter.reading import (
    at,
    cash_micros,
    decoded,
    first_text,
    items,
    media_urls,
    number,
    text,
    whole,
)
from services.generator.providers.adapter.spoken import words_of
from services.generator.providers.adapter.uploads import Place, Uploads
from services.generator.providers.adapter.vendor import (
    Adapter,
    KeySigned,
    SecretSigned,
    Signature,
    SignIn,
    billed_by_fal,
    failed,
    refused,
)
from services.generator.providers.adapter.wire import merged, spell
from services.generator.providers.adapter.words import Phase, phase_of

__all__ = [
    "Accepted",
    "Adapter",
    "Call",
    "Failed",
    "Fault",
    "GoogleAccount",
    "Json",
    "KeySigned",
    "Outcome",
    "Output",
    "Part",
    "Phase",
    "Place",
    "Reply",
    "Running",
    "SecretSigned",
    "SignIn",
    "Signature",
    "Submission",
    "Succeeded",
    "Update",
    "Uploads",
    "at",
    "billed_by_fal",
    "cash_micros",
    "decoded",
    "error_of",
    "failed",
    "fault_of_status",
    "first_text",
    "items",
    "media_type_of",
    "media_urls",
    "merged",
    "number",
    "phase_of",
    "refused",
    "sounds_moderated",
    "spell",
    "text",
    "text_of",
    "whole",
    "words_of",
]
