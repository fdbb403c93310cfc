"""Writes a decoder with mixture-of-experts layers and random weights, in the operators of onnxruntime-genai.

  make_model.py FOLDER [--bits 0|4|8] [--layers 8] ...

Each layer is a norm, GroupQueryAttention with rotary embedding inside and caches, a norm, and MoE. With --bits it is QMoE,
and matrix products are MatMulNBits: integers in blocks of 32, and leave to round what they multiply to 8 bits, which ONNX
Runtime takes. Logits are those of the last token. FOLDER gets model.onnx and model.bin.
"""
import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BLOCK = 32
CONTRIB = "com.microsoft"


def quantize(weight, bits):
    """Integers around a zero point of half the range, packed along the last axis, and the scales of its blocks."""
    half = 1 << (bits - 1)
    blocks = weight.reshape(*weight.shape[:-1], -1, BLOCK)
    scales = np.abs(blocks).max(-1) / (half - 1)
    integers = (np.rint(blocks / scales[..., None]) + half).astype(np.uint8).reshape(weight.shape)
    if bits == 4:
        integers = integers[..., 0::2] | integers[..., 1::2] << 4
    return integers, scales


class Writer:
    def __init__(self, args, data):
        self.args, self.data, self.rng = args, data, np.random.default_rng(args.seed)
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []

    def stored(self, name, values):
        """A tensor in the file beside the model."""
        values = np.ascontiguousarray(values)
        self.data.write(bytes(-self.data.tell() % 4096))
        tensor = TensorProto(name=name, dims=values.shape, data_location=TensorProto.EXTERNAL,
                             data_type=helper.np_dtype_to_tensor_dtype(values.dtype))
        where = {"location": "model.bin", "offset": self.data.tell(), "length": values.nbytes}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
        self.data.write(values.tobytes())
        self.weights.append(tensor)
        return name

    def constant(self, name, values):
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def random(self, *shape):
        return self.rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[-1]))

    def node(self, operator, inputs, outputs, domain="", **attributes):
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def product(self, x, name, columns, rows):
        weight = self.random(columns, rows)
        if not self.args.bits:
            return self.node("MatMul", [x, self.stored(name + ".weight", weight.T)], [name])
        integers, scales = quantize(weight, self.args.bits)
        integers = integers.reshape(columns, rows // BLOCK, -1)
        return self.node("MatMulNBits", [x, self.stored(name + ".weight", integers), self.stored(name + ".scales", scales)],
                         [name], CONTRIB, K=rows, N=columns, bits=self.args.bits, block_size=BLOCK, accuracy_level=4)

    def norm(self, x, name, width):
        ones = self.stored(name + ".weight", np.ones(width, np.float32))
        return self.node("SimplifiedLayerNormalization", [x, ones], [name], axis=-1, epsilon=1e-6)

    def experts(self, x, logits, name):
        args = self.args
        up, down = self.random(args.experts, 2 * args.inner, args.hidden), self.random(args.experts, args.hidden, args.inner)
        attributes = {"k": args.selected, "activation_type": "swiglu", "swiglu_fusion": 1, "normalize_routing_weights": 1,
                      "activation_alpha": 1.0, "activation_beta": 0.0}
        if not args.bits:
            operands = [x, logits, self.stored(name + ".up", up), "", self.stored(name + ".down", down)]
            return self.node("MoE", operands, [name], CONTRIB, **attributes)
        operands = [x, logits]
        for part, weight in (("up", up), ("down", down)):
            integers, scales = quantize(weight, args.bits)
            operands += [self.stored(f"{name}.{part}", integers), self.stored(f"{name}.{part}_scales", scales), ""]
        return self.node("QMoE", operands[:-1], [name], CONTRIB, expert_weight_bits=args.bits, block_size=BLOCK,
                         accuracy_level=4, **attributes)

    def attention(self, x, layer):
        args, name = self.args, f"layers.{layer}.attention"
        caches = [f"{{}}.{layer}.{part}" for part in ("key", "value")]
        for cache in caches:
            for values, kind, positions in ((self.inputs, "past_key_values", "past"), (self.outputs, "present", "total")):
                shape = [1, args.groups, positions, args.head]
                values.append(helper.make_tensor_value_info(cache.format(kind), TensorProto.FLOAT, shape))
        parts = [self.product(x, f"{name}.{part}", heads * args.head, args.hidden)
                 for part, heads in (("q", args.heads), ("k", args.groups), ("v", args.groups))]
        past, present = ([cache.format(kind) for cache in caches] for kind in ("past_key_values", "present"))
        out = self.node("GroupQueryAttention", [*parts, *past, "seqlens_k", "total_sequence_length", "cos", "sin"],
                        [name, *present], CONTRIB, num_heads=args.heads, kv_num_heads=args.groups, do_rotary=1)
        return self.product(out, name + ".o", args.hidden, args.heads * args.head)

    def layer(self, x, layer):
        name = f"layers.{layer}"
        x = self.node("Add", [x, self.attention(self.norm(x, name + ".norm1", self.args.hidden), layer)], [name + ".sum1"])
        tokens = self.norm(x, name + ".norm2", self.args.hidden)
        router = self.stored(name + ".router", 2 * self.random(self.args.experts, self.args.hidden).T)
        logits = self.node("MatMul", [self.node("Reshape", [tokens, "rows"], [name + ".rows"]), router], [name + ".logits"])
        return self.node("Add", [x, self.experts(tokens, logits, name + ".experts")], [name + ".sum2"])

    def model(self):
        args = self.args
        angles = np.arange(args.positions)[:, None] * 10000.0 ** (-np.arange(0, args.head, 2) / args.head)
        for name, values in (("cos", np.cos(angles)), ("sin", np.sin(angles))):
            self.constant(name, values.astype(np.float32))
        self.constant("rows", np.array([-1, args.hidden]))
        self.constant("last", np.array([-1]))
        self.inputs += [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "sequence"]),
                        helper.make_tensor_value_info("seqlens_k", TensorProto.INT32, [1]),
                        helper.make_tensor_value_info("total_sequence_length", TensorProto.INT32, [])]
        self.outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, args.vocabulary]))
        x = self.node("Gather", [self.stored("embedding", self.random(args.vocabulary, args.hidden)), "input_ids"], ["tokens"])
        for layer in range(args.layers):
            x = self.layer(x, layer)
        x = self.norm(self.node("Gather", [x, "last"], ["last_token"], axis=1), "norm", args.hidden)
        self.node("Identity", [self.product(x, "head", args.vocabulary, args.hidden)], ["logits"])
        graph = helper.make_graph(self.nodes, "decoder", self.inputs, self.outputs, self.weights)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def add_arguments(parser):
    parser.add_argument("--bits", type=int, choices=(0, 4, 8), default=0, help="of weights; 0 is f32")
    sizes = {"layers": 8, "hidden": 1024, "inner": 512, "experts": 32, "selected": 4, "heads": 16, "groups": 8, "head": 64,
             "vocabulary": 32000, "positions": 2048, "seed": 0}
    for name, default in sizes.items():
        parser.add_argument("--" + name, type=int, default=default)


def write_model(args, folder):
    with open(folder / "model.bin", "wb") as data:
        onnx.save(Writer(args, data).model(), folder / "model.onnx")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    add_arguments(parser)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write_model(arguments, arguments.folder)
