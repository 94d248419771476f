"""What a label says: IPTC's digital source type, alone or in an XMP packet (ISO 16684-1)."""

from __future__ import annotations

NAME = "DigitalSourceType"
"""The property of IPTC's Photo and Video Metadata, and of every tag that has a name of its own."""
_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_ALIAS = "digsrctype:"
MODEL_MADE = f"{_TYPES}trainedAlgorithmicMedia"
PARTLY_MODEL_MADE = f"{_TYPES}compositeWithTrainedAlgorithmicMedia"
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="SOURCE_TYPE"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def packet(source: str) -> bytes:
    """Return the XMP packet that says so."""
    return _XMP.replace("SOURCE_TYPE", source).encode()


def comment(source: str) -> bytes:
    """Return the Vorbis comment that says so (FLAC, Ogg), without its length."""
    return f"{NAME}={source}".encode()


def short(source: str) -> bytes:
    """Return the type by the alias of its scheme (IPTC NewsCodes), for where room is scarce."""
    return source.replace(_TYPES, _ALIAS).encode()
