"""What a process does with memory that it has freed: kept for the next picture, or given back at once."""

from __future__ import annotations

import ctypes
import sys

# Parameters of glibc's mallopt (malloc.h). The largest threshold that it takes is 32 MiB.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT, MAPPED = 256 << 20, 32 << 20


def keep_freed_memory() -> bool:
    """Lets this process keep up to 256 MiB that it has freed; whether its C library can.

    A decode frees and takes again some 40 MiB, and each page that comes anew from the system costs a fault: a
    twentieth of the time of `nano`. It holds for all that the process does, so a library does not call it by itself.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and mallopt(MMAP_THRESHOLD, MAPPED) == 1 and mallopt(TRIM_THRESHOLD, KEPT) == 1
