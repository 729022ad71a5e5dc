"""The command ``neptun-sandbox``, which needs the extra ``sandbox`` and says so in one line without it."""

import sys


def main() -> None:
    """Run the command."""
    try:
        from neptun_sdk.sandbox.cli import main as run
    except ModuleNotFoundError as error:
        sys.exit(f"neptun-sandbox: {error} (in a checkout: pip install '.[sandbox]')")
    run()
