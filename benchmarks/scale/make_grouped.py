#!/usr/bin/env python3
"""Writes a model as large as those people export, without its weight bytes.

The graph has the grouped form of the Hugging Face exporter: per layer a router, the rows sorted by expert, and for each
expert a slice of the rows times a slice of the weights. The weights are external data in a sparse file, so 48 layers of
128 experts take no space on disk and read as zeros.

    make_grouped.py FOLDER [--layers 48] [--experts 128] [--hidden 512] [--inner 224] [--k 8]

writes FOLDER/model.onnx and FOLDER/model.onnx.data.
Needs: numpy, onnx.
"""
import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Collects nodes and initializers; every method returns the name of a value."""

    def __init__(self):
        self.nodes, self.initializers, self.weight_bytes, self.constants = [], [], 0, {}

    def node(self, op_type, inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, names, name=f"n{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values, dtype=np.int64):
        array = np.array(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = f"c{len(self.constants)}"
            self.initializers.append(numpy_helper.from_array(array, self.constants[key]))
        return self.constants[key]

    def weight(self, name, shape):
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
        size = 4 * int(np.prod(shape))
        for key, value in (("location", "model.onnx.data"), ("offset", self.weight_bytes), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        self.weight_bytes += size
        self.initializers.append(tensor)
        return name


def experts_product(graph, rows, offsets, weight, experts):
    """One product per expert over the rows [offsets[e], offsets[e + 1])."""
    axis0, one = graph.constant([0]), graph.constant(1)
    slices = graph.node("Split", [weight], outputs=experts, axis=0, num_outputs=experts)
    products = []
    for expert in range(experts):
        indices = graph.node("Range", [offsets[expert], offsets[expert + 1], one])
        picked = graph.node("Gather", [rows, indices], axis=0)
        matrix = graph.node("Squeeze", [slices[expert], axis0])
        products.append(graph.node("MatMul", [picked, matrix]))
    return graph.node("Concat", products, axis=0)


def layer(graph, x, index, args):
    e, h, i, k = args.experts, args.hidden, args.inner, args.k
    prefix = f"model.layers.{index}.mlp"
    logits = graph.node("MatMul", [x, graph.weight(f"{prefix}.gate.weight", [h, e])])
    scores = graph.node("Softmax", [logits], axis=-1)
    gates, ids = graph.node("TopK", [scores, graph.constant([k])], outputs=2, axis=-1)
    flat = graph.node("Reshape", [ids, graph.constant([-1])])
    count = graph.node("Shape", [flat])
    _, order = graph.node("TopK", [graph.node("Cast", [flat], to=TensorProto.FLOAT), count], outputs=2, largest=0)
    histogram = graph.node(
        "ScatterElements",
        [graph.constant([0] * e), flat, graph.node("Expand", [graph.constant([1]), count])],
        axis=0, reduction="add")
    ends = graph.node("CumSum", [histogram, graph.constant(0)])
    split = graph.node("Split", [ends], outputs=e, axis=0, num_outputs=e)
    scalar = graph.constant([], np.int64)
    offsets = [graph.constant(0)] + [graph.node("Reshape", [value, scalar]) for value in split]
    token = graph.node("Div", [order, graph.constant(k)])
    rows = graph.node("Gather", [x, token], axis=0)
    gate_up = experts_product(graph, rows, offsets, graph.weight(f"{prefix}.gate_up", [e, h, 2 * i]), e)
    gate, up = graph.node("Split", [gate_up], outputs=2, axis=-1, num_outputs=2)
    silu = graph.node("Mul", [gate, graph.node("Sigmoid", [gate])])
    hidden = graph.node("Mul", [silu, up])
    down = experts_product(graph, hidden, offsets, graph.weight(f"{prefix}.down", [e, i, h]), e)
    flat_gates = graph.node("Reshape", [gates, graph.constant([-1, 1])])
    weighted = graph.node("Mul", [down, graph.node("Gather", [flat_gates, order], axis=0)])
    positions = graph.node("Reshape", [order, graph.constant([-1, 1])])
    shape = graph.node("Shape", [weighted])
    empty = graph.node("ConstantOfShape", [shape])
    unsorted = graph.node("ScatterND", [empty, positions, weighted])
    slots = graph.node("Reshape", [unsorted, graph.constant([-1, k, h])])
    summed = graph.node("ReduceSum", [slots, graph.constant([1])], keepdims=0)
    return graph.node("Add", [x, summed])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=48)
    parser.add_argument("--experts", type=int, default=128)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--inner", type=int, default=224)
    parser.add_argument("--k", type=int, default=8)
    args = parser.parse_args()

    graph, value = Graph(), "x"
    for index in range(args.layers):
        value = layer(graph, value, index, args)
    graph.nodes.append(helper.make_node("Identity", [value], ["y"]))
    signature = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["tokens", args.hidden]) for name in "xy"]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "grouped", signature[:1], signature[1:], graph.initializers),
        opset_imports=[helper.make_opsetid("", 20)], ir_version=10, producer_name="make_grouped")
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "model.onnx").write_bytes(model.SerializeToString())
    with open(args.folder / "model.onnx.data", "wb") as data:
        data.truncate(graph.weight_bytes)
    print(f"{len(graph.nodes)} nodes, {graph.weight_bytes / 2**30:.1f} GiB of weights")


if __name__ == "__main__":
    main()
