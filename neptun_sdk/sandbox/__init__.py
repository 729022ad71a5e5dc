"""The embedded Neptun: a real HTTP server on loopback, state in memory (extra: ``neptun-sdk[sandbox]``)."""

try:
    from neptun_sdk.sandbox.app import RecordedRequest
    from neptun_sdk.sandbox.server import Sandbox
    from neptun_sdk.sandbox.state import Account
except ModuleNotFoundError as _exc:
    raise ModuleNotFoundError(
        f"neptun_sdk.sandbox needs {_exc.name}, which comes with the extra: neptun-sdk[sandbox]",
        name=_exc.name,
    ) from _exc

__all__ = ["Account", "RecordedRequest", "Sandbox"]
