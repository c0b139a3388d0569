"""The part of ONNX's protobuf that its graphs need (onnx.proto, IR version 10).

The `onnx` package would add 55 MB to the 150 MB of a decoder, and 0.2 s to its start.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from s2lic.container.varint import write_varint

IR_VERSION, OPSET = 10, 20
PRODUCER = "s2lic"
# TensorProto.DataType
_TYPES = {"float32": 1, "int8": 3, "int16": 5, "int32": 6, "int64": 7, "float16": 10, "float64": 11}
ELEMENT_TYPES = {np.dtype(name): number for name, number in _TYPES.items()}
# AttributeProto.AttributeType
FLOAT, INT, STRING, INTS = 1, 2, 3, 7

Attribute = int | float | str | Sequence[int]
Shape = Sequence[int | str]


def number(field: int, value: int) -> bytes:
    """A field of wire type 0; negative numbers are in two's complement of 64 bits."""
    return write_varint(field << 3) + _varint64(value)


def message(field: int, content: bytes | str) -> bytes:
    """A field of wire type 2: a message, a text or bytes."""
    data = content.encode() if isinstance(content, str) else content
    return write_varint(field << 3 | 2) + write_varint(len(data)) + data


def _varint64(value: int) -> bytes:
    """A varint of up to ten bytes. The container's own varints are shorter."""
    value &= (1 << 64) - 1
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def tensor(name: str, array: NDArray[np.generic]) -> bytes:
    """A TensorProto with raw data."""
    dims = b"".join(number(1, size) for size in array.shape)
    raw = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return dims + number(2, ELEMENT_TYPES[array.dtype]) + message(8, name) + message(9, raw)


def attribute(name: str, value: Attribute) -> bytes:
    """An AttributeProto."""
    if isinstance(value, str):
        return message(1, name) + message(4, value) + number(20, STRING)
    if isinstance(value, float):
        return message(1, name) + write_varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, FLOAT)
    if isinstance(value, int):
        return message(1, name) + number(3, value) + number(20, INT)
    return message(1, name) + b"".join(number(8, item) for item in value) + number(20, INTS)


def node(kind: str, inputs: Iterable[str], output: str, attributes: dict[str, Attribute]) -> bytes:
    """A NodeProto with one output, named after it."""
    ends = b"".join(message(1, name) for name in inputs) + message(2, output) + message(3, output)
    return ends + message(4, kind) + b"".join(message(5, attribute(*item)) for item in attributes.items())


def value_info(name: str, shape: Shape) -> bytes:
    """The ValueInfoProto of a float32 tensor; a string in the shape is a variable size."""
    dims = b"".join(message(1, message(2, side) if isinstance(side, str) else number(1, side)) for side in shape)
    kind = number(1, ELEMENT_TYPES[np.dtype("float32")]) + message(2, dims)
    return message(1, name) + message(2, message(1, kind))


def model(
    name: str, nodes: Sequence[bytes], tensors: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes]
) -> bytes:
    """A ModelProto."""
    parts = ((1, nodes), (5, tensors), (11, inputs), (12, outputs))
    graph = message(2, name) + b"".join(message(field, item) for field, items in parts for item in items)
    return number(1, IR_VERSION) + message(2, PRODUCER) + message(7, graph) + message(8, number(2, OPSET))
