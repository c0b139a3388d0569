"""The range coders, which write the same bytes: the compiled one of this package, CompressAI's, and plain Python."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import sys
from functools import cache
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from s2lic.container.header import STATE_BYTES
from s2lic.entropy import rans
from s2lic.entropy.tables import Tables
from s2lic.errors import TruncatedError, UsageError

COMPRESSAI = "compressai.ans"
OUT_OF_WORDS = -3  # as in _rans.c

Ints = NDArray[np.integer[Any]]


class SymbolDecoder(Protocol):
    """Reads the symbols of one stream in the order in which they were coded."""

    def __call__(self, rows: Ints) -> NDArray[np.int16]:
        """One symbol for each row, both flat."""


class RangeCoder(Protocol):
    """Codes symbols, each with a row of the tables."""

    name: str

    def encode(self, symbols: Ints, rows: Ints, tables: Tables) -> bytes:
        """The stream of all symbols, which lie within their rows; at least 8 bytes. Both arrays are flat."""

    def decoder(self, stream: bytes, tables: Tables) -> SymbolDecoder:
        """Begins to read a stream of at least 8 bytes."""


class ListCoder:
    """A module with the interface of `compressai.ans`, which takes lists and copies all rows in every call."""

    def __init__(self, module: ModuleType) -> None:
        self.name, self._module = module.__name__, module

    def encode(self, symbols: Ints, rows: Ints, tables: Tables) -> bytes:
        encoder = self._module.BufferedRansEncoder()
        if symbols.size:
            encoder.encode_with_indexes(symbols.tolist(), *tables.arguments(rows))
        stream: bytes = encoder.flush()
        return stream

    def decoder(self, stream: bytes, tables: Tables) -> SymbolDecoder:
        decoder = self._module.RansDecoder()
        decoder.set_stream(stream)

        def read(rows: Ints) -> NDArray[np.int16]:
            return np.array(decoder.decode_stream(*tables.arguments(rows)) if rows.size else [], np.int16)

        return read


class _Rows(ctypes.Structure):
    """The C structure `Tables`."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("cdf", "starts", "sizes", "offsets")),
        ("count", ctypes.c_int32),
    ]


class NativeCoder:
    """`_rans.c`, on arrays. Raises ImportError where it was not built."""

    name = "s2lic.entropy._rans"

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(importlib.import_module(self.name).__file__))
        self._encode, self._decode = self._library.s2lic_rans_encode, self._library.s2lic_rans_decode
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        self._encode.restype = self._decode.restype = count
        self._encode.argtypes = [pointer, pointer, count, pointer, pointer]
        self._decode.argtypes = [pointer, count, pointer, pointer, pointer, count, pointer, pointer]

    def encode(self, symbols: Ints, rows: Ints, tables: Tables) -> bytes:
        flat, own, out = _int32(symbols), _int32(rows), np.empty(4 * (symbols.size + 2), np.uint8)
        with_rows = _CRows(tables)
        words = self._encode(_at(flat), _at(own), flat.size, ctypes.byref(with_rows.rows), _at(out))
        if words < 0:
            raise UsageError("a symbol lies beyond its row, or a row beyond the tables")
        return out[out.size - 4 * words :].tobytes()

    def decoder(self, stream: bytes, tables: Tables) -> SymbolDecoder:
        if len(stream) < STATE_BYTES:
            raise TruncatedError(f"a coded stream has at least {STATE_BYTES} bytes, not {len(stream)}")
        words, with_rows = np.frombuffer(stream, np.uint8)[STATE_BYTES:], _CRows(tables)
        state = ctypes.c_uint64(int.from_bytes(stream[:STATE_BYTES], "little"))
        done = ctypes.c_int64(0)

        def read(rows: Ints) -> NDArray[np.int16]:
            own, symbols = _int32(rows), np.empty(rows.size, np.int16)
            places = ctypes.byref(state), ctypes.byref(done)
            code = self._decode(
                _at(words), words.size // 4, *places, _at(own), own.size, ctypes.byref(with_rows.rows), _at(symbols)
            )
            if code == OUT_OF_WORDS:
                raise TruncatedError("the coded stream ends before its last symbol")
            if code < 0:
                raise UsageError("a row lies beyond the tables")
            return symbols

        return read


class _CRows:
    """Tables as C takes them; the arrays live as long as this object."""

    def __init__(self, tables: Tables) -> None:
        self._arrays = [_int32(part) for part in (tables.cdf, tables.starts, tables.sizes, tables.offsets)]
        self.rows = _Rows(*map(_at, self._arrays), tables.sizes.size)


def _int32(values: Ints) -> NDArray[np.int32]:
    return np.ascontiguousarray(values, np.int32)


def _at(array: NDArray[Any]) -> int:
    address: int = array.ctypes.data
    return address


@cache
def load_coder() -> RangeCoder:
    """The fastest range coder that is installed."""
    try:
        return NativeCoder()
    except (ImportError, OSError):
        return ListCoder(load_ans())


def load_ans() -> ModuleType:
    """CompressAI's `ans`, or its twin in plain Python, `s2lic.entropy.rans`.

    `import compressai` costs seconds and all of torch, so only the compiled file is loaded. It goes under its own name:
    pybind11 registers types per process, and a second copy under another name would abort a later `import compressai`.
    """
    try:
        if COMPRESSAI not in sys.modules:
            sys.modules[COMPRESSAI] = _load_compiled()
        return sys.modules[COMPRESSAI]
    except ImportError:
        return rans


def _load_compiled() -> ModuleType:
    package = importlib.util.find_spec("compressai")
    if package is None:
        raise ImportError("compressai is not installed")
    spec = PathFinder.find_spec(COMPRESSAI, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise ImportError("compressai has no compiled module 'ans' for this Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
