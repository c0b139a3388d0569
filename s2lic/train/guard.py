"""Bad steps: what is skipped, and when a run gives up."""

from __future__ import annotations

import math
from collections import deque

from s2lic.errors import TrainingDivergedError

MAX_BAD_STEPS = 5
RECENT = 50
# A batch of another picture or quality changes the loss by a factor of three; a wild step by thousands.
WORST_JUMP = 100.0


class Guard:
    """Counts steps whose loss or gradient is not finite, or whose loss leapt away from the recent ones."""

    def __init__(self) -> None:
        self.bad_in_a_row, self.skipped = 0, 0
        self._recent: deque[float] = deque(maxlen=RECENT)

    def accepts(self, loss: float, norm: float) -> bool:
        """Whether the step may be taken. Raises TrainingDivergedError after too many bad ones in a row."""
        good = math.isfinite(norm) and math.isfinite(loss) and not self._leapt(loss)
        self.bad_in_a_row = 0 if good else self.bad_in_a_row + 1
        self.skipped += not good
        if good:
            self._recent.append(loss)
        if self.bad_in_a_row > MAX_BAD_STEPS:
            raise TrainingDivergedError(
                f"{self.bad_in_a_row} steps in a row without a usable loss and gradient (last loss {loss:.3g}): "
                "lower --lr, or go on from an older checkpoint"
            )
        return good

    def _leapt(self, loss: float) -> bool:
        usual = sorted(self._recent)[len(self._recent) // 2] if len(self._recent) == RECENT else math.inf
        return loss > WORST_JUMP * usual
