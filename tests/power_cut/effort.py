"""How much is tried: `make test-power-cut` sets the factor."""

import os

# How many times as much as in `make test`.
FACTOR = int(os.environ.get("SLUICE_TEST_POWER_CUTS", "1"))
