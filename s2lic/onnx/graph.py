"""Construction of ONNX graphs: operators are called as functions on the names of values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2lic.onnx import protobuf
from s2lic.onnx.protobuf import Attribute, Shape

Arrays = dict[str, NDArray[np.generic]]
# Equal constants of at most this many numbers are stored once. Larger ones are not compared.
SHARED = 64
Builder = Callable[["Graph"], None]


def scope(arrays: Arrays, name: str) -> Arrays:
    """The arrays whose names begin with a prefix, without that prefix."""
    return {key[len(name) + 1 :]: value for key, value in arrays.items() if key.startswith(f"{name}.")}


class Graph:
    """An ONNX graph. Values are named by their number unless they are inputs, outputs or weights.

    Args:
        name: The name.
        compact: Store weights in the types of the weights file, which halves the graph; the runtime casts them when it
            loads the graph.
    """

    def __init__(self, name: str, compact: bool = True) -> None:
        self.name, self._compact = name, compact
        self._nodes, self._tensors = list[bytes](), list[bytes]()
        self._inputs, self._outputs = dict[str, Shape](), dict[str, Shape]()
        self._constants: dict[tuple[str, tuple[int, ...], bytes | int], str] = {}

    def input(self, name: str, *shape: int | str) -> str:
        """Declare a float32 input. A string in the shape is a variable size."""
        self._inputs[name] = shape
        return name

    def output(self, name: str, value: str, *shape: int | str) -> None:
        """Declare a value as a float32 output."""
        self._nodes.append(protobuf.node("Identity", [value], name, {}))
        self._outputs[name] = shape

    def op(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operator and return its value."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(protobuf.node(kind, inputs, name, attributes))
        return name

    def weight(self, array: NDArray[np.generic]) -> str:
        """A constant of the type of the array."""
        array = np.asarray(array)
        key = str(array.dtype), array.shape, array.tobytes() if array.size <= SHARED else len(self._tensors)
        if key not in self._constants:
            self._constants[key] = name = f"w{len(self._tensors)}"
            self._tensors.append(protobuf.tensor(name, array))
        return self._constants[key]

    def real(self, value: ArrayLike) -> str:
        """A constant in float32."""
        return self.weight(np.asarray(value, np.float32))

    def floats(self, array: NDArray[np.generic], scale: NDArray[np.float32] | None = None) -> str:
        """A float32 constant, multiplied by powers of two (with broadcasting)."""
        if not self._compact:
            whole = array.astype(np.float32)
            return self.real(whole if scale is None else whole * scale)
        found = self.cast(self.weight(array), "float32")
        return found if scale is None else self.op("Mul", found, self.real(scale))

    def double(self, value: ArrayLike) -> str:
        """A constant in float64."""
        return self.weight(np.asarray(value, np.float64))

    def whole(self, value: ArrayLike) -> str:
        """A constant in int64."""
        return self.weight(np.asarray(value, np.int64))

    def cast(self, x: str, kind: str) -> str:
        """Cast a value to another type, by its numpy name."""
        return self.op("Cast", x, to=protobuf.ELEMENT_TYPES[np.dtype(kind)])

    def size(self, x: str, axis: int) -> str:
        """The size of an axis, int64, (1,)."""
        return self.op("Shape", x, start=axis, end=axis + 1)

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape: 0 keeps the size of an axis, and -1 is inferred."""
        return self.op("Reshape", x, self.whole(shape))

    def round(self, x: str, low: int, high: int) -> str:
        """Round half to even, and clip to limits."""
        return self.op("Clip", self.op("Round", x), self.real(low), self.real(high))

    @property
    def inputs(self) -> dict[str, Shape]:
        """The inputs and their shapes."""
        return self._inputs

    @property
    def outputs(self) -> dict[str, Shape]:
        """The outputs and their shapes."""
        return self._outputs

    def to_bytes(self) -> bytes:
        """The ONNX model."""
        ends = ([protobuf.value_info(*end) for end in ends.items()] for ends in (self._inputs, self._outputs))
        return protobuf.model(self.name, self._nodes, self._tensors, *ends)
