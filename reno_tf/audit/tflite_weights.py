"""The weights in a .tflite, in the order in which they are used."""

from collections.abc import Iterator

import numpy as np

from reno_tf.errors import UserError, one_line
from reno_tf.models.kernels import WeightArray

_TYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32}
# Of the kernel in the file -> Keras's axes.
_AXES = {"CONV_2D": (1, 2, 3, 0), "DEPTHWISE_CONV_2D": (1, 2, 3, 0), "FULLY_CONNECTED": (1, 0)}


def read_tflite(path: str) -> list[WeightArray]:
    """Kernels and biases of its convolutions and dense layers, under the names of the kernels.

    Raises UserError if it is damaged.
    """
    try:
        with open(path, "rb") as file:
            return list(_Reader(file.read()).arrays())
    except Exception as error:  # Numbers out of place make its reader raise almost anything.
        raise UserError(f"{path} is damaged: {one_line(error)}") from None


class _Reader:
    def __init__(self, content: bytes):
        from tensorflow.lite.python import schema_py_generated as schema

        self._model = schema.Model.GetRootAs(content, 0)
        self._operations, self._types = (
            {number: name for name, number in vars(kind).items() if not name.startswith("_")}
            for kind in (schema.BuiltinOperator, schema.TensorType)
        )

    def arrays(self) -> Iterator[WeightArray]:
        for number in range(self._model.SubgraphsLength()):
            graph = self._model.Subgraphs(number)
            operators = [graph.Operators(place) for place in range(graph.OperatorsLength())]
            stored_half = {
                operator.Outputs(0): operator.Inputs(0)
                for operator in operators
                if self._operation(operator) == "DEQUANTIZE"
            }
            for operator in operators:
                operation = self._operation(operator)
                if operation in _AXES:
                    yield from self._layer(graph, operator, _AXES[operation], stored_half)

    def _operation(self, operator) -> str:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        return self._operations.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "")

    def _layer(self, graph, operator, axes, stored_half):
        places = [operator.Inputs(place) for place in range(1, operator.InputsLength())]
        tensors = [graph.Tensors(stored_half.get(place, place)) for place in places if place >= 0]
        if not tensors or (kernel := self._array(tensors[0], axes)) is None:
            return
        layer = (tensors[0].Name() or b"").decode(errors="replace")
        yield WeightArray(f"{layer}/kernel", *kernel)
        if len(tensors) > 1 and (bias := self._array(tensors[1], (0,))) is not None:
            yield WeightArray(f"{layer}/bias", *bias)

    def _array(self, tensor, axes) -> tuple | None:
        """(values, step) with the axes in that order; None if the numbers are not in the file."""
        kind = _TYPES.get(self._types.get(tensor.Type()))
        content = self._model.Buffers(tensor.Buffer()).DataAsNumpy()
        if kind is None or tensor.ShapeLength() != len(axes) or not isinstance(content, np.ndarray):
            return None
        values = np.frombuffer(content.tobytes(), kind).reshape(tensor.ShapeAsNumpy())
        step = np.zeros((), np.float32)
        if values.dtype.kind != "f":
            if (quantization := self._quantization(tensor, values.ndim)) is None:
                return None
            scale, zero, shape = quantization
            values = (values.astype(np.float32) - zero.reshape(shape)) * scale.reshape(shape)
            step = np.broadcast_to(scale.reshape(shape), values.shape).transpose(axes)
        return values.transpose(axes), step

    def _quantization(self, tensor, rank):
        stored = tensor.Quantization()
        scale, zero = (stored.ScaleAsNumpy(), stored.ZeroPointAsNumpy()) if stored else (0, 0)
        if not isinstance(scale, np.ndarray) or not isinstance(zero, np.ndarray):
            return None
        shape = [1] * rank
        shape[stored.QuantizedDimension()] = len(scale)
        return scale.astype(np.float32), zero.astype(np.float32), shape
