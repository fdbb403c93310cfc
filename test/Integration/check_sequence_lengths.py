#!/usr/bin/env python3
"""Attention nodes of com.microsoft on batches whose sequences have different lengths, against ONNX Runtime.

GroupQueryAttention over a few steps: a prompt padded on the right, then new tokens behind caches that are filled to
different places, with and without rotary embedding, windows, sinks and biases. MultiHeadAttention with padding masks, lengths,
caches and biases. Only what belongs to a sequence is compared. Extents, lengths and attributes are random; the same seed
gives the same. Needs: numpy, ml_dtypes, onnx, onnxruntime.
"""
import argparse, pathlib, sys, tempfile
import numpy as np
import onnx
from onnx import helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from run_cases import compare, run


class Case:
    """One node as a model, its inputs by name, and which rows of its outputs count."""

    def __init__(self, op, inputs, outputs, order, **attributes):
        self.inputs, self.outputs, self.title = inputs, outputs, op
        names = [name if name in inputs else "" for name in order]
        while not names[-1]:
            names.pop()
        node = helper.make_node(op, names, outputs, domain="com.microsoft", **attributes)
        info = lambda name, values, dims: helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(values.dtype), dims)
        # Batch, sequence and positions are open; features are not.
        graph = helper.make_graph(
            [node], "attention",
            [info(name, v, self.dims(name, v)) for name, v in inputs.items()],
            [helper.make_tensor_value_info(name, 1, [None] * (3 if name == "output" else 4)) for name in outputs])
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21),
                                                             helper.make_opsetid("com.microsoft", 1)], ir_version=10)

    def dims(self, name, values):
        if name.startswith(("cos", "sin", "sinks", "total", "bias")):
            return values.shape
        if name.startswith("past"):
            return ["batch", values.shape[1], "past", values.shape[3]]
        if name in ("attention_bias",):
            return [values.shape[0] if values.shape[0] == 1 else "batch", values.shape[1], "sequence", "total"]
        if name == "key_padding_mask":
            return [f"m{axis}" if axis else "batch" for axis in range(values.ndim)]
        return ["batch", "sequence" if name == "query" or name == "position_ids" else "keys",
                *values.shape[2:]][:values.ndim]


def by_runtime(case):
    import onnxruntime
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, case.inputs)


def compiled(case, folder, args):
    """The outputs by moec and moe-run, or a message."""
    onnx.save(case.model, str(folder / "m.onnx"))
    status, message, _ = run([*args.moec, str(folder / "m.onnx"), "-o", str(folder / "m.moe")], args.timeout)
    if status != "ok":
        return f"{status}: {message}"
    command = [*args.moe_run, str(folder / "m.moe"), "--output-dir", str(folder)]
    for name, values in case.inputs.items():
        np.save(folder / f"{name}.npy", values)
        command += ["--input", f"{name}=@{folder / f'{name}.npy'}"]
    status, message, _ = run(command, args.timeout)
    if status != "ok":
        return f"{status}: {message}"
    return [np.load(folder / f"output_{i}.npy") for i in range(len(case.outputs))]


class GroupQuery:
    """Steps of one node, which take the caches of the ones before."""

    ORDER = ("query", "key", "value", "past_key", "past_value", "seqlens_k", "total_sequence_length", "cos_cache",
             "sin_cache", "position_ids", "attention_bias", "sinks")

    def __init__(self, rng):
        choose = lambda *values: values[rng.integers(len(values))]
        self.rng = rng
        self.batch, self.groups, self.size = choose(1, 2, 3, 5), choose(1, 2), choose(16, 32)
        self.heads = self.groups * choose(1, 2, 3)
        self.packed, self.rotary, self.positions = choose(False, True), choose(False, True, True), choose(False, False, True)
        self.bias, self.sinks = choose(False, False, True), choose(False, False, True)
        self.attributes = {"num_heads": self.heads, "kv_num_heads": self.groups}
        if self.rotary:
            self.attributes |= {"do_rotary": 1, "rotary_interleaved": choose(0, 1)}
        if choose(False, True):
            self.attributes["local_window_size"] = choose(2, 5)
        if choose(False, False, True):
            self.attributes["softcap"] = 5.0
        if not self.sinks and choose(False, False, False, True):
            self.attributes["smooth_softmax"] = 1
        self.lengths = rng.integers(1, 8, self.batch)
        if choose(False, False, True):
            self.lengths[:] = self.lengths[0]
        self.cos = rng.standard_normal((32, self.size // 2)).astype(np.float32)
        self.sin = rng.standard_normal((32, self.size // 2)).astype(np.float32)
        self.sink = rng.standard_normal(self.heads).astype(np.float32)
        self.caches = None

    def __str__(self):
        words = [f"GroupQueryAttention, {self.heads} heads of {self.size} in {self.groups} groups", f"lengths {self.lengths}"]
        words += [word for word in ("packed", "rotary", "positions", "bias", "sinks") if getattr(self, word)]
        return ", ".join(words + [f"{k} {v}" for k, v in self.attributes.items() if k not in ("num_heads", "kv_num_heads")])

    def step(self, sequence):
        """The case of `sequence` new positions, the last of which belong to each sequence as far as it is long."""
        normal = lambda *shape: self.rng.standard_normal(shape).astype(np.float32)
        is_prompt = self.caches is None
        lengths = self.lengths if is_prompt else self.lengths + sequence
        past = 0 if is_prompt else self.caches[0].shape[2]
        inputs = {}
        kinds = (("query", self.heads + 2 * self.groups),) if self.packed else (
            ("query", self.heads), ("key", self.groups), ("value", self.groups))
        for name, heads in kinds:
            inputs[name] = normal(self.batch, sequence, heads * self.size)
        caches = self.caches or [np.zeros((self.batch, self.groups, 0, self.size), np.float32)] * 2
        inputs |= {"past_key": caches[0], "past_value": caches[1], "seqlens_k": (lengths - 1).astype(np.int32),
                   "total_sequence_length": np.array(past + sequence, np.int32)}
        starts = np.zeros(self.batch, np.int64) if is_prompt else self.lengths
        if self.rotary:
            inputs |= {"cos_cache": self.cos, "sin_cache": self.sin}
            if self.positions:
                inputs["position_ids"] = starts[:, None] + np.arange(sequence)
        if self.bias:
            inputs["attention_bias"] = normal(1, self.heads, sequence, past + sequence)
        if self.sinks:
            inputs["sinks"] = self.sink
        case = Case("GroupQueryAttention", inputs, ["output", "present_key", "present_value"], self.ORDER, **self.attributes)
        self.lengths, ends = lengths, starts + sequence
        queries = np.arange(sequence)[None, :] < (lengths - starts)[:, None]
        keys = np.arange(past + sequence)[None, :] < np.minimum(ends, lengths)[:, None]
        return case, (queries, keys)

    def cases(self):
        """Yields cases and what of their outputs counts; takes the reference's outputs back."""
        for sequence in (int(self.lengths.max()), 1, 1):
            case, (queries, keys) = self.step(sequence)
            expected = yield case, (lambda v, q=queries: v[q], *[lambda v, k=keys: v.transpose(0, 2, 1, 3)[k]] * 2)
            self.caches = expected[1:]


class MultiHead:
    ORDER = ("query", "key", "value", "bias", "key_padding_mask", "attention_bias", "past_key", "past_value")

    def __init__(self, rng):
        choose = lambda *values: values[rng.integers(len(values))]
        self.rng = rng
        self.batch, self.heads, self.size = choose(1, 2, 3), choose(1, 2, 4), choose(8, 16)
        self.sequence, self.past = choose(1, 3, 7), choose(0, 0, 4)
        self.mask, self.bias, self.joint = choose("", "keys", "queries", "lengths"), choose(False, True), choose(False, True)
        if self.past and self.joint:
            self.joint = False
        self.attributes = {"num_heads": self.heads}
        if choose(False, False, True):
            self.attributes["unidirectional"] = 1

    def __str__(self):
        words = [f"MultiHeadAttention, {self.heads} heads of {self.size}", f"{self.past} + {self.sequence} positions"]
        words += [f"mask of {self.mask}"] * bool(self.mask) + ["bias"] * self.bias + ["joint bias"] * self.joint
        return ", ".join(words + list(self.attributes)[1:])

    def cases(self):
        normal = lambda *shape: self.rng.standard_normal(shape).astype(np.float32)
        hidden, total = self.heads * self.size, self.past + self.sequence
        inputs = {name: normal(self.batch, self.sequence, hidden) for name in ("query", "key", "value")}
        if self.past:
            inputs |= {name: normal(self.batch, self.heads, self.past, self.size) for name in ("past_key", "past_value")}
        if self.joint:
            inputs["bias"] = normal(3 * hidden)
        if self.bias:
            inputs["attention_bias"] = normal(1, self.heads, self.sequence, total)
        if self.mask == "lengths":
            inputs["key_padding_mask"] = self.rng.integers(1, total + 1, self.batch).astype(np.int32)
        elif self.mask:
            shape = (self.batch, total) if self.mask == "keys" else (self.batch, self.sequence, total)
            inputs["key_padding_mask"] = self.rng.integers(0, 2, shape).astype(np.int32)
            inputs["key_padding_mask"][..., 0] = 1
        outputs = ["output", "present_key", "present_value"][:3 if self.past else 1]
        whole = lambda v: v
        yield Case("MultiHeadAttention", inputs, outputs, self.ORDER, **self.attributes), [whole] * len(outputs)


def judge(plan, args):
    """(status, message)"""
    cases, expected, compared = plan.cases(), None, 0
    while True:
        try:
            case, parts = cases.send(expected)
        except StopIteration:
            return "equal", ""
        try:
            expected = by_runtime(case)
        except Exception as problem:
            return ("equal", "") if compared else ("invalid", str(problem)[-200:].replace("\n", " "))
        with tempfile.TemporaryDirectory() as folder:
            actual = compiled(case, pathlib.Path(folder), args)
        if isinstance(actual, str):
            return "wrong", f"step {compared}: {actual}"
        for number, (part, wanted, got) in enumerate(zip(parts, expected, actual)):
            if wanted.shape != got.shape:
                return "wrong", f"step {compared}, output {number}: shape {got.shape}, expected {wanted.shape}"
            if problem := compare(part(wanted), part(got), args.rtol, args.atol):
                return "wrong", f"step {compared}, output {number}: {problem}"
        compared += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moec", default="moec", help="compile command, with options if any")
    parser.add_argument("--moe-run", default="moe-run", help="run command, with options if any")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--only", type=int, help="only the plan of this number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rtol", type=float, default=1e-3)
    parser.add_argument("--atol", type=float, default=1e-5)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--min-equal", type=int, default=1)
    args = parser.parse_args()
    args.moec, args.moe_run = args.moec.split(), args.moe_run.split()
    counts = {"equal": 0, "invalid": 0, "wrong": 0}
    for number in [args.only] if args.only is not None else range(args.count):
        rng = np.random.default_rng([args.seed, number])
        plan = (GroupQuery if number % 3 else MultiHead)(rng)
        title = str(plan)
        status, message = judge(plan, args)
        counts[status] += 1
        print(f"[{number}] {status:8} {title}  {message}", flush=True)
    print("  ".join(f"{status} {count}" for status, count in counts.items()))
    return 0 if counts["wrong"] == 0 and counts["equal"] >= args.min_equal else 1


if __name__ == "__main__":
    sys.exit(main())
