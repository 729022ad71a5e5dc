"""Which proxy leads to a server, and whether plain http may be sent there."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import re
import urllib.request

import httpx


def find_proxy(url: httpx.URL, given: str | None) -> tuple[httpx.Proxy | None, str]:
    """Return the proxy to a server, and what names it: ``proxy``, or an environment variable.

    The proxy variables (``HTTPS_PROXY`` …) are not asked if one is given, nor for this machine.

    Raises:
        ValueError: That is not the URL of a proxy, or its package is missing. No message quotes it: it may hold a
            password.
    """
    value, name = given, "proxy"
    if given is None:
        proxies = urllib.request.getproxies()
        scheme = url.scheme if proxies.get(url.scheme) else "all"
        value, name = proxies.get(scheme), f"{scheme.upper()}_PROXY"
        if not value or is_loopback(url.host) or _is_excluded(url, proxies.get("no", "")):
            return None, ""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a str, not {type(value).__name__}.")
    value = re.sub("^socks(5h)?://", "socks5://", value if "://" in value else f"http://{value}")
    user_info, at, _ = value.partition("://")[2].rpartition("@")
    if at and re.search("[#/?@]", user_info):
        raise ValueError(
            f"{name} holds one of # / ? @ in its user name or password: percent-encode it, as in %23 for #."
        )
    try:
        proxy = httpx.Proxy(value)
        port = proxy.url.port
        if not proxy.url.host or not (port is None or 0 < port < 65_536):
            raise ValueError
    except (ValueError, httpx.InvalidURL):
        raise ValueError(f"{name} is not the URL of a proxy; it should look like http://host:port.") from None
    if proxy.url.scheme.startswith("socks5") and not importlib.util.find_spec("socksio"):
        raise ValueError("a SOCKS proxy needs one more package: pip install 'httpx[socks]'.")
    return proxy, name


def is_exposed(url: httpx.URL, proxy: httpx.Proxy | None = None) -> bool:
    """Tell whether a request would leave this machine in plain http, which anyone on the way can read."""
    return url.scheme == "http" and not is_loopback((proxy.url if proxy else url).host)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_excluded(url: httpx.URL, no_proxy: str) -> bool:
    """Tell whether ``NO_PROXY`` names a host, by its name, as ``host:port``, or in a block of addresses (CIDR)."""
    for block in no_proxy.split(","):
        with contextlib.suppress(ValueError):  # no block, or the host is a name
            if "/" in block and ipaddress.ip_address(url.host) in ipaddress.ip_network(block.strip(), strict=False):
                return True
    return bool(urllib.request.proxy_bypass(url.host if url.port is None else f"{url.host}:{url.port}"))
