"""Who may talk to the server: pure rules over a request's headers.

Without a token the server answers this machine alone, under a loopback name: a page on another site that
points its own name at 127.0.0.1 (DNS rebinding) is refused by the Host header. With a token (STUDIO_TOKEN, or one
made at the start when the server listens on more than this machine) every request has to carry it.
A POST that another site's page sends is refused by its Origin either way.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

COOKIE = "studio_token"


@dataclass(frozen=True)
class Refusal:
    """Why a request is not served: the HTTP status and a sentence."""

    status: int
    sentence: str


def is_loopback(name: str) -> bool:
    """Whether a host name or address (no port) means this machine."""
    if name.lower() == "localhost" or name.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def refusal(method: str, headers: Mapping[str, str], *, token: str, given_token: str) -> Refusal | None:
    """None when the request may be served; `headers` has lower-case names.

    `token` is the secret asked for ("" for none), `given_token` what the request carries ("" for nothing).
    """
    host = headers.get("host", "")
    if token:
        if not hmac.compare_digest(token.encode(), given_token.encode()):
            return Refusal(
                401, "This studio asks for its token: open the address that the server printed at its start."
            )
    elif not is_loopback(urlsplit(f"//{host}").hostname or ""):
        return Refusal(403, f"This studio answers as localhost only, not as {host!r}; set STUDIO_TOKEN to open it.")
    if method not in ("GET", "HEAD", "OPTIONS") and _is_foreign(headers, host):
        return Refusal(403, "A page of another site sent this request; only the studio's own pages may.")
    return None


def _is_foreign(headers: Mapping[str, str], host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() != host.lower()
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def token_in_force(setting: str, address: str | None, make_token: str) -> str:
    """The token to ask for: the setting's; else `make_token` when the server listens beyond this machine."""
    if setting:
        return setting
    return "" if address and is_loopback(address) else make_token
