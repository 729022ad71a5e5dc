"""Documented <-> deployed: the one place that knows how a deployed server differs from the published contract."""


def is_access_refusal(body: object) -> bool:
    """Tell whether a 401 means «the session is fine, but the resource is not yours or does not exist».

    A deployed server says that in an error body that has a ``statusMessage`` and no ``message``; where the session
    itself is not valid there is a ``message``, as in the contract.
    """
    return isinstance(body, dict) and "statusMessage" in body and "message" not in body
