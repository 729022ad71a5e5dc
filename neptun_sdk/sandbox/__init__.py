"""The embedded Neptun: a real HTTP server on loopback, state in memory (extra: ``neptun-sdk[sandbox]``)."""

try:
    from neptun_sdk.sandbox.server import Sandbox
    from neptun_sdk.sandbox.state import Account
except ModuleNotFoundError as _fault:
    raise ModuleNotFoundError(
        f"neptun_sdk.sandbox needs {_fault.name}, which comes with its extra: pip install 'neptun-sdk[sandbox]'",
        name=_fault.name,
    ) from _fault

__all__ = ["Account", "Sandbox"]
