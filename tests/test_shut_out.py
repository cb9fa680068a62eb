"""Processes of the service start without what they don't need, also where it is installed."""

import subprocess
import sys

import pytest

_WRITER = """
import sys
import pytest
from sluice.lake import writer
assert writer.main(["{}"]) == 2
import pyarrow
from sluice.shut_out import shut_out
assert "pandas" not in sys.modules, "it came with the writer's modules"
shut_out("pandas")
pyarrow.array(["a"])
assert "pandas" not in sys.modules
with pytest.raises(ModuleNotFoundError):
    import pandas
"""
_TELEMETRY = """
import sys
import sluice.telemetry
assert "rich" not in sys.modules
import rich
"""


@pytest.mark.parametrize("program", [_WRITER, _TELEMETRY], ids=["pandas in the lake writer", "rich with messages"])
def test_it_is_not_imported(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
