"""The embedded Neptun: a real HTTP server on loopback, state in memory (extra: ``neptun-sdk[sandbox]``)."""

try:
    from neptun_sdk.sandbox.server import Sandbox
    from neptun_sdk.sandbox.state import Account
except ModuleNotFoundError as fault:
    raise ModuleNotFoundError(
        f"neptun_sdk.sandbox needs {fault.name}, which comes with its extra: pip install 'neptun-sdk[sandbox]'",
        name=fault.name,
    ) from fault

__all__ = ["Account", "Sandbox"]
