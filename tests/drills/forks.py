"""Run modules of Python in forks of this process, which has imported what they need: that takes longer than they do.

Each line of the input is a module and its arguments, each line of the output a return code and what the module printed,
all as JSON.
"""

import gc
import importlib
import json
import os
import runpy
import sys
import tempfile

# What the contract tests import from outside the repository. What is in it changes from one command to the next.
PRELOADED = (
    "attrs",
    "cheroot.wsgi",
    "httpx",
    "hypothesis",
    "openapi_schema_validator",
    "openapi_spec_validator",
    "pytest",
    "werkzeug.routing",
    "werkzeug.wrappers",
    "yaml",
)


def main() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # no fork has to search all of this for garbage
    for line in sys.stdin:
        module, *arguments = json.loads(line)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            child = os.fork()
            if child == 0:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                sys.argv[1:] = arguments
                runpy.run_module(module, run_name="__main__", alter_sys=True)
                return
            _, status = os.waitpid(child, 0)
            output.seek(0)
            print(json.dumps([os.waitstatus_to_exitcode(status), output.read()]), flush=True)


if __name__ == "__main__":
    main()
