"""For tests of programs that send events: a real service on free ports and a temporary folder.

    import sluice.testing

    with sluice.testing.server() as sluice_server:
        ...                                                       # send to sluice_server.url
        rows = sluice_server.wait_for(event_name="paid")          # a pyarrow.Table

For pytest there is a fixture: plugin.py, docs/testing.md.
"""

from sluice.testing.process import ServerFailed
from sluice.testing.rows import EventsMissing
from sluice.testing.server import RunningServer, server

__all__ = ["EventsMissing", "RunningServer", "ServerFailed", "server"]
