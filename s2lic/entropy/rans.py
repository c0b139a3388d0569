"""The range coder in plain Python: the same bytes as `compressai.ans`, for tests and as a fallback.

rANS of Duda (arXiv 1311.2540) in the 64-bit form of Giesen (arXiv 1402.3392): the state is in [2**31, 2**63),
frequencies sum to 2**16, and 32-bit words are written little-endian. Bypass coding is not implemented, because rows
that end in a zero-width slot never use it.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence

from s2lic.container.header import STATE_BYTES
from s2lic.errors import TruncatedError, UsageError

PRECISION = 16
MASK = (1 << PRECISION) - 1
LOWEST = 1 << 31
# A state at or above frequency * SPILL would leave [2**31, 2**63) when the symbol is pushed.
SPILL = 1 << 47


class BufferedRansEncoder:
    """Collects symbols over many calls. `flush` codes them, last first."""

    def __init__(self) -> None:
        self._slots: list[tuple[int, int]] = []

    def encode_with_indexes(
        self,
        symbols: Sequence[int],
        indexes: Sequence[int],
        cdfs: Sequence[Sequence[int]],
        cdf_sizes: Sequence[int],
        offsets: Sequence[int],
    ) -> None:
        """Append `symbols[i]` with row `indexes[i]`. Raises UsageError for a symbol outside its row."""
        for symbol, row in zip(symbols, indexes, strict=True):
            slot = symbol - offsets[row]
            if not 0 <= slot < cdf_sizes[row] - 2:
                raise UsageError(f"symbol {symbol} lies beyond row {row}: clip it first")
            start = cdfs[row][slot]
            self._slots.append((start, cdfs[row][slot + 1] - start))

    def flush(self) -> bytes:
        """Code and clear all collected symbols. Without symbols the result is 8 bytes."""
        state, words = LOWEST, []
        for start, frequency in reversed(self._slots):
            if state >= frequency * SPILL:
                words.append(state & 0xFFFFFFFF)
                state >>= 32
            quotient, remainder = divmod(state, frequency)
            state = (quotient << PRECISION) + remainder + start
        self._slots.clear()
        return struct.pack(f"<Q{len(words)}I", state, *reversed(words))


class RansDecoder:
    """Reads symbols in the order they were appended, over any number of calls."""

    def __init__(self) -> None:
        self._state = 0
        self._words: tuple[int, ...] = ()
        self._next = 0

    def set_stream(self, stream: bytes) -> None:
        """Start reading `stream`. Raises TruncatedError below 8 bytes."""
        if len(stream) < STATE_BYTES:
            raise TruncatedError(f"a coded stream has at least {STATE_BYTES} bytes, not {len(stream)}")
        count = (len(stream) - STATE_BYTES) // 4
        self._state, *words = struct.unpack(f"<Q{count}I", stream[: STATE_BYTES + 4 * count])
        self._words, self._next = tuple(words), 0

    def decode_stream(
        self,
        indexes: Sequence[int],
        cdfs: Sequence[Sequence[int]],
        cdf_sizes: Sequence[int],
        offsets: Sequence[int],
    ) -> list[int]:
        """One symbol per row index. Raises TruncatedError if the words run out."""
        state, words, at, symbols = self._state, self._words, self._next, list[int]()
        try:
            for row in indexes:
                cdf = cdfs[row]
                low = state & MASK
                slot = bisect_right(cdf, low) - 1
                start = cdf[slot]
                state = (cdf[slot + 1] - start) * (state >> PRECISION) + low - start
                if state < LOWEST:
                    state, at = state << 32 | words[at], at + 1
                symbols.append(slot + offsets[row])
        except IndexError as error:
            raise TruncatedError("the coded stream ends before its last symbol") from error
        self._state, self._next = state, at
        return symbols
