"""A service under New Relic's agent, which writes what it would send to the file that $NEW_RELIC_AUDIT_LOG names."""

import json

import newrelic.agent

newrelic.agent.initialize()

from neptun_sdk import NeptunClient, NeptunError  # noqa: E402 - after the agent, as its manual says

error_text = ""
application = newrelic.agent.register_application(timeout=10.0)
with newrelic.agent.BackgroundTask(application, "rename"), NeptunClient() as client:
    client.update_project(789, name="New name")
    try:
        client.update_project(789, name="New name")
    except NeptunError as error:
        error_text = str(error)
        newrelic.agent.notice_error()
newrelic.agent.shutdown_agent(timeout=10.0)
print(json.dumps(error_text))
