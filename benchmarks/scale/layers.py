#!/usr/bin/env python3
"""Compiles decoders of 2, 4, 8, … equal layers and prints what grows with their number.

Each layer has grouped-head attention with rotary embedding and a KV cache, written in plain operators, and a routed
layer as a com.microsoft.MoE node; weights are random, sizes equal. Kernels are shared between layers, so their number
and code must not depend on the number of layers; step program and weights are proportional to it.

    layers.py --moec MOEC --moe-dump MOE_DUMP [--layers 2,4,8,16,32] [--cpu x86-64-v3,x86-64-v4] [--keep FOLDER]

prints markdown tables: sizes, then seconds per stage and of processor time (lowering and writing use all processors). With --keep the models and files stay in FOLDER.
Needs: numpy, onnx.
"""
import argparse
import json
import pathlib
import re
import resource
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HIDDEN, HEADS, KV_HEADS, HEAD_DIM, EXPERTS, INNER, SELECTED, VOCABULARY = 64, 4, 2, 16, 8, 64, 2, 256
STAGES = ("import", "raise", "lower-onnx", "optimize", "schedule", "lower", "emit", "write", "Total")


class Graph:
    """Collects nodes and initializers; every method returns the name of a value."""

    def __init__(self):
        self.nodes, self.initializers, self.random = [], [], np.random.default_rng(0)

    def node(self, op_type, inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, names, name=f"n{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values, dtype=np.int64):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def weight(self, *shape):
        return self.constant(self.random.normal(0, shape[-1] ** -0.5, shape), np.float32)


def norm(graph, x):
    mean = graph.node("ReduceMean", [graph.node("Mul", [x, x]), graph.constant([-1])], keepdims=1)
    root = graph.node("Sqrt", [graph.node("Add", [mean, graph.constant([1e-6], np.float32)])])
    return graph.node("Mul", [graph.node("Div", [x, root]), graph.weight(HIDDEN)])


def rotate(graph, x, cos, sin):
    first, second = graph.node("Split", [x], outputs=2, axis=-1, num_outputs=2)
    turned = graph.node("Concat", [graph.node("Neg", [second]), first], axis=-1)
    return graph.node("Add", [graph.node("Mul", [x, cos]), graph.node("Mul", [turned, sin])])


def attention(graph, x, past, angles, mask):
    """Returns the output and the extended keys and values."""
    def project(heads):
        flat = graph.node("MatMul", [x, graph.weight(HIDDEN, heads * HEAD_DIM)])
        split = graph.node("Reshape", [flat, graph.constant([0, 0, heads, HEAD_DIM])])
        return graph.node("Transpose", [split], perm=[0, 2, 1, 3])

    query = rotate(graph, project(HEADS), *angles)
    present = [graph.node("Concat", [past[0], rotate(graph, project(KV_HEADS), *angles)], axis=2),
               graph.node("Concat", [past[1], project(KV_HEADS)], axis=2)]
    grouped = graph.node("Reshape", [query, graph.constant([0, KV_HEADS, HEADS // KV_HEADS, -1, HEAD_DIM])])
    keys, values = (graph.node("Unsqueeze", [value, graph.constant([2])]) for value in present)
    scores = graph.node("MatMul", [grouped, graph.node("Transpose", [keys], perm=[0, 1, 2, 4, 3])])
    scaled = graph.node("Mul", [scores, graph.constant(HEAD_DIM ** -0.5, np.float32)])
    weights = graph.node("Softmax", [graph.node("Add", [scaled, mask])], axis=-1)
    mixed = graph.node("Reshape", [graph.node("MatMul", [weights, values]), graph.constant([0, HEADS, -1, HEAD_DIM])])
    joined = graph.node("Reshape", [graph.node("Transpose", [mixed], perm=[0, 2, 1, 3]), graph.constant([0, 0, -1])])
    return graph.node("MatMul", [joined, graph.weight(HEADS * HEAD_DIM, HIDDEN)]), present


def experts(graph, x):
    rows = graph.node("Reshape", [x, graph.constant([-1, HIDDEN])])
    logits = graph.node("MatMul", [rows, graph.weight(HIDDEN, EXPERTS)])
    weights = [graph.weight(EXPERTS, 2 * INNER, HIDDEN), "", graph.weight(EXPERTS, HIDDEN, INNER)]
    routed = graph.node("MoE", [rows, logits, *weights], domain="com.microsoft", k=SELECTED, activation_type="swiglu",
                        swiglu_fusion=1, activation_alpha=1.0, activation_beta=0.0, normalize_routing_weights=1)
    return graph.node("Reshape", [routed, graph.node("Shape", [x])])


def causal_mask(graph):
    zero, one = graph.constant(0), graph.constant(1)
    sequence = graph.node("Gather", [graph.node("Shape", ["ids"]), one])
    past = graph.node("Gather", [graph.node("Shape", ["past.0.key"]), graph.constant(2)])
    total = graph.node("Add", [past, sequence])
    rows = graph.node("Unsqueeze", [graph.node("Range", [past, total, one]), graph.constant([1])])
    columns = graph.node("Unsqueeze", [graph.node("Range", [zero, total, one]), graph.constant([0])])
    return graph.node("Where", [graph.node("LessOrEqual", [columns, rows]), graph.constant(0, np.float32),
                                graph.constant(-1e9, np.float32)])


def decoder(layers):
    graph = Graph()
    mask = causal_mask(graph)
    value = graph.node("Gather", [graph.weight(VOCABULARY, HIDDEN), "ids"])
    cos, sin = (graph.node("Unsqueeze", [graph.node("Concat", [name, name], axis=-1), graph.constant([1])])
                for name in ("cos", "sin"))
    caches, presents = [], []
    for index in range(layers):
        past = [f"past.{index}.key", f"past.{index}.value"]
        mixed, present = attention(graph, norm(graph, value), past, (cos, sin), mask)
        value = graph.node("Add", [value, mixed])
        value = graph.node("Add", [value, experts(graph, norm(graph, value))])
        caches += past
        presents += present
    graph.nodes.append(helper.make_node("MatMul", [norm(graph, value), graph.weight(HIDDEN, VOCABULARY)], ["logits"]))

    def info(name, *dims, dtype=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, dtype, dims)

    inputs = [info("ids", "batch", "seq", dtype=TensorProto.INT64), info("cos", "batch", "seq", HEAD_DIM // 2),
              info("sin", "batch", "seq", HEAD_DIM // 2)]
    inputs += [info(name, "batch", KV_HEADS, "past", HEAD_DIM) for name in caches]
    outputs = [info("logits", "batch", "seq", VOCABULARY)]
    outputs += [info(name, "batch", KV_HEADS, "total", HEAD_DIM) for name in presents]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(helper.make_graph(graph.nodes, "layers", inputs, outputs, graph.initializers),
                             opset_imports=opsets, ir_version=10, producer_name="layers")


def measure(args, layers, folder):
    """Compiles a decoder; returns its sizes and the seconds of each stage."""
    model, output = folder / f"{layers}.onnx", folder / f"{layers}.moe"
    onnx.save(decoder(layers), model)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    compiled = subprocess.run([args.moec, model, "-o", output, "--timing", *([f"--cpu={args.cpu}"] if args.cpu else [])],
                              check=True, stderr=subprocess.PIPE, text=True)
    processor = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    # The last number in front of a name is wall time.
    lines = re.findall(r"([\d.]+) \( *[\d.]+%\)  (\S.*)$", compiled.stderr, re.MULTILINE)
    seconds = {name: float(value) for value, name in lines if name in STAGES} | {"processor": processor}
    dump = json.loads(subprocess.run([args.moe_dump, output, "--json"], check=True, stdout=subprocess.PIPE).stdout)
    sizes = {"layers": layers, "raised": len(dump["layers"]), "kernels": len(dump["kernels"])}
    for variant in sorted(dump["variants"], key=lambda variant: variant["name"]):
        sizes[f"code {variant['name']}"] = variant["bytes"]
    sizes["step program"] = 4 * dump["program"]["words"]
    sizes["weights"] = sum(weight["bytes"] for weight in dump["weights"])
    return sizes, seconds


def print_table(rows):
    columns = list(rows[0])
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(row.get(column, "")) for column in columns) + " |")
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moec", type=pathlib.Path, required=True)
    parser.add_argument("--moe-dump", type=pathlib.Path, required=True)
    parser.add_argument("--layers", default="2,4,8,16,32")
    parser.add_argument("--cpu", help="code variants, as moec takes them")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for models and files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [measure(args, int(layers), folder) for layers in args.layers.split(",")]
    print_table([sizes for sizes, _ in rows])
    print_table([{"layers": sizes["layers"], **{name: f"{value:.3f}" for name, value in seconds.items()}}
                 for sizes, seconds in rows])


if __name__ == "__main__":
    main()
