"""Vendor keys as messages; their secrets have no way out."""

from reelmesh.generator.v1 import vendor_key_service_pb2 as pb
from services.generator.domain.vendor_keys import VendorKey
from services.generator.usecases.vendor_keys import Wish


def wish_of(request: pb.CreateVendorKeyRequest) -> Wish:
    """Return the key that somebody brings."""
    return Wish(
        vendor=request.vendor,
        secrets=dict(request.secrets),
        label=request.display_name,
        request_id=request.request_id,
    )


def key_to_proto(key: VendorKey) -> pb.VendorKey:
    """Return what may be shown of a key."""
    message = pb.VendorKey(name=key.name, vendor=key.vendor, display_name=key.label)
    message.create_time.FromDatetime(key.create_time)
    if key.revoke_time is not None:
        message.revoke_time.FromDatetime(key.revoke_time)
    return message
