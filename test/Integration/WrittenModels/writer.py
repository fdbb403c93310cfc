"""Writes ONNX graphs node by node, with constants in the places where exporters put them."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {"f32": np.dtype(np.float32), "f16": np.dtype(np.float16)}
# Where a weight is: an initializer, one that is an input too, a constant node, or behind nodes that change nothing.
PLACES = ("initializer", "input", "constant", "identity", "cast", "transpose", "reshape")


class Writer:
    """One graph under construction. Names of values are strings; nodes are added in order."""

    def __init__(self, rng, opset, element="f32", place="initializer", outer=None):
        self.rng, self.opset, self.element, self.place = rng, opset, TYPES[element], place
        self.nodes, self.initializers, self.weight_inputs = [], [], []
        # A subgraph numbers its values where the graph around it does, whose values it may read.
        self.outer = outer
        self.count = 0

    def name(self, prefix="v"):
        if self.outer:
            return self.outer.name(prefix)
        self.count += 1
        return f"{prefix}{self.count}"

    def node(self, op, *inputs, outputs=1, domain="", **attributes):
        """Adds a node; returns the name of its result, or a list of them."""
        names = [self.name() for _ in range(outputs)]
        attributes = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op, inputs, names, domain=domain, name=self.name("node_"), **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values):
        """Small numbers: an initializer or a node."""
        values = np.asarray(values)
        name = self.name("c")
        if self.rng.random() < 0.5:
            self.initializers.append(numpy_helper.from_array(values, name))
        else:
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values)))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def int(self, value):
        return self.constant(np.array(value, np.int64))

    def float(self, value):
        return self.constant(np.array(value, self.element))

    def zeros_like(self, x):
        return self.node("Mul", x, self.float(0))

    def stored(self, values):
        name = self.name("w")
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, values):
        values = np.asarray(values, self.element)
        place = self.place
        if place == "transpose":
            order = list(range(values.ndim))
            order[-2:] = order[:-3:-1] if values.ndim > 1 else order[-2:]
            return self.node("Transpose", self.stored(values.transpose(order)), perm=np.argsort(order).tolist())
        if place == "cast" and self.element == np.float32:
            return self.node("Cast", self.stored(values.astype(np.float16)), to=TensorProto.FLOAT)
        if place == "reshape":
            return self.node("Reshape", self.stored(values.reshape(-1)), self.ints(*values.shape))
        if place == "constant":
            return self.node("Constant", value=numpy_helper.from_array(values))
        name = self.stored(values)
        if place == "input":
            self.weight_inputs.append(helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape))
        return self.node("Identity", name) if place == "identity" else name

    def reduce(self, op, x, axis, keepdims):
        """A reduction of one axis, named as the opset wants it."""
        if op == "ReduceSum" or self.opset >= 18:
            return self.node(op, x, self.ints(axis), keepdims=keepdims)
        return self.node(op, x, axes=[axis], keepdims=keepdims)

    def graph(self, name, inputs, outputs):
        return helper.make_graph(self.nodes, name, inputs, outputs, self.initializers)

    def subgraph(self):
        element = next(name for name, kind in TYPES.items() if kind == self.element)
        return Writer(self.rng, self.opset, element, "initializer" if self.place == "input" else self.place, outer=self)

    def model(self, inputs, outputs, functions=()):
        graph = self.graph("written", [*inputs, *self.weight_inputs], outputs)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        if functions:
            opsets.append(helper.make_opsetid("local", 1))
        # The version of the format that came with the opset, and no older one than ONNX Runtime and bf16 need.
        model = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=min(self.opset - 6, 10))
        return model


def tensor(name, element, dims):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(element)), dims)
