"""The TLS context of connections."""

from __future__ import annotations

import functools
import os
import ssl

import httpx


def default_context() -> ssl.SSLContext:
    """Return httpx's TLS context, made once for the whole process: it takes longer than many calls.

    Raises:
        ValueError: A file that an environment variable names cannot be used.
    """
    try:
        ca_file = os.environ.get("SSL_CERT_FILE")
        modified = os.stat(ca_file).st_mtime_ns if ca_file else None  # a renewed CA counts for new clients
        return _cached(ca_file, os.environ.get("SSL_CERT_DIR"), os.environ.get("SSLKEYLOGFILE"), modified)
    except OSError as exc:
        if exc.filename and exc.filename == os.environ.get("SSLKEYLOGFILE"):
            message = f"SSLKEYLOGFILE cannot be written ({exc}); correct the variable, or unset it."
        else:
            message = (
                f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read ({exc}); correct the variable, or "
                "unset it to trust the public CAs."
            )
        raise ValueError(message) from None


@functools.lru_cache(maxsize=8)
def _cached(*_environment: object) -> ssl.SSLContext:
    """Make the context; the arguments are all that it is made from."""
    return httpx.create_ssl_context()
