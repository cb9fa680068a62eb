"""What this process has counted."""

from prometheus_client import REGISTRY


def counted(name: str, **labels: str) -> float:
    """The value of a figure; 0 where it was never counted."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
