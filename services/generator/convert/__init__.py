"""Protobuf to domain and back: total functions, no input or output, no decisions."""

from services.generator.convert.generations import generation_to_proto
from services.generator.convert.models import model_to_proto
from services.generator.convert.orders import identifier_of, order_of
from services.generator.convert.vendor_keys import key_to_proto, wish_of
from services.generator.convert.workers import worker_to_proto

__all__ = [
    "generation_to_proto",
    "identifier_of",
    "key_to_proto",
    "model_to_proto",
    "order_of",
    "wish_of",
    "worker_to_proto",
]
