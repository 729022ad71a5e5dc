"""A hundred greenlets of a monkey-patched process, which call at once and in turn for two users."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - after the patch
import sys  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402

from neptun_sdk import NeptunClient, NeptunError  # noqa: E402

users = json.loads(sys.argv[1])  # [{"session_cookie": …, "user_id": …, "project_id": …}, …]
start = Event()


def rename(number: int) -> str:
    user = users[number % len(users)]
    own = client.with_session(user["session_cookie"], user["user_id"])
    start.wait()
    try:
        for name in (f"greenlet {number}, first", f"greenlet {number}, second"):
            project = own.update_project(user["project_id"], name=name)
            if (project.name, project.neptun_user_id) != (name, user["user_id"]):
                return f"{name}: {project}"
    except NeptunError as error:
        return str(error)
    return "as sent"


with NeptunClient(timeout=50) as client:
    greenlets = [gevent.spawn(rename, number) for number in range(100)]
    gevent.sleep()
    start.set()
    gevent.joinall(greenlets)
print(json.dumps([greenlet.value for greenlet in greenlets]))
