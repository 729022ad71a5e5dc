"""The embedded Neptun: a real HTTP server on loopback, state in memory (extra: ``neptun-sdk[sandbox]``)."""

from neptun_sdk.sandbox.server import Sandbox
from neptun_sdk.sandbox.state import Account

__all__ = ["Account", "Sandbox"]
