"""The exceptions of this SDK.

NeptunError                      .operation  .applied  .attempts
├── ArgumentError (ValueError)   refused here; nothing was sent
├── NeptunConnectionError        no usable response came back  .status_code  .headers
│   └── NeptunTimeoutError
├── StatusError                  .status_code  .server_message  .body  .headers
│   ├── BadRequestError          400  .fields
│   ├── AuthenticationError      401
│   ├── PermissionDeniedError    403
│   ├── NotFoundError            404
│   ├── RateLimitError           429  .retry_after
│   └── ServerError              5xx  .retry_after
├── ResponseError                a response outside the contract  .status_code  .headers
└── UpdateNotVerifiedError       200, but a field came back different  .differences  .resource  .status_code  .headers

Every error pickles and copies. What it knows, but for ``resource``, is in its ``args`` as plain JSON, so that a queue
that makes it again from its class and its ``args`` loses nothing. No class claims what an instance may not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from neptun_sdk.models import Resource  # at run time too: frameworks read the type hints

_NONE: Mapping[str, Any] = MappingProxyType({})


class NeptunError(Exception):
    """The base class of every exception that this SDK raises.

    Args:
        text: The message.
        facts: Attributes, as the second of an error's ``args`` holds them; unknown ones are left out.
        attributes: Attributes of the class; `TypeError` for others.

    Attributes:
        operation: The method of the client, such as ``update_project``; ``None`` outside a call.
        applied: Whether the update was applied on the server: ``True``, ``False``, or ``None`` if that is not known or
            the operation only reads.
        attempts: How many requests were sent, or tried to be, for the call; 0 if it was refused before.
    """

    operation: str | None = None
    applied: bool | None = None
    attempts: int = 0

    def __init__(self, text: str = "", facts: Mapping[str, Any] = _NONE, /, **attributes: object) -> None:
        given = {**(facts or {}), **attributes}
        plain = {name: value for name, value in given.items() if name != "resource"}
        super().__init__(*((text, plain) if plain else (text,)))
        bases = [base for base in type(self).__mro__ if issubclass(base, NeptunError)]
        public = {name for base in bases for name in vars(base) if not name.startswith("_")}
        for name in attributes:
            if name not in public:
                raise TypeError(f"{type(self).__name__} has no attribute {name!r}")
        # A newer SDK may know more facts.
        self.__dict__.update({name: value for name, value in given.items() if name in public})

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ArgumentError(NeptunError, ValueError):
    """An argument or a setting was refused here; nothing was sent."""


class NeptunConnectionError(NeptunError):
    """No usable response came back: there was no connection, or it broke. ``__cause__`` is the original exception.

    ``status_code`` and ``headers`` are those of the response if at least its head had come, else ``None`` and empty.
    """

    status_code: int | None = None
    headers: Mapping[str, str] = _NONE


class NeptunTimeoutError(NeptunConnectionError):
    """The whole response did not come within the call's ``timeout``."""


class StatusError(NeptunError):
    """The server returned an error status. Statuses without a class below raise this one.

    Attributes:
        status_code: The HTTP status code.
        server_message: The server's own words, or the standard phrase of the status if there are no readable ones.
        body: The body: decoded JSON, else text, else ``None`` if it is empty.
        headers: The headers of the response, names in lower case, without ``Set-Cookie``.
    """

    status_code: int = 0
    server_message: str = ""
    body: object = None
    headers: Mapping[str, str] = _NONE


class BadRequestError(StatusError):
    """400: the server refused the parameters of the request.

    ``fields`` holds the problem of each field that the server names, ``{"project_type": "Invalid …"}``.
    """

    status_code: int = 400
    fields: Mapping[str, str] = _NONE


class AuthenticationError(StatusError):
    """401: the session is missing, unknown or expired; or, from a deployed server, the resource is not this user's."""

    status_code: int = 401


class PermissionDeniedError(StatusError):
    """403: the session belongs to another user than ``user_id``."""

    status_code: int = 403


class NotFoundError(StatusError):
    """404: there is no such project or import."""

    status_code: int = 404


class RateLimitError(StatusError):
    """429: too many requests; usually returned by a proxy in front of the server.

    ``retry_after`` is how many seconds the server asks to wait, or ``None`` if it does not say.
    """

    status_code: int = 429
    retry_after: float | None = None


class ServerError(StatusError):
    """5xx: the server, or a proxy in front of it, failed.

    ``retry_after`` is how many seconds the server asks to wait, or ``None`` if it does not say.
    """

    status_code: int = 500
    retry_after: float | None = None


class ResponseError(NeptunError):
    """The response is outside the contract: a redirect, no JSON, a missing field, a wrong type, another resource …

    ``status_code`` and ``headers`` are as in `StatusError`.
    """

    status_code: int | None = None
    headers: Mapping[str, str] = _NONE


class UpdateNotVerifiedError(NeptunError):
    """The server returned 200, but at least one field that was sent came back different.

    ``applied`` is ``False`` if the server has none of the fields that were sent, else ``None``: a value may have been
    normalized, truncated, or overwritten by another writer, or one field was stored and another dropped. Fields that
    are not in ``differences`` were applied.

    Attributes:
        differences: ``{field: (sent, returned)}`` for every field that differs.
        resource: The resource as the server returned it.
        status_code: 200.
        headers: As in `StatusError`.
    """

    differences: Mapping[str, tuple[str, str | None]] = _NONE
    resource: Resource | None = None
    status_code: int | None = None
    headers: Mapping[str, str] = _NONE

    def __init__(self, text: str = "", facts: Mapping[str, Any] = _NONE, /, **attributes: object) -> None:
        super().__init__(text, facts, **attributes)
        # JSON has made lists of the pairs.
        pairs = {name: (sent, returned) for name, (sent, returned) in self.differences.items()}
        vars(self).update(differences=pairs)
