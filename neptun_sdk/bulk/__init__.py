"""Many updates: one call that loses nothing, in threads, processes or on a cluster.

``import neptun_sdk`` loads none of it. Only the names in ``__all__`` are public; modules may move.
"""

from neptun_sdk.bulk.run import BulkRun, bulk_update
from neptun_sdk.bulk.updates import Outcome, Status, Update

__all__ = ["BulkRun", "Outcome", "Status", "Update", "bulk_update"]
