"""A plugin of pytest, ``-p tests.alias``, that lets httpx2 stand in for httpx before anything imports it."""

import httpx2

httpx2.alias_httpx()
