#!/usr/bin/env python3
"""Writes small models with one routed layer, as exporters of all kinds may, and requires the reference's numbers.

Each model takes a router and a form of experts of WrittenModels/layers.py at random extents, in some opset, with weights in
some place, on fixed or open batches, in the main graph or in a subgraph or function. Half of them have one thing changed: a
sign, an epsilon, a missing renormalisation. What ONNX Runtime (or the ReferenceEvaluator) gives is what the compiled model
must give; raised structures are compared strictly; an unchanged form that a recogniser takes must count as a MoE layer.

A model ends as one of
    equal     the reference's numbers
    unraised  the same, but no layer was recognised where one should be               <- not acceptable
    refused   exit 1 with a message, by moec or by moe-run                            <- not acceptable
    invalid   the reference refuses the model
    unstable  the numbers differ, but the reference's own change as much with its inputs
    wrong, crash, timeout                                                             <- never acceptable
The same seed gives the same models. Needs: numpy, ml_dtypes, onnx, onnxruntime.
"""
import argparse, collections, multiprocessing.pool, os, pathlib, sys, tempfile
import numpy as np
import onnx
from onnx import helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from check_mutations import difference, evaluate, in_child
from run_cases import run
from WrittenModels import layers
from WrittenModels.writer import PLACES, Writer, tensor

PLACES_OF_LAYER = ("main", "main", "main", "rank 3", "branch", "loop", "scan", "function")


class Plan:
    """What one model is."""

    def __init__(self, rng):
        pick = lambda values: values[rng.integers(len(values))]
        self.rng, self.opset = rng, int(rng.integers(13, 24))
        self.element = "f16" if rng.random() < 0.15 else "f32"
        self.place, self.where = pick(PLACES), pick(PLACES_OF_LAYER)
        self.router, self.form = pick(list(layers.ROUTERS)), pick(list(layers.FORMS))
        if self.form is layers.chosen_rows:
            self.opset = max(self.opset, 16)
        self.change = ""
        if rng.random() < 0.5:
            self.change = pick(layers.ROUTERS[self.router] + layers.FORMS[self.form] + layers.EXPERT_CHANGES)
        self.fixed = rng.random() < 0.25
        self.extents, self.experts = [], 0
        self.external = self.place == "initializer" and rng.random() < 0.3

    def __str__(self):
        words = [self.router.__name__, self.form.__name__, self.where, self.place, self.element, f"opset {self.opset}"]
        words += self.extents
        return ", ".join(words + [word for word in ("fixed" * self.fixed, "external" * self.external, self.change) if word])

    def is_recognised(self):
        return self.form in layers.RECOGNISED and not self.change and self.experts > 1


def write_layer(w, plan, sizes, x):
    ids, gates = plan.router(w, sizes, x, plan.change)
    experts = layers.Experts(sizes, plan.change)
    plan.experts, plan.extents = sizes.experts, [f"{sizes.slots} of {sizes.experts} {experts.kind} experts {sizes.hidden}x{sizes.inner}"]
    return plan.form(w, sizes, x, ids, gates, experts, plan.change)


def write_loop(w, plan, sizes, x, dims):
    """Two layers of the same weights, with a residual."""
    body = w.subgraph()
    i, going, before = body.name("i"), body.name("going"), body.name("x")
    after = body.node("Add", before, write_layer(body, plan, sizes, before))
    more = body.node("Identity", going)
    graph = body.graph("body", [tensor(i, np.int64, []), tensor(going, bool, []), tensor(before, w.element, dims)],
                       [tensor(more, bool, []), tensor(after, w.element, dims)])
    return w.node("Loop", w.int(2), "", x, body=graph)


def write_scan(w, plan, sizes, x, dims):
    """The layer on the tokens and on their doubles, one after the other."""
    doubled = w.node("Concat", *(w.node("Unsqueeze", v, w.ints(0)) for v in (x, w.node("Add", x, x))), axis=0)
    body = w.subgraph()
    rows = body.name("x")
    out = write_layer(body, plan, sizes, rows)
    graph = body.graph("body", [tensor(rows, w.element, dims)], [tensor(out, w.element, dims)])
    return w.node("Scan", doubled, body=graph, num_scan_inputs=1)


def write_branch(w, plan, sizes, x, dims):
    """The layer where there are tokens with a positive sum, else none."""
    total = w.node("ReduceSum", w.node("Cast", x, to=1), keepdims=0)
    condition = w.node("Greater", total, w.constant(np.array(-1000, np.float32)))
    then, other = w.subgraph(), w.subgraph()
    taken, kept = write_layer(then, plan, sizes, x), other.node("Neg", x)
    return w.node("If", condition, then_branch=then.graph("then", [], [tensor(taken, w.element, dims)]),
                  else_branch=other.graph("else", [], [tensor(kept, w.element, dims)]))


def write_model(plan):
    """The model, and the shape of x for a number of tokens."""
    sizes = layers.Sizes(plan.rng, plan.element)
    w = Writer(plan.rng, plan.opset, plan.element, plan.place if plan.where != "function" else "constant")
    count = int(plan.rng.choice([1, 2, 7]))
    batch = 2 if plan.where == "rank 3" else None
    dims = [count if plan.fixed else "tokens", sizes.hidden]
    shape = lambda tokens: [batch] * bool(batch) + [tokens, sizes.hidden]
    functions = []
    if plan.where == "loop":
        y = write_loop(w, plan, sizes, "x", dims)
    elif plan.where == "scan":
        y = write_scan(w, plan, sizes, "x", dims)
    elif plan.where == "branch":
        y = write_branch(w, plan, sizes, "x", dims)
    elif plan.where == "rank 3":
        rows = w.node("Reshape", "x", w.ints(-1, sizes.hidden))
        y = w.node("Reshape", write_layer(w, plan, sizes, rows), w.node("Shape", "x"))
    elif plan.where == "function":
        body = Writer(plan.rng, plan.opset, plan.element, "constant", outer=w)
        out = write_layer(body, plan, sizes, "rows")
        constants = [helper.make_node("Constant", [], [t.name], value=t) for t in body.initializers]
        functions.append(helper.make_function("local", "Layer", ["rows"], [out], constants + body.nodes,
                                              [helper.make_opsetid("", plan.opset)]))
        y = w.node("Layer", "x", domain="local")
    else:
        y = write_layer(w, plan, sizes, "x")
    y = w.node("Identity", y)
    dims = [batch] * bool(batch) + dims
    out_dims = [None] * (1 if plan.where == "scan" else 0) + dims
    model = w.model([tensor("x", w.element, dims)], [tensor(y, w.element, out_dims)], functions)
    tokens = [count] if plan.fixed else [int(plan.rng.choice([2, 5, 33])), 1, 0]
    return model, [plan.rng.standard_normal(shape(t)).astype(w.element) for t in tokens]


def compile_and_run(path, folder, inputs, args):
    """(status, message, outputs of each run, whether a layer was recognised)"""
    status, message, _ = run([*args.moec, str(path), "-o", str(folder / "m.moe")], args.timeout)
    if status != "ok":
        return status, "compile: " + message, [], False
    outputs = []
    for number, x in enumerate(inputs):
        np.save(folder / "x.npy", x)
        out = folder / str(number)
        status, message, _ = run([*args.moe_run, str(folder / "m.moe"), "--input", f"x=@{folder / 'x.npy'}", "--output-dir",
                                  str(out)], args.timeout)
        if status != "ok":
            return status, f"run on {x.shape}: {message}", [], False
        outputs.append([np.load(out / "output_0.npy")])
    return "ok", message, outputs, True


def judge(task):
    """Writes and judges one model: (number, plan, status, message)."""
    number, args = task
    rng = np.random.default_rng([args.seed, number])
    plan = Plan(rng)
    model, inputs = write_model(plan)
    expected = [in_child(evaluate, model, {"x": x}) for x in inputs]
    inputs = [x for x, outputs in zip(inputs, expected) if outputs is not None]
    expected = [outputs for outputs in expected if outputs is not None]
    if not expected:
        return number, plan, "invalid", ""
    rtol = 2e-2 if plan.element == "f16" else args.rtol
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        path = folder / "model.onnx"
        stored = onnx.ModelProto.FromString(model.SerializeToString())
        onnx.save(stored, str(path), save_as_external_data=plan.external, location="weights.bin", size_threshold=64)
        summary = run([*args.moec, str(path), "--no-check", "--compile-to=raise", "-o", str(folder / "raised.mlir")],
                      args.timeout)
        status, message, outputs, _ = compile_and_run(path, folder, inputs, args)
        if status == "ok":
            problems = [difference(*pair, rtol, args.atol) for pair in zip(expected, outputs)]
            message = "; ".join(f"{x.shape}: {p}" for x, p in zip(inputs, problems) if p)
            status = "wrong" if message else "equal"
        again = in_child(by_definition, model, inputs) if status == "wrong" else None
        if again and not any(difference(*pair, rtol, args.atol) for pair in zip(again, outputs)):
            status, message = "equal", "to the ReferenceEvaluator, not to ONNX Runtime"
        if status == "wrong" and is_unstable(model, inputs, expected, rtol, args):
            status = "unstable"
        if status == "equal" and plan.is_recognised() and "moe.experts" not in (folder / "raised.mlir").read_text():
            status = "unraised"
        if args.keep and status not in ("equal", "invalid", "unstable"):
            args.keep.mkdir(parents=True, exist_ok=True)
            onnx.save(model, str(args.keep / f"{number}.onnx"))
            for i, (x, outputs) in enumerate(zip(inputs, expected)):
                np.savez(args.keep / f"{number}.{i}.npz", x=x, y=outputs[0])
    return number, plan, status, message


def by_definition(model, inputs):
    """The outputs by ONNX's own evaluator, which is slow but has no fused or approximate functions."""
    from onnx.reference import ReferenceEvaluator
    return [ReferenceEvaluator(model).run(None, {"x": x}) for x in inputs]


def is_unstable(model, inputs, expected, rtol, args):
    """Whether the reference's own numbers change with inputs that differ by rounding."""
    rng = np.random.default_rng(0)
    for x, outputs in zip(inputs, expected):
        relative = 1e-3 if x.dtype == np.float16 else 1e-6
        for _ in range(3):
            again = in_child(evaluate, model, {"x": (x * (1 + relative * rng.standard_normal(x.shape))).astype(x.dtype)})
            if again is None or difference(outputs, again, rtol / 4, args.atol / 4):
                return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moec", default="moec", help="compile command, with options if any")
    parser.add_argument("--moe-run", default="moe-run", help="run command, with options if any")
    parser.add_argument("--count", type=int, default=200, help="models to write")
    parser.add_argument("--only", type=int, help="write only the model of this number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--rtol", type=float, default=1e-3)
    parser.add_argument("--atol", type=float, default=2e-5)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--min-equal", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="store the models that fail here")
    args = parser.parse_args()
    args.moec, args.moe_run = args.moec.split(), args.moe_run.split()
    numbers = [args.only] if args.only is not None else range(args.count)
    counts = collections.Counter()
    with multiprocessing.pool.ThreadPool(args.jobs) as pool:
        for number, plan, status, message in pool.imap_unordered(judge, [(number, args) for number in numbers]):
            counts[status] += 1
            print(f"[{number}] {status:8} {plan}  {message[:200]}", flush=True)
    kinds = ("equal", "invalid", "unstable", "unraised", "refused", "wrong", "crash", "timeout")
    print("  ".join(f"{kind} {counts[kind]}" for kind in kinds))
    return 0 if not any(counts[kind] for kind in kinds[3:]) and counts["equal"] >= args.min_equal else 1


if __name__ == "__main__":
    sys.exit(main())
