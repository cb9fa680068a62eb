"""What compiled functions are given, as types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bytes", "Places", "widened"]

Bytes: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.int32]

if TYPE_CHECKING:

    def widened(number: Any) -> int:
        """A small number as one that arithmetic doesn't overflow."""

else:
    widened = np.int64
