"""From a response or an exception to an error: its class, its attributes and its text, word for word."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, NamedTuple, cast

import httpx
import pytest

from neptun_sdk import (
    CONTRACT,
    AuthenticationError,
    BadRequestError,
    NeptunConnectionError,
    NeptunError,
    NeptunTimeoutError,
    NotFoundError,
    PermissionDeniedError,
    Project,
    RateLimitError,
    ResponseError,
    ServerError,
    StatusError,
    UpdateNotVerifiedError,
    explain,
)
from neptun_sdk.operations import CallInfo, Operations

AnyCall = CallInfo[Any]

# Calls, after their first attempt.
PROJECT_FIELDS = {"name": "a", "project_type": "b", "description": "c"}
PATCH: AnyCall = CallInfo(Operations.UPDATE_PROJECT, {"user_id": 1, "project_id": 123}, PROJECT_FIELDS, attempts=1)
PUT: AnyCall = CallInfo(
    Operations.UPDATE_PROJECT_IMPORT, {"user_id": 1, "project_id": 789, "import_id": 123}, {"title": "a"}, attempts=1
)


class Reading:
    """The operations again, as if they only read."""

    GET_PROJECT = replace(Operations.UPDATE_PROJECT, updates=False)
    GET_PROJECT_IMPORT = replace(Operations.UPDATE_PROJECT_IMPORT, updates=False)


READING: dict[str, Any] = {
    "update_project": Reading.GET_PROJECT,
    "update_project_import": Reading.GET_PROJECT_IMPORT,
}

# The shapes of an error's body: published, and the two of a deployed server.
PUBLISHED_404 = {"statusCode": 404, "message": "Project not found"}
HANDLER_401 = {"statusCode": 401, "statusMessage": "Unauthorized.", "stack": []}
HANDLER_404 = {"statusCode": 404, "statusMessage": "Not Found.", "stack": []}
HANDLER_500 = {"statusCode": 500, "statusMessage": "Internal Server Error.", "stack": []}
THROWN_401 = {
    "error": True,
    "url": "http://127.0.0.1/api",
    "statusCode": 401,
    "statusMessage": "Server Error",
    "message": "Unauthorized",
}
THROWN_500 = {"error": True, "url": "http://127.0.0.1/api", "statusCode": 500, "message": "Server Error"}
ISSUES = {"statusCode": 400, "data": {"issues": [{"path": ["name"], "message": "Too short."}]}}
PAGE = "<html><head><title>Sign in</title></head></html>"


def published(status_code: int, message: str) -> dict[str, object]:
    return {"statusCode": status_code, "message": message}


class Case(NamedTuple):
    """What makes an error of a call, and what the error then says after the name of the call."""

    make: Callable[[AnyCall], NeptunError]
    applied: bool | None
    text: str
    call: AnyCall = PATCH


def after_a_503(call: AnyCall) -> AnyCall:
    """The call after a second attempt; the first may have been applied."""
    return replace(call, attempts=2, maybe_applied=True)


def response(
    status_code: int, body: object = None, headers: dict[str, str] | None = None
) -> Callable[[AnyCall], NeptunError]:
    return lambda call: explain.from_response(call, status_code, headers or {}, body)


def exception(exc: Exception, elapsed: float = 30.004, proxy_variable: str = "") -> Callable[[AnyCall], NeptunError]:
    return lambda call: explain.from_exception(call, exc, "https://neptun.test", elapsed, proxy_variable=proxy_variable)


def redirect(status_code: int, location: str) -> Callable[[AnyCall], NeptunError]:
    return response(status_code, None, {"location": location})


NO_SESSION = (
    "the session is missing, unknown or expired. The update was not applied. Log in to Neptun again and pass the new "
    "neptun-session cookie."
)
NOT_NEPTUN = "something other than Neptun has probably responded"
REFUSED = "The update was not applied. Check base_url, and any proxy on the way."
OR_CHECK_THE_WAY = "If that does not help, check base_url, and any proxy on the way."
RESPONSES: dict[str, Case] = {
    "400": Case(
        response(400, published(400, "Bad Request")),
        False,
        "400 Bad Request. The update was not applied. Correct the arguments and call again.",
    ),
    "400 with problems": Case(
        response(400, ISSUES),
        False,
        "400 Bad Request. The update was not applied. name: Too short. Correct the arguments and call again.",
    ),
    "400 of something else": Case(response(400, PAGE), False, f"400 Sign in: {NOT_NEPTUN}. {REFUSED}"),
    "400 without a body": Case(response(400), False, f"400 Bad Request: {NOT_NEPTUN}. {REFUSED}"),
    "400 with problems of two fields": Case(
        response(
            400,
            {"data": {"issues": [{"path": ["name"], "message": "No"}, {"path": ["type"], "message": "Not that."}]}},
        ),
        False,
        "400 Bad Request. The update was not applied. name: No. project_type: Not that. Correct the arguments and call "
        "again.",
    ),
    "400 with long problems": Case(
        response(400, {"data": {"issues": [{"path": [name], "message": name * 300} for name in "abc"]}}),
        False,
        f"400 Bad Request. The update was not applied. a: {'a' * 300}. b: {'b' * 291}… Correct the arguments and call "
        "again.",
    ),
    "400 after an attempt that may have been applied": Case(
        response(400, published(400, "Bad Request")),
        None,
        "400 Bad Request (2 attempts). The update may have been applied. Correct the arguments and call again.",
        after_a_503(PATCH),
    ),
    "401 as published": Case(
        response(401, published(401, "Unauthorized")),
        False,
        f"401 Unauthorized: {NO_SESSION}",
    ),
    "401 thrown by a deployed server": Case(response(401, THROWN_401), False, f"401 Unauthorized: {NO_SESSION}"),
    "401 of a deployed server's handler": Case(
        response(401, HANDLER_401),
        False,
        "401 Unauthorized: the session is valid, but the resource does not exist or is not this user's. The update "
        "was not applied. Check user_id and the other ids.",
    ),
    "401 of something else": Case(
        response(401, {"error": "invalid_token"}), False, f"401 invalid_token: {NOT_NEPTUN}. {REFUSED}"
    ),
    "401 without a body": Case(response(401), False, f"401 Unauthorized: {NOT_NEPTUN}. {REFUSED}"),
    "403": Case(
        response(403, published(403, "Forbidden")),
        False,
        "403 Forbidden: the session belongs to another user. The update was not applied. Pass the user_id of the "
        "session's own user.",
    ),
    "403 of something else": Case(
        response(403, "<html><title>Just a moment...</title></html>"),
        False,
        f"403 Just a moment: {NOT_NEPTUN}. {REFUSED}",
    ),
    "404": Case(
        response(404, PUBLISHED_404), False, "404 Project not found. The update was not applied. Check the ids."
    ),
    "404 of an import": Case(
        response(404, published(404, "Import not found")),
        False,
        "404 Import not found. The update was not applied. Check the ids.",
        PUT,
    ),
    "404 after an attempt that may have been applied": Case(
        response(404, PUBLISHED_404),
        None,
        "404 Project not found (2 attempts). The update may have been applied. Check the ids.",
        after_a_503(PATCH),
    ),
    "404 of a deployed server's handler for an import": Case(
        response(404, HANDLER_404),
        None,
        "404 Not Found: there is no such resource, or a deployed server's database failed. The update may have been "
        "applied. Check the ids, and call again: sending the same values twice is safe.",
        PUT,
    ),
    "404 of a deployed server's handler for a project": Case(
        response(404, HANDLER_404), False, "404 Not Found. The update was not applied. Check the ids."
    ),
    "404 of a route": Case(
        response(404, published(404, "Page not found: /neptun/api/users/1/projects/123")),
        False,
        "404 Page not found: /neptun/api/users/1/projects/123. The update was not applied. Check the path of base_url: "
        "the server has no such route.",
    ),
    "404 of a deployed server's handler for an import, without its statusCode": Case(
        response(404, {"statusMessage": "Not Found."}),
        None,
        "404 Not Found: there is no such resource, or a deployed server's database failed. The update may have been "
        "applied. Check the ids, and call again: sending the same values twice is safe.",
        PUT,
    ),
    "404 of an import, without a word": Case(
        response(404, {"statusCode": 404}),
        None,
        "404 Not Found: there is no such resource, or a deployed server's database failed. The update may have been "
        "applied. Check the ids, and call again: sending the same values twice is safe.",
        PUT,
    ),
    # A proxy may have put its own page in the place of a deployed server's 404.
    "404 of something else for an import": Case(
        response(404, PAGE),
        None,
        f"404 Sign in: {NOT_NEPTUN}. The update may have been applied. Check base_url, and any proxy on the way; then "
        "call again: sending the same values twice is safe.",
        PUT,
    ),
    "404 of something else": Case(response(404, PAGE), False, f"404 Sign in: {NOT_NEPTUN}. {REFUSED}"),
    "407 of something else": Case(response(407), False, f"407 Proxy Authentication Required: {NOT_NEPTUN}. {REFUSED}"),
    "408 of something else": Case(
        response(408, PAGE),
        None,
        f"408 Sign in: {NOT_NEPTUN}. The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
    ),
    "408": Case(
        response(408, published(408, "Request Timeout")),
        None,
        "408 Request Timeout. The update may have been applied. Call again later.",
    ),
    "409": Case(
        response(409, published(409, "Conflict")),
        False,
        "409 Conflict. The update was not applied. Check base_url and the arguments.",
    ),
    "413": Case(
        response(413, published(413, "Payload Too Large")),
        False,
        "413 Payload Too Large. The update was not applied. Shorten the texts: a deployed server takes less than "
        "2,000,000 bytes in update_project_import.",
        PUT,
    ),
    "413 of a project": Case(
        response(413, published(413, "Payload Too Large")),
        False,
        "413 Payload Too Large. The update was not applied. Shorten the texts: no request of this size is allowed.",
    ),
    "413 of something else": Case(
        response(413, PAGE),
        False,
        f"413 Sign in: {NOT_NEPTUN}. The update was not applied. Shorten the texts: no request of this size is "
        f"allowed. {OR_CHECK_THE_WAY}",
        PUT,
    ),
    "429": Case(
        response(429),
        False,
        f"429 Too Many Requests: {NOT_NEPTUN}. "
        f"The update was not applied. Call again later, and less often. {OR_CHECK_THE_WAY}",
    ),
    "429 that asks to wait": Case(
        response(429, None, {"retry-after": "7"}),
        False,
        f"429 Too Many Requests: {NOT_NEPTUN}. The update was not applied. Call again after 7 s. {OR_CHECK_THE_WAY}",
    ),
    "429 that asks to wait 1 s": Case(
        response(429, None, {"retry-after": "1"}),
        False,
        f"429 Too Many Requests: {NOT_NEPTUN}. The update was not applied. Call again after 1 s. {OR_CHECK_THE_WAY}",
    ),
    "429 that asks to wait 0 s": Case(
        response(429, None, {"retry-after": "0"}),
        False,
        f"429 Too Many Requests: {NOT_NEPTUN}. "
        f"The update was not applied. Call again later, and less often. {OR_CHECK_THE_WAY}",
    ),
    "460": Case(
        response(460, "<html><title>Error:</title></html>"),
        None,
        f"460 Error: {NOT_NEPTUN}. The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
    ),
    "499": Case(
        response(499, "client closed the request"),
        None,
        f"499 client closed the request: {NOT_NEPTUN}. "
        f"The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
    ),
    "500": Case(
        response(500, published(500, "Oh")), None, "500 Oh. The update may have been applied. Call again later."
    ),
    "500 to fields that a deployed server does not know": Case(
        response(500, HANDLER_500),
        None,
        "500 Internal Server Error. The update may have been applied. A deployed server returns this if it knows none "
        "of the fields sent (project_type, programming_language); if this is one, set dialect='deployed' "
        "(NEPTUN_DIALECT=deployed).",
        replace(PATCH, fields={"project_type": "web-site", "programming_language": "go"}),
    ),
    "500 to a known field and others": Case(
        response(500, HANDLER_500),
        None,
        "500 Internal Server Error. The update may have been applied. Call again later.",
        replace(PATCH, fields={"name": "a", "project_type": "web-site"}),
    ),
    "500 to fields under their deployed names": Case(
        response(500, HANDLER_500),
        None,
        "500 Internal Server Error. The update may have been applied. Call again later.",
        replace(PATCH, fields={"project_type": "web-site"}, dialect="deployed"),
    ),
    "500 thrown for an id beyond the database's": Case(
        response(500, THROWN_500),
        False,
        "500 Server Error. The update was not applied. Check the ids: a deployed server has none above 2147483647.",
        replace(PATCH, ids={"user_id": 1, "project_id": 2_147_483_648}),
    ),
    "500 of a handler for an id beyond the database's": Case(
        response(500, HANDLER_500),
        None,
        "500 Internal Server Error. The update may have been applied. Call again later.",
        replace(PATCH, ids={"user_id": 1, "project_id": 2_147_483_648}),
    ),
    "500 thrown for the largest id": Case(
        response(500, THROWN_500),
        None,
        "500 Server Error. The update may have been applied. Call again later.",
        replace(PATCH, ids={"user_id": 1, "project_id": 2_147_483_647}),
    ),
    "500 thrown for a user beyond the database's": Case(
        response(500, THROWN_500),
        None,
        "500 Server Error. The update may have been applied. Call again later.",
        replace(PATCH, ids={"user_id": 2_147_483_648, "project_id": 123}),
    ),
    "500 to a NUL character": Case(
        response(500, HANDLER_500),
        None,
        "500 Internal Server Error. The update may have been applied. Leave out the NUL character: a deployed server "
        "cannot store it.",
        replace(PATCH, fields={"name": "a\0b"}),
    ),
    "500 to a NUL character beside a value that is no text": Case(
        response(500, HANDLER_500),
        None,
        "500 Internal Server Error. The update may have been applied. Leave out the NUL character: a deployed server "
        "cannot store it.",
        replace(PATCH, fields=cast("Any", {"archived": True, "name": "a\0b"})),
    ),
    "404 of a deployed server's handler to a NUL character": Case(
        response(404, HANDLER_404),
        False,
        "404 Not Found. The update was not applied. Leave out the NUL character: a deployed server cannot store it.",
        replace(PUT, fields={"source_path": "a\0b"}),
    ),
    "404 as published to a NUL character": Case(
        response(404, PUBLISHED_404),
        False,
        "404 Project not found. The update was not applied. Check the ids.",
        replace(PATCH, fields={"name": "a\0b"}),
    ),
    "500 of something else": Case(
        response(500, PAGE),
        None,
        f"500 Sign in: {NOT_NEPTUN}. The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
        PUT,
    ),
    "502 of something else": Case(
        response(502, {"detail": "no upstream"}),
        None,
        f"502 no upstream: {NOT_NEPTUN}. The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
    ),
    "503 after three attempts": Case(
        response(503, None),
        None,
        f"503 Service Unavailable: {NOT_NEPTUN} (3 attempts). "
        f"The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
        replace(PATCH, attempts=3, maybe_applied=True),
    ),
    "503 that asks to wait": Case(
        response(503, None, {"retry-after": "7"}),
        None,
        f"503 Service Unavailable: {NOT_NEPTUN}. The update may have been applied. Call again after 7 s. "
        f"{OR_CHECK_THE_WAY}",
    ),
    "503 that asks to wait 0 s": Case(
        response(503, None, {"retry-after": "0"}),
        None,
        f"503 Service Unavailable: {NOT_NEPTUN}. "
        f"The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
    ),
    "504 that asks to wait": Case(
        response(504, None, {"retry-after": "7"}),
        None,
        f"504 Gateway Timeout: {NOT_NEPTUN}. The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
    ),
    "599": Case(
        response(599),
        None,
        f"599 (no message): {NOT_NEPTUN}. The update may have been applied. Call again later. {OR_CHECK_THE_WAY}",
    ),
    "204": Case(
        response(204),
        None,
        "204, which the contract does not know. The update may have been applied. Check that base_url is a Neptun "
        "server.",
    ),
    "302 to a login page": Case(
        redirect(302, "https://user:secret@elsewhere.test/login?token=secret#secret"),
        None,
        "302, a redirect to 'https://elsewhere.test/login', and redirects are not followed. The update may have been "
        "applied. Check base_url (http for https, another host, a missing path), and the session.",
    ),
    "399 without a target": Case(
        response(399),
        None,
        "399, a redirect, and redirects are not followed. The update may have been applied. Check base_url (http for "
        "https, another host, a missing path), and the session.",
    ),
    "300 to something that is not a URL": Case(
        redirect(300, "https://host:port"),
        None,
        "300, a redirect, and redirects are not followed. The update may have been applied. Check base_url (http for "
        "https, another host, a missing path), and the session.",
    ),
}
CA = "Check base_url and, for a private CA, SSL_CERT_FILE."
EXCEPTIONS: dict[str, Case] = {
    "connection refused": Case(
        exception(httpx.ConnectError("[Errno 111] Connection refused")),
        False,
        "cannot connect to https://neptun.test. The update was not applied. Check base_url. (ConnectError: [Errno 111] "
        "Connection refused)",
    ),
    "connection refused after an attempt that may have been applied": Case(
        exception(httpx.ConnectError("refused")),
        None,
        "cannot connect to https://neptun.test (2 attempts). The update may have been applied. Check base_url. "
        "(ConnectError: refused)",
        after_a_503(PATCH),
    ),
    "certificate refused": Case(
        exception(httpx.ConnectError("CERTIFICATE_VERIFY_FAILED: self-signed")),
        False,
        f"cannot connect to https://neptun.test. The update was not applied. {CA} (ConnectError: "
        "CERTIFICATE_VERIFY_FAILED: self-signed)",
    ),
    "no TLS": Case(
        exception(httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number")),
        False,
        f"cannot connect to https://neptun.test. The update was not applied. {CA} (ConnectError: [SSL: "
        "WRONG_VERSION_NUMBER] wrong version number)",
    ),
    "connection failed without a word": Case(
        exception(httpx.ConnectError("")),
        False,
        "cannot connect to https://neptun.test. The update was not applied. Check base_url. (ConnectError)",
    ),
    "scheme that is not supported": Case(
        exception(httpx.UnsupportedProtocol("Request URL has an unsupported protocol 'ftp://'.")),
        False,
        "cannot connect to https://neptun.test. The update was not applied. Check base_url. (UnsupportedProtocol: "
        "Request URL has an unsupported protocol 'ftp://')",
    ),
    "connect timeout": Case(
        exception(httpx.ConnectTimeout("timed out"), 0.0504),
        False,
        "timed out after 0.05 s waiting for https://neptun.test. The update was not applied. Call again: sending the "
        "same values twice is safe. (ConnectTimeout: timed out)",
    ),
    "read timeout": Case(
        exception(httpx.ReadTimeout("")),
        None,
        "timed out after 30 s waiting for https://neptun.test. The update may have been applied. Call again: sending "
        "the same values twice is safe. (ReadTimeout)",
    ),
    "read timeout after a second": Case(
        exception(httpx.ReadTimeout(""), 1.2603),
        None,
        "timed out after 1.3 s waiting for https://neptun.test. The update may have been applied. Call again: sending "
        "the same values twice is safe. (ReadTimeout)",
    ),
    "write timeout after a day": Case(
        exception(httpx.WriteTimeout("WriteTimeout"), 86_400.26),
        None,
        "timed out after 86400.3 s waiting for https://neptun.test (3 attempts). The update may have been applied. "
        "Call again: sending the same values twice is safe. (WriteTimeout)",
        replace(PATCH, attempts=3, maybe_applied=True),
    ),
    "no free connection": Case(
        exception(httpx.PoolTimeout("")),
        False,
        "no connection became free within 30 s. The update was not applied. Make fewer calls at once, or allow a "
        "longer timeout. (PoolTimeout)",
    ),
    "proxy refuses": Case(
        exception(httpx.ProxyError("407 Proxy Authentication Required"), proxy_variable="ALL_PROXY"),
        False,
        "cannot connect to https://neptun.test through the proxy of ALL_PROXY. The update was not applied. Check that "
        "variable and the proxy. (ProxyError: 407 Proxy Authentication Required)",
    ),
    "proxy of the caller's own transport refuses": Case(
        exception(httpx.ProxyError("407 Proxy Authentication Required")),
        False,
        "cannot connect to https://neptun.test. The update was not applied. Check the proxy. (ProxyError: 407 Proxy "
        "Authentication Required)",
    ),
    "proxy is not there": Case(
        exception(httpx.ConnectError("[Errno 111] Connection refused"), proxy_variable="ALL_PROXY"),
        False,
        "cannot connect to https://neptun.test through the proxy of ALL_PROXY. The update was not applied. Check that "
        "variable and the proxy. (ConnectError: [Errno 111] Connection refused)",
    ),
    "TLS fails behind a proxy": Case(
        exception(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), proxy_variable="ALL_PROXY"),
        False,
        "cannot connect to https://neptun.test through the proxy of ALL_PROXY. The update was not applied. Check "
        "base_url and, for a private CA, SSL_CERT_FILE. (ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed)",
    ),
    "connection reset": Case(
        exception(httpx.ReadError("reset\r\nby peer.")),
        None,
        "the connection to https://neptun.test broke before the response was complete. The update may have been "
        "applied. Call again: sending the same values twice is safe. (ReadError: reset by peer)",
    ),
    "protocol violated": Case(
        exception(httpx.RemoteProtocolError("illegal status line")),
        None,
        "the connection to https://neptun.test broke before the response was complete. The update may have been "
        "applied. Call again: sending the same values twice is safe. (RemoteProtocolError: illegal status line)",
    ),
    "transport of the caller's own": Case(
        exception(KeyError("a bug")),
        None,
        "the transport for https://neptun.test failed. The update may have been applied. Correct the transport: it may "
        "raise httpx.TransportError only. (KeyError: 'a bug')",
    ),
}
SDK_UP_TO_DATE = "Check that base_url is a Neptun server and that this SDK is up to date."
BODIES: dict[str, Case] = {
    "200 that proves nothing": Case(
        lambda call: explain.invalid_body(call, 200, {}, "is not a project (project: missing)"),
        None,
        f"200, but the body is not a project (project: missing). The update may have been applied. {SDK_UP_TO_DATE}",
    ),
    "200 that shows the update": Case(
        lambda call: explain.invalid_body(call, 200, {}, "is not a project (project.created_at: missing)", True),
        True,
        "200, but the body is not a project (project.created_at: missing). The update was applied. Do not send it "
        f"again. {SDK_UP_TO_DATE}",
    ),
    "404": Case(
        lambda call: explain.invalid_body(call, 404, {}, "is too large"),
        False,
        f"404, but the body is too large. The update was not applied. {SDK_UP_TO_DATE}",
    ),
    "404 of an import, which may hide a failure after the update": Case(
        lambda call: explain.invalid_body(call, 404, {}, "is too large"),
        None,
        f"404, but the body is too large. The update may have been applied. {SDK_UP_TO_DATE}",
        PUT,
    ),
    "408": Case(
        lambda call: explain.invalid_body(call, 408, {}, "is too large"),
        None,
        f"408, but the body is too large. The update may have been applied. {SDK_UP_TO_DATE}",
    ),
    "413": Case(
        lambda call: explain.invalid_body(call, 413, {}, "is too large"),
        False,
        f"413, but the body is too large. The update was not applied. {SDK_UP_TO_DATE}",
    ),
    "503": Case(
        lambda call: explain.invalid_body(call, 503, {}, "is too large"),
        None,
        f"503, but the body is too large (2 attempts). The update may have been applied. {SDK_UP_TO_DATE}",
        replace(PATCH, attempts=2),
    ),
}
CLOSED: dict[str, Case] = {
    "closed after nothing was applied": Case(
        explain.closed,
        False,
        "the client was closed during the call. The update was not applied. Close a client when its calls have ended.",
    ),
    "closed after an attempt that may have been applied": Case(
        explain.closed,
        None,
        "the client was closed during the call (2 attempts). The update may have been applied. Close a client "
        "when its calls have ended.",
        after_a_503(PATCH),
    ),
}
MOMENT = datetime(2025, 2, 16, 17, 42, 11, tzinfo=UTC)
RESOURCE = Project(
    id=123,
    name="b",
    project_type="web-site",
    programming_language="go",
    created_at=MOMENT,
    updated_at=MOMENT,
    neptun_user_id=1,
)


def unverified(dialect: Any, **differences: tuple[Any, Any]) -> Callable[[AnyCall], NeptunError]:
    return lambda call: explain.not_verified(call, differences, RESOURCE, dialect)


LONG = "ab" * 150
NO_TEXTS: dict[str, Any] = {"name": True, "description": 1.5}  # the contract has no such field yet
COMPARE = "Compare error.resource with what you want: another writer, or the server, may have changed it."
SET_DEPLOYED = "The server speaks the deployed dialect: set dialect='deployed' (NEPTUN_DIALECT=deployed)."
UNVERIFIED: dict[str, Case] = {
    "one field of three": Case(
        unverified("documented", project_type=("web-site", "web-app")),
        None,
        "200, but project_type came back as 'web-app', not 'web-site'. It may have been applied; name, description "
        f"were. {COMPARE}",
    ),
    "one field of two": Case(
        unverified("documented", name=("a", "Ünïcode 🚀\n")),
        None,
        "200, but name came back as 'Ünïcode 🚀\\n', not 'a'. It may have been applied; project_type was. " + COMPARE,
        replace(PATCH, fields={"name": "a", "project_type": "b"}),
    ),
    "every field": Case(
        unverified("documented", name=("a", ""), project_type=("b", "c"), description=("c", None)),
        None,
        "200, but name came back as '', not 'a'; project_type came back as 'c', not 'b'; description came back as "
        f"nothing, not 'c'. They may have been applied. {COMPARE}",
    ),
    "the only field": Case(
        unverified("documented", name=("a", "b")),
        None,
        f"200, but name came back as 'b', not 'a'. It may have been applied. {COMPARE}",
        replace(PATCH, fields={"name": "a"}),
    ),
    "field under another name": Case(
        unverified("deployed", project_type=("b", "web-site")),
        False,
        "200, but project_type came back as 'web-site', not 'b'. It was not applied; name, description were. "
        + SET_DEPLOYED,
    ),
    "field under another name, after an attempt that may have been applied": Case(
        unverified("deployed", project_type=("b", "web-site")),
        False,
        "200, but project_type came back as 'web-site', not 'b' (2 attempts). It was not applied; name, description "
        f"were. {SET_DEPLOYED}",
        after_a_503(PATCH),
    ),
    "fields that do not exist": Case(
        unverified("deployed", title=("a", None), description=("", None)),
        False,
        "200, but title came back as nothing, not 'a'; description came back as nothing, not ''. They were not "
        f"applied. {SET_DEPLOYED}",
        replace(PUT, fields={"title": "a", "description": ""}),
    ),
    "field under another name, and one that was changed": Case(
        unverified("deployed", name=("a", "b"), project_type=("b", "web-site")),
        False,
        "200, but name came back as 'b', not 'a'; project_type came back as 'web-site', not 'b'. project_type was not "
        f"applied, name may have been; description was. {SET_DEPLOYED}",
    ),
    "field under another name, and two that were changed": Case(
        unverified("deployed", name=("a", "b"), project_type=("b", "web-site"), description=("c", None)),
        False,
        "200, but name came back as 'b', not 'a'; project_type came back as 'web-site', not 'b'; description came back "
        "as nothing, not 'c'. project_type was not applied, name, description may have been. " + SET_DEPLOYED,
    ),
    "field under the contract's name, in the deployed dialect": Case(
        unverified("documented", project_type=("b", "web-site")),
        False,
        "200, but project_type came back as 'web-site', not 'b'. It was not applied. The server speaks the documented "
        "dialect: set dialect='documented' (NEPTUN_DIALECT=documented).",
        replace(PATCH, fields={"project_type": "b"}, dialect="deployed"),
    ),
    "changed by a server of the other dialect": Case(
        unverified("deployed", name=("a", "b")),
        None,
        f"200, but name came back as 'b', not 'a'. It may have been applied. {COMPARE}",
        replace(PATCH, fields={"name": "a"}),
    ),
    "texts of 80 characters": Case(
        unverified("documented", name=("a" * 80, "b" * 80)),
        None,
        f"200, but name came back as '{'b' * 80}', not '{'a' * 80}'. It may have been applied. {COMPARE}",
        replace(PATCH, fields={"name": "a" * 80}),
    ),
    "texts of 81 characters": Case(
        unverified("documented", name=("a" * 81, "b" * 81)),
        None,
        f"200, but name came back as 81 characters, not 81: from character 1 on '{'b' * 40}', not '{'a' * 40}'. It may "
        f"have been applied. {COMPARE}",
        replace(PATCH, fields={"name": "a" * 81}),
    ),
    "truncated at 255": Case(
        unverified("documented", name=(LONG, LONG[:255])),
        None,
        "200, but name came back as 255 characters, not 300: from character 256 on '', not "
        f"'babababababababababababababababababababa'. It may have been applied. {COMPARE}",
        replace(PATCH, fields={"name": LONG}),
    ),
    "changed in the middle": Case(
        unverified("documented", name=(f"{LONG} end", f"{LONG}\u00a0end")),
        None,
        "200, but name came back as 304 characters, not 304: from character 301 on '\\xa0end', not ' end'. It may have "
        f"been applied. {COMPARE}",
        replace(PATCH, fields={"name": LONG}),
    ),
    "long text that did not come back": Case(
        unverified("documented", description=("a" * 81, None)),
        None,
        f"200, but description came back as nothing, not '{'a' * 80}…'. It may have been applied. {COMPARE}",
        replace(PATCH, fields={"description": "a" * 81}),
    ),
    "no texts": Case(
        unverified("documented", name=(True, False), description=(1.5, None)),
        None,
        f"200, but name came back as False, not True; description came back as nothing, not 1.5. They may have been "
        f"applied. {COMPARE}",
        replace(PATCH, fields=NO_TEXTS),
    ),
    "a large value that is no text": Case(
        unverified("documented", name=([1] * 100, "b")),
        None,
        f"200, but name came back as 'b', not [{'1, ' * 26}1…. It may have been applied. {COMPARE}",
        replace(PATCH, fields=cast("Any", {"name": [1] * 100})),
    ),
}
CASES: dict[str, Case] = {
    **{f"response: {name}": case for name, case in RESPONSES.items()},
    **{f"exception: {name}": case for name, case in EXCEPTIONS.items()},
    **{f"body: {name}": case for name, case in BODIES.items()},
    **CLOSED,
}
CASES_OF_AN_UPDATE = {**CASES, **UNVERIFIED}


@pytest.mark.parametrize("case", CASES_OF_AN_UPDATE.values(), ids=CASES_OF_AN_UPDATE)
def test_a_text_says_what_happened_the_outcome_and_what_to_do_next(case: Case) -> None:
    error = case.make(case.call)
    contract = f" (contract {CONTRACT})" if isinstance(error, ResponseError) else ""
    assert str(error) == f"{case.call}: {case.text}{contract}"


@pytest.mark.parametrize("case", CASES_OF_AN_UPDATE.values(), ids=CASES_OF_AN_UPDATE)
def test_an_error_knows_its_call_and_whether_the_update_was_applied(case: Case) -> None:
    error = case.make(case.call)
    known = (error.operation, error.attempts, error.applied)
    assert known == (case.call.operation.name, case.call.attempts, case.applied)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_text_of_a_read_speaks_of_an_update(case: Case) -> None:
    """Nothing was to be applied, and nothing is to be sent again with care."""
    call = replace(case.call, operation=READING[case.call.operation.name], fields={})
    name, _, text = str(case.make(call)).partition("): ")
    assert name.startswith("get_project")
    assert not re.search(r"appl(y|ied)|chang|updated?\b|\bsen[dt]|same values", text.replace("up to date", ""))


def test_a_read_that_timed_out_is_simply_made_again() -> None:
    call: AnyCall = CallInfo(Reading.GET_PROJECT, {"user_id": 1, "project_id": 123}, {}, attempts=3)
    error = explain.from_exception(call, httpx.ReadTimeout(""), "https://neptun.test", 30.0)
    assert str(error) == (
        "get_project(user_id=1, project_id=123): timed out after 30 s waiting for https://neptun.test (3 attempts). "
        "Call again. (ReadTimeout)"
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_applied_of_a_read_is_none(case: Case) -> None:
    call = replace(case.call, operation=READING[case.call.operation.name], fields={})
    assert case.make(call).applied is None


STATUSES: dict[str, tuple[int, type[NeptunError], bool | None]] = {
    "400": (400, BadRequestError, False),
    "401": (401, AuthenticationError, False),
    "402": (402, StatusError, False),
    "403": (403, PermissionDeniedError, False),
    "404": (404, NotFoundError, False),
    "408": (408, StatusError, None),
    "413": (413, StatusError, False),
    "429": (429, RateLimitError, False),
    "499": (499, StatusError, None),
    "500": (500, ServerError, None),
    "503": (503, ServerError, None),
    "520": (520, ServerError, None),
    "599": (599, ServerError, None),
}


@pytest.mark.parametrize(("status_code", "error_class", "applied"), STATUSES.values(), ids=STATUSES)
def test_each_status_has_its_class(status_code: int, error_class: type[NeptunError], applied: bool | None) -> None:
    error = explain.from_response(PATCH, status_code, {}, {"statusCode": status_code, "message": "Oh"})
    assert (type(error), error.applied) == (error_class, applied)


@pytest.mark.parametrize("status_code", [201, 204, 299, 300, 399, 600, 999])
def test_a_status_outside_the_contract_is_a_response_error(status_code: int) -> None:
    error = explain.from_response(PATCH, status_code, {}, None)
    assert isinstance(error, ResponseError)
    assert (error.status_code, error.applied) == (status_code, None)


def test_a_status_error_keeps_what_the_server_said() -> None:
    body = {"statusCode": 404, "message": "Project not found."}
    error = explain.from_response(PATCH, 404, {"x-request-id": "7"}, body)
    assert isinstance(error, NotFoundError)
    assert (error.status_code, error.server_message) == (404, "Project not found")
    assert (error.body, error.headers) == (body, {"x-request-id": "7"})


@pytest.mark.parametrize("status_code", [204, 302])
def test_a_response_error_keeps_the_headers(status_code: int) -> None:
    error = explain.from_response(PATCH, status_code, {"x-request-id": "7"}, None)
    assert isinstance(error, ResponseError)
    assert error.headers == {"x-request-id": "7"}


def test_the_error_of_an_invalid_body_keeps_status_and_headers() -> None:
    error = explain.invalid_body(PATCH, 200, {"x-request-id": "7"}, "is not JSON")
    assert (error.status_code, error.headers) == (200, {"x-request-id": "7"})


def test_an_unverified_update_keeps_differences_and_resource() -> None:
    error = explain.not_verified(PATCH, {"name": ("a", "b")}, RESOURCE, "documented")
    assert isinstance(error, UpdateNotVerifiedError)
    assert (error.differences, error.resource) == ({"name": ("a", "b")}, RESOURCE)


# The call, the status whose head had come before the connection broke, and whether the update was applied.
BROKEN: dict[str, tuple[AnyCall, int | None, bool | None]] = {
    "no status": (PATCH, None, None),
    "200": (PATCH, 200, None),
    "302": (PATCH, 302, None),
    "400": (PATCH, 400, False),
    "404": (PATCH, 404, False),
    "404 after an attempt that may have been applied": (after_a_503(PATCH), 404, None),
    "404 of an import, which may hide a failure after the update": (PUT, 404, None),
    "408": (PATCH, 408, None),
    "499": (PATCH, 499, None),
    "500": (PATCH, 500, None),
}


@pytest.mark.parametrize(("call", "status_code", "applied"), BROKEN.values(), ids=BROKEN)
def test_a_broken_connection_keeps_the_status_that_had_come(
    call: AnyCall, status_code: int | None, applied: bool | None
) -> None:
    """The head of a 404 shows that nothing was applied; that of a 200 does not show that something was."""
    error = explain.from_exception(call, httpx.ReadError(""), "https://neptun.test", 1.0, status_code=status_code)
    assert isinstance(error, NeptunConnectionError)
    assert (error.status_code, error.applied) == (status_code, applied)


TIMEOUTS = {
    "connect": httpx.ConnectTimeout(""),
    "read": httpx.ReadTimeout(""),
    "write": httpx.WriteTimeout(""),
    "pool": httpx.PoolTimeout(""),
}


@pytest.mark.parametrize("exc", TIMEOUTS.values(), ids=TIMEOUTS)
def test_every_timeout_is_a_timeout_error(exc: httpx.TimeoutException) -> None:
    assert type(explain.from_exception(PATCH, exc, "https://neptun.test", 1.0)) is NeptunTimeoutError


def test_a_full_pool_is_not_blamed_on_the_server() -> None:
    """It is the caller's own threads that hold the connections."""
    assert "neptun.test" not in str(explain.from_exception(PATCH, httpx.PoolTimeout(""), "https://neptun.test", 1.0))


MESSAGES: dict[str, tuple[object, str]] = {
    "published": ({"statusCode": 404, "message": "Project not found"}, "Project not found"),
    "thrown": (THROWN_401, "Unauthorized"),
    "by a handler": (HANDLER_401, "Unauthorized"),
    "error as a word": ({"error": "not_found"}, "not_found"),
    "detail": ({"detail": "None such"}, "None such"),
    "empty": ({"message": ""}, "Not Found"),
    "a number": ({"message": 5}, "Not Found"),
    "an array": ([1, 2], "Not Found"),
    "no body": (None, "Not Found"),
    "text": ("upstream\n  unavailable", "upstream unavailable"),
    "a page": ("<html><head><TITLE>404 | Gone\n astray</TITLE></head>", "404 | Gone astray"),
    "a page after blanks": (" \n<html><title>Blank first</title>", "Blank first"),
    "a page without a title": ("<html>no title</html>", "Not Found"),
    "a page whose title begins too far down": (f"<html>{' ' * 10_000}<title>Late</title>", "Not Found"),
    "300 characters": ("x" * 300, "x" * 300),
    "301 characters": ("x" * 301, "x" * 300 + "…"),
    "ends in a capital X": ("It ends in XX.", "It ends in XX"),
    "control characters": ({"message": "red \x1b[31m \ud800 alert\r\n"}, "red [31m alert"),
    "nothing but control characters": ({"message": "\0."}, "Not Found"),
}


@pytest.mark.parametrize(("body", "message"), MESSAGES.values(), ids=MESSAGES)
def test_the_server_message_is_the_best_of_a_body(body: object, message: str) -> None:
    error = explain.from_response(PATCH, 404, {}, body)
    assert isinstance(error, NotFoundError)
    assert error.server_message == message


def fields_of(issues: object) -> object:
    error = explain.from_response(PATCH, 400, {}, {"statusCode": 400, "data": {"issues": issues}})
    assert isinstance(error, BadRequestError)
    return error.fields


PROBLEMS: dict[str, tuple[object, dict[str, str]]] = {
    "one": ([{"path": ["name"], "message": "Too short."}], {"name": "Too short"}),
    "of a deployed server": ([{"path": ["main_language"], "message": "No"}], {"programming_language": "No"}),
    "inside a field": ([{"path": ["file_tree", 0], "message": "Required"}], {"file_tree.0": "Required"}),
    "two of one field": (
        [{"path": ["name"], "message": "Too short"}, {"path": ["name"], "message": "Too plain"}],
        {"name": "Too short; Too plain"},
    ),
    "twice the same": ([{"path": ["name"], "message": "Too short"}] * 2, {"name": "Too short"}),
    "without a message": ([{"path": ["name"]}], {"name": "invalid"}),
    "of the whole body": ([{"path": [], "message": "of the whole body"}], {}),
    "without a path": ([{"message": "no path"}], {}),
    "that is not an object": (["not an object"], {}),
    "a path that is not an array": ([{"path": "name", "message": "No"}], {}),
    "not an array": ("none", {}),
    "20 fields and more": (
        [{"path": [f"f{number}"], "message": "No"} for number in range(25)],
        {f"f{number}": "No" for number in range(20)},
    ),
    "a long message": ([{"path": ["name"], "message": "x" * 301}], {"name": "x" * 300 + "…"}),
    "long messages": (
        [{"path": ["name"], "message": letter * 200} for letter in "xyz"],
        {"name": "x" * 200 + "; " + "y" * 98 + "…"},
    ),
    "a long path": ([{"path": ["x" * 81, *range(9)]}], {"x" * 80 + "….0.1.2.3": "invalid"}),
    "control characters": ([{"path": ["\x1b[31m"], "message": "\x1b[0m"}], {"[31m": "[0m"}),
}


@pytest.mark.parametrize(("issues", "fields"), PROBLEMS.values(), ids=PROBLEMS)
def test_the_problems_of_a_400_are_listed_by_field(issues: object, fields: dict[str, str]) -> None:
    assert fields_of(issues) == fields


NO_PROBLEMS: dict[str, object] = {
    "no body": None,
    "text": "text",
    "an array": [],
    "no data": {},
    "data null": {"data": None},
}


@pytest.mark.parametrize("body", NO_PROBLEMS.values(), ids=NO_PROBLEMS)
def test_a_400_without_a_list_of_problems_has_no_fields(body: object) -> None:
    error = explain.from_response(PATCH, 400, {}, body)
    assert isinstance(error, BadRequestError)
    assert error.fields == {}


def test_170_000_problems_take_little_time_and_text() -> None:
    issues = [{"path": [f"field{number}"], "message": "Too short " * 100} for number in range(170_000)]
    began = time.process_time()
    error = explain.from_response(PATCH, 400, {}, {"statusCode": 400, "data": {"issues": issues}})
    assert time.process_time() - began < 0.5
    assert len(str(error)) < 1_000


HUGE = "x" * 1_000_000
TEXTS_FROM_OUTSIDE: dict[str, Callable[[], NeptunError]] = {
    "server message": lambda: explain.from_response(PATCH, 500, {}, {"message": HUGE}),
    "title of a page": lambda: explain.from_response(PATCH, 500, {}, f"<title>{HUGE[:9_000]}</title>"),
    "names of fields": lambda: explain.from_response(
        PATCH, 400, {}, {"data": {"issues": [{"path": [HUGE] * 99, "message": HUGE}] * 20}}
    ),
    "many fields": lambda: explain.from_response(
        PATCH, 400, {}, {"data": {"issues": [{"path": [number], "message": HUGE} for number in range(20)]}}
    ),
    "location": lambda: explain.from_response(
        PATCH, 302, {"location": f"https://elsewhere.test/{HUGE[:60_000]}"}, None
    ),
    "exception": lambda: explain.from_exception(PATCH, httpx.ReadError(HUGE), "https://neptun.test", 1.0),
    "fields": lambda: explain.not_verified(
        PATCH, dict.fromkeys(PATCH.fields, (HUGE, f"{HUGE}y")), RESOURCE, "documented"
    ),
}


@pytest.mark.parametrize("make", TEXTS_FROM_OUTSIDE.values(), ids=TEXTS_FROM_OUTSIDE)
def test_a_text_from_outside_is_never_the_bulk_of_a_message(make: Callable[[], NeptunError]) -> None:
    assert len(str(make())) < 1_100


@pytest.mark.parametrize("status_code", [429, 500, 502, 503, 504])
def test_an_error_that_may_pass_says_how_long_to_wait(status_code: int) -> None:
    error = explain.from_response(PATCH, status_code, {"retry-after": "7"}, None)
    assert isinstance(error, RateLimitError | ServerError)
    assert error.retry_after == 7.0


SECONDS: dict[str, tuple[str | None, float | None]] = {
    "absent": (None, None),
    "empty": ("", None),
    "0": ("0", 0.0),
    "with blanks": (" 12 ", 12.0),
    "a word": ("soon", None),
    "negative": ("-1", None),
    "a fraction": ("1.5", None),
    "digits of another script": ("\N{ARABIC-INDIC DIGIT ONE}", None),
    "5,000 digits": ("1" * 5000, 1e9),
    "a date that has passed": ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    "a date without a zone": ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
    "a year of five digits": ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    "a year of 20 digits": (f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT", None),
    "a year of 5,000 digits": (f"Wed, 21 Oct {'9' * 5000} 07:28:00 GMT", None),
}


@pytest.mark.parametrize(("value", "seconds"), SECONDS.values(), ids=SECONDS)
def test_retry_after_is_read_as_seconds(value: str | None, seconds: float | None) -> None:
    assert explain.parse_retry_after(value) == seconds


ZONES: dict[str, Callable[[datetime], str]] = {
    "GMT": lambda moment: format_datetime(moment, usegmt=True),
    "no zone": lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S"),
    "another zone": lambda moment: format_datetime(moment.astimezone(timezone(timedelta(hours=5)))),
}


@pytest.mark.parametrize("write", ZONES.values(), ids=ZONES)
def test_retry_after_is_read_as_a_date(write: Callable[[datetime], str]) -> None:
    seconds = explain.parse_retry_after(write(datetime.now(UTC) + timedelta(minutes=10)))
    assert seconds is not None
    assert 540 < seconds <= 600


def test_a_date_that_is_near_is_never_0_seconds_away() -> None:
    """Some part of a second is left, which must not be rounded to "Call again after 0 s"."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    assert "after 0 s" not in str(explain.from_response(PATCH, 503, {"retry-after": date}, None))


PRINTABLE: dict[str, tuple[str, str]] = {
    "plain": ("Not found", "Not found"),
    "full stop": ("Not found.", "Not found"),
    "several lines": ("  Not\r\n\tfound ", "Not found"),
    "control characters": ("\x1b[31mred\x07", "[31mred"),
    "a lone surrogate": ("a\ud800b", "a b"),
    "direction marks": ("a\u202eb", "a b"),
    "other scripts": ("Проект не найден 🚀", "Проект не найден 🚀"),
    "300 characters": ("x" * 300, "x" * 300),
    "301 characters": ("x" * 301, "x" * 300 + "…"),
    "blanks only": (" \n ", ""),
}


@pytest.mark.parametrize(("text", "shown"), PRINTABLE.values(), ids=PRINTABLE)
def test_a_text_from_outside_becomes_one_printable_line(text: str, shown: str) -> None:
    assert explain.printable(text) == shown
