"""The error of an RQ job, as RQ keeps it: the text of its traceback. Redis is a fake one, in this process."""

import json

import fakeredis
import httpx
import rq
from rq.serializers import JSONSerializer

from neptun_sdk import NeptunClient


def update() -> None:
    """Make the call whose error is looked at."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(404, json={"statusCode": 404, "message": "no such project"})
    )
    NeptunClient(transport=transport).update_project(123, name="New name")


if __name__ == "__main__":  # RQ imports this module for the job
    connection = fakeredis.FakeStrictRedis()
    queue = rq.Queue(connection=connection, serializer=JSONSerializer)
    job = queue.enqueue("rq_results.update")
    rq.SimpleWorker([queue], connection=connection, serializer=JSONSerializer).work(
        burst=True, logging_level="CRITICAL"
    )
    result = job.latest_result()
    assert result is not None
    print(json.dumps({"status": str(job.get_status()), "text": result.exc_string}))
