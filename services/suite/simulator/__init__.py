"""A server that speaks the contracts of the vendors, keeps their bill and misbehaves on request.

For tests and for trying out: no vendor is called, no key is needed, nothing is paid.
"""
