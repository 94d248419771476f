"""What clients remember of those to whom they have spoken: nothing."""

from http.cookiejar import CookieJar, DefaultCookiePolicy


def no_cookies() -> CookieJar:
    """Return a jar that takes nothing.

    A client serves all tenants, and one that goes to pinned addresses knows hosts by nothing else:
    what one host says to one tenant would be told to whoever has that address, for any other.
    """
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))
