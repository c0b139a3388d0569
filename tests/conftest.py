"""Settings of the test process that must stand before torch is loaded."""

from __future__ import annotations

import os

# Waiting threads spin by default; on a busy machine two of them are then 60 times slower than one.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
