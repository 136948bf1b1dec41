"""Text on its way to a reader, a log or a server: what must not be in it is taken out here.

Everything that is printed or sent and was made from an address passes through this module, so that no record holds a password.
"""

from __future__ import annotations

import re


def hide_credentials(uri: str) -> str:
    """Return a URI without user name, password or token.

    >>> hide_credentials("https://me:secret@host/x")
    'https://host/x'
    """
    return re.sub(r"(?<=://)[^/@]*@", "", uri)
