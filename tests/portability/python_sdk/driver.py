"""Makes the calls it reads through the public interface of neptun-sdk, and prints what came of each."""

import json
import logging
import os
import re
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

import neptun_sdk
from neptun_sdk import NeptunClient, NeptunError, UpdateNotVerifiedError

ERRORS = {
    neptun_sdk.ArgumentError: "argument",
    neptun_sdk.NeptunTimeoutError: "timeout",
    neptun_sdk.NeptunConnectionError: "connection",
    neptun_sdk.BadRequestError: "bad_request",
    neptun_sdk.AuthenticationError: "unauthorized",
    neptun_sdk.PermissionDeniedError: "forbidden",
    neptun_sdk.NotFoundError: "not_found",
    neptun_sdk.RateLimitError: "rate_limited",
    neptun_sdk.ServerError: "server_error",
    UpdateNotVerifiedError: "not_verified",
}


ABOUT_THE_CALL = {"id", "session", "operation", "user_id", "fields", "max_retries", "dialect"}


def make_call(shared: NeptunClient, call: dict[str, Any]) -> Any:
    client = shared.with_session(call["session"], call.get("user_id", 1))
    client = client.with_options(max_retries=call.get("max_retries", 0))
    method = getattr(client, python_name(call["operation"]))
    parameters = {python_name(name): value for name, value in call.items() if name not in ABOUT_THE_CALL}
    return method(**parameters, **call.get("fields", {}))


def python_name(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])|-", "_", name).lower()


def resource(result: Any) -> Any:
    if isinstance(result, list | tuple):
        return [resource(each) for each in result]
    if result is None:
        return None
    fields = {name: value for name, value in asdict(result).items() if name != "extra" and value is not None}
    return {**result.extra, **fields}


def outcome(shared: NeptunClient, call: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"resource": resource(make_call(shared, call))}
    except NeptunError as error:
        kind = next((name for kind, name in ERRORS.items() if isinstance(error, kind)), "invalid_response")
        known = {"error": kind, "applied": error.applied, "attempts": error.attempts}
        names = {"status_code": "status", "fields": "fields", "differences": "differences"}
        known |= {ours: getattr(error, name) for name, ours in names.items() if getattr(error, name, None)}
        # Not server_message: it has words where the server has none, and no full stop.
        body = getattr(error, "body", None)
        message = (body.get("message") or body.get("statusMessage")) if isinstance(body, dict) else None
        known |= {"message": message} if message else {}
        return known | ({"resource": resource(error.resource)} if isinstance(error, UpdateNotVerifiedError) else {})


def main() -> None:
    logging.getLogger("neptun_sdk").addHandler(logging.NullHandler())  # else its warnings go to standard error
    clients = {
        dialect: NeptunClient.shared(base_url=os.environ["NEPTUN_BASE_URL"], dialect=dialect)
        for dialect in ("documented", "deployed")
    }
    for line in sys.stdin:
        call = json.loads(line)
        made = outcome(clients[call.get("dialect", "documented")], call)
        print(json.dumps({"id": call["id"], "outcome": made}, default=datetime.isoformat), flush=True)


if __name__ == "__main__":
    main()
