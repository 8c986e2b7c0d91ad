"""The weights in a .onnx, in the order in which they are used."""

from collections.abc import Iterator

import numpy as np

from reno_tf.errors import UserError, one_line
from reno_tf.models.kernels import WeightArray

# Operation -> which of its inputs are the kernel, the bias, and the kernel's scale and zero where it has them.
_INPUTS = {
    "Conv": (1, 2, None, None),
    "Gemm": (1, 2, None, None),
    "MatMul": (1, None, None, None),
    "QLinearConv": (3, None, 4, 5),
    "QLinearMatMul": (3, None, 4, 5),
    "ConvInteger": (1, None, None, 3),  # Its scale and bias come later.
    "MatMulInteger": (1, None, None, 3),
}
_DEEPEST = 20  # operations between a stored array and where it is used


def read_onnx(path: str) -> list[WeightArray]:
    """Kernels and biases of its convolutions and dense layers, under the names of the kernels, and BatchNorm's arrays.

    The files that it keeps weights in were looked at (`onnx_files.files_beside`). Raises UserError if it is damaged.
    """
    import onnx

    try:
        return list(_Reader(onnx.load(path)).arrays())
    except Exception as error:  # onnx raises classes of its own for each kind of damage.
        raise UserError(f"{path} is damaged: {one_line(error)}") from None


class _Reader:
    def __init__(self, model):
        self._nodes = model.graph.node
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._made = {name: node for node in self._nodes for name in node.output}
        self._readers = {name: node for node in self._nodes for name in node.input}

    def arrays(self) -> Iterator[WeightArray]:
        for node in self._nodes:
            if node.op_type == "BatchNormalization":
                yield from self._norm(node)
            elif node.op_type in _INPUTS:
                yield from self._layer(node)

    def _norm(self, node):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        arrays = [self._array(name) for name in node.input[1:5]]
        if all(array is not None for array in arrays):
            layer = node.input[1].rpartition(".")[0] or node.input[1]
            for name, (values, _) in zip(names, arrays, strict=True):
                yield WeightArray(f"{layer}/{name}", values)

    def _layer(self, node):
        kernel, bias, scale, zero = (
            node.input[place] if place is not None and place < len(node.input) else ""
            for place in _INPUTS[node.op_type]
        )
        if "Integer" in node.op_type:
            scale, bias = self._behind(node)
        array = self._array(kernel, scale, zero, axis=-1 if "MatMul" in node.op_type else 0)
        if array is None or (axes := _axes(node, array[0])) is None:
            return
        values, step = array
        yield WeightArray(
            f"{kernel}/kernel", values.transpose(axes), np.broadcast_to(step, values.shape).transpose(axes)
        )
        shift = self._array(bias)
        if shift is not None and shift[0].ndim == 1:
            yield WeightArray(f"{kernel}/bias", *shift)

    def _behind(self, node) -> tuple[str, str]:
        """(the kernel's scale, the bias) of an operation whose whole numbers become floats behind it; "" without one.

        Dynamic quantisation multiplies them by the product of the images' scale and the kernel's, and adds the bias.
        """
        cast = self._reader_of(node, "Cast")
        product = cast and self._reader_of(cast, "Mul")
        total = product and self._reader_of(product, "Add")
        return self._stored_behind(product, "Mul"), self._stored_behind(total, "Reshape")

    def _reader_of(self, node, kind):
        """The operation of this kind that takes what the node gives, or None."""
        reader = self._readers.get(node.output[0])
        return reader if reader is not None and reader.op_type == kind else None

    def _stored_behind(self, node, kind) -> str:
        """The stored array among the inputs of the node, or of one of `kind` that makes such an input; "" if none."""
        names = list(node.input) if node else []
        made = [self._made[name] for name in names if name in self._made and self._made[name].op_type == kind]
        names += [name for one in made for name in one.input[: 1 if kind == "Reshape" else None]]
        return next((name for name in names if name in self._stored), "")

    def _array(self, name, scale="", zero="", axis=0, depth=0) -> tuple | None:
        """(values, step) of what is stored under the name, through casts and quantisation; None: it is computed."""
        from onnx import numpy_helper

        if name in self._stored:
            return self._dequantised(numpy_helper.to_array(self._stored[name]), scale, zero, axis)
        node = self._made.get(name)
        if node is None or depth > _DEEPEST:
            return None
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Constant" and "value" in attributes:
            return self._dequantised(numpy_helper.to_array(attributes["value"].t), scale, zero, axis)
        if node.op_type in ("Identity", "Cast"):
            return self._array(node.input[0], scale, zero, axis, depth + 1)
        if node.op_type == "DequantizeLinear":
            of_axis = attributes["axis"].i if "axis" in attributes else 1
            quantised, scale, zero = (*node.input, "")[:3]
            return self._array(quantised, scale, zero, of_axis, depth + 1)
        return None

    def _dequantised(self, values, scale, zero, axis):
        if values.dtype.kind == "f" or values.dtype.name == "bfloat16":
            return values, np.float32(0)
        if values.dtype.kind not in "iu" or values.dtype.itemsize > 4:
            return None
        factors, zeros = (
            self._per_channel(self._array_or(name, default), values.ndim, axis)
            for name, default in ((scale, 1), (zero, 0))
        )
        return (values.astype(np.float32) - zeros) * factors, factors

    def _array_or(self, name, default):
        from onnx import numpy_helper

        return numpy_helper.to_array(self._stored[name]) if name in self._stored else np.array(default)

    def _per_channel(self, numbers, rank, axis):
        numbers = numbers.astype(np.float32)
        if numbers.size == 1:
            return numbers.reshape(())
        shape = [1] * rank
        shape[axis] = numbers.size
        return numbers.reshape(shape)


def _axes(node, values) -> tuple | None:
    """The axes of the kernel in Keras's order: [out, in, h, w] -> [h, w, in, out]; None for other ranks."""
    if "Conv" in node.op_type:
        if values.ndim != 4:
            return None
        depthwise = values.shape[1] == 1 and values.shape[0] > 1
        return (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
    if values.ndim != 2:
        return None
    turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return (1, 0) if turned else (0, 1)
