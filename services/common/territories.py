"""Countries as licences name them."""

# Member states of the European Union (ISO 3166-1), for licences that exclude it as a whole.
_MEMBERS = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
_EU = frozenset(_MEMBERS.split())
# Licences write UK where ISO 3166-1 has GB.
_SAME = {"GB": "UK", "UK": "GB"}


def names_of(territory: str) -> frozenset[str]:
    """Return every name under which a licence may exclude the country of an ISO 3166-1 code."""
    names = {territory, _SAME.get(territory, territory)}
    return frozenset(names | {"EU"} if territory in _EU else names)
