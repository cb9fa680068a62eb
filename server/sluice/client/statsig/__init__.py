"""For services that log events through PyPI `statsig`: the same names, so that another import line is all that changes.

    from sluice.client.statsig import StatsigEvent, StatsigOptions, StatsigUser, statsig

Events go to Sluice by gRPC, through sluice.client. There are no gates, configs and experiments: see docs/client.md.
"""

from sluice.client.statsig import statsig
from sluice.client.statsig.options import StatsigOptions
from sluice.client.statsig.server import InitializeDetails, NotServed, StatsigServer
from sluice.client.statsig.types import (
    StatsigEnvironmentTier,
    StatsigEvent,
    StatsigRuntimeError,
    StatsigUser,
    StatsigValueError,
)

__all__ = [
    "InitializeDetails",
    "NotServed",
    "StatsigEnvironmentTier",
    "StatsigEvent",
    "StatsigOptions",
    "StatsigRuntimeError",
    "StatsigServer",
    "StatsigUser",
    "StatsigValueError",
    "statsig",
]
