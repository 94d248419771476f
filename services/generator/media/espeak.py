"""eSpeak NG through its C interface: text in, samples and the time of each word out.

The library keeps its state for the whole process and is not thread-safe: one text at a time, in a
worker process. Interface: speak_lib.h of eSpeak NG 1.52.
"""

import _ctypes  # the one way to unload a library
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import espeakng_loader
import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidArgument

RATE = 22_050
_SYNCHRONOUS, _UTF8 = 2, 1
_WORD, _END, _LAST = 1, 5, 0
_SPEED, _PITCH = 1, 3
_NORMAL_WORDS_PER_MINUTE = 160
_NORMAL_PITCH = 50
_SEED = 1


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("text", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A word, or the end of a clause (`word` False), at a place in the text, at a sample."""

    place: int
    sample: int
    word: bool


@dataclass(frozen=True, slots=True)
class Spoken:
    """Samples between -1 and 1 at 22,050 Hz, and the marks in them."""

    samples: npt.NDArray[np.float32]
    marks: tuple[Mark, ...]


def speak(text: str, voice: str, *, speed: float = 1.0, pitch: float = 1.0) -> Spoken:
    """Return the text as spoken by a voice, such as "en-us" or "sw+f2".

    `speed` and `pitch` are factors. Raises InvalidArgument for a voice that eSpeak NG has not.
    """
    pieces: list[bytes] = []
    marks: list[Mark] = []

    def take(wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            pieces.append(ctypes.string_at(wave, count * 2))
        marks.extend(_marks(events))
        return 0

    callback = _Callback(take)
    with _library() as library:
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()):
            raise InvalidArgument("voice", f"eSpeak NG has no voice {voice}")
        library.espeak_SetParameter(_SPEED, round(_NORMAL_WORDS_PER_MINUTE * speed), 0)
        library.espeak_SetParameter(_PITCH, min(99, max(0, round(_NORMAL_PITCH * pitch))), 0)
        data = text.encode()
        if library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None):
            msg = "eSpeak NG refused the text"
            raise RuntimeError(msg)
        library.espeak_Synchronize()
    samples = np.frombuffer(b"".join(pieces), "<i2").astype(np.float32) / np.float32(32768)
    return Spoken(samples, tuple(marks))


def _marks(events: Any) -> Iterator[Mark]:
    number = 0
    while events[number].type != _LAST:
        event = events[number]
        if event.type in {_WORD, _END}:
            yield Mark(event.text_position - 1, event.sample, event.type == _WORD)
        number += 1


@contextmanager
def _library() -> Iterator[Any]:
    """Load the library anew, and throw its dice alike: by itself it does in no two processes.

    The noise in its voices goes on from call to call otherwise.
    """
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        path = espeakng_loader.get_data_path().encode()
        if library.espeak_Initialize(_SYNCHRONOUS, 0, path, 0) != RATE:
            msg = "eSpeak NG cannot be initialised"
            raise RuntimeError(msg)
        library.espeak_ng_SetRandSeed(_SEED)
        yield library
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)
