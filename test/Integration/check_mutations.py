#!/usr/bin/env python3
"""Edits models of a corpus at random and requires the reference's numbers, or a message, for every edited one.

A recogniser that proves too little computes the original where the graph says something else. Each mutant is a case's
model with one edit of a kind of `EDITS`: another constant, operator, axis or operand. What ONNX Runtime runs (or the
ReferenceEvaluator, where the former lacks an operator) is compiled, run on the case's inputs and compared.

A mutant ends as one of
    equal     the reference's numbers, where need be with the places of `TopK` of `sorted = 0`, which are open, in order
    refused   exit 1 with a message, by moec or by moe-run
    invalid   the reference refuses the models of all --tries
    unstable  the numbers differ, but the reference's own change as much if weights and inputs change by 1e-6 of their value,
              or a fused node chooses between experts of equal score
    wrong, crash, timeout                                                             <- never acceptable
Exit status: 0 if none is wrong, crashed or timed out and at least --min-judged are equal or refused.
The same seed gives the same mutants. Needs: numpy, ml_dtypes, onnx, onnxruntime.
"""
import argparse, collections, json, multiprocessing, multiprocessing.pool, os, pathlib, random, subprocess, sys, tempfile
import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from run_cases import compare, load_tensor, run

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)


def constants(graph, types, largest):
    """The small tensors of these types, in initializers and in constant nodes."""
    tensors = list(graph.initializer)
    for node in graph.node:
        if node.op_type in ("Constant", "ConstantOfShape"):
            tensors += [a.t for a in node.attribute if a.name == "value"]
    return [t for t in tensors if t.data_type in types and 0 < np.prod(t.dims or [1]) <= largest]


def store(tensor, values):
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def edit_integer(graph, rng):
    """Another k, axis, end of a slice, or an index twice."""
    tensor = rng.choice(constants(graph, INTEGERS, 64))
    values = numpy_helper.to_array(tensor).copy()
    flat = values.reshape(-1)
    place = rng.randrange(flat.size)
    old = flat[place]
    flat[place] = flat[place - 1] if flat.size > 1 and rng.random() < 0.5 else old + rng.choice([-1, 1, 2])
    if flat[place] == old:
        return None
    store(tensor, values)
    return f"integer {old} -> {flat[place]} in {tensor.name or 'a constant'}"


def edit_float(graph, rng):
    """Another epsilon, scale, limit or sign."""
    tensor = rng.choice(constants(graph, FLOATS, 4))
    values = numpy_helper.to_array(tensor).copy()
    change = rng.choice([lambda v: v + v.dtype.type(0.25), lambda v: -v, lambda v: v * v.dtype.type(100), np.zeros_like])
    changed = np.asarray(change(values))
    if np.array_equal(changed, values):
        return None
    store(tensor, changed)
    return f"float {values.reshape(-1)[0]} -> {changed.reshape(-1)[0]} in {tensor.name or 'a constant'}"


REPLACEMENTS = {
    "Add": ["Sub", "Mul"], "Sub": ["Add"], "Mul": ["Add", "Div"], "Div": ["Mul"], "Max": ["Min"], "Min": ["Max"],
    "Sigmoid": ["Tanh", "Relu", "Softplus"], "Tanh": ["Sigmoid"], "Relu": ["Sigmoid", "Abs"], "Erf": ["Tanh"],
    "Softmax": ["Sigmoid", "LogSoftmax"], "Greater": ["Less", "GreaterOrEqual"], "Less": ["Greater", "LessOrEqual"],
    "GreaterOrEqual": ["Greater"], "LessOrEqual": ["Less"], "Equal": ["Less", "GreaterOrEqual"], "And": ["Or"],
    "Or": ["And"], "ReduceSum": ["ReduceMax"], "ReduceMean": ["ReduceMax"], "ReduceMax": ["ReduceMin"], "Neg": ["Abs"],
    "Sqrt": ["Abs"], "Reciprocal": ["Abs"], "Exp": ["Abs"], "Cos": ["Sin"], "Sin": ["Cos"], "Ceil": ["Floor"],
}


def edit_operator(graph, rng):
    """Another function, reduction or comparison."""
    node = rng.choice([n for n in graph.node if n.op_type in REPLACEMENTS and not n.domain])
    old, node.op_type = node.op_type, rng.choice(REPLACEMENTS[node.op_type])
    if node.op_type in ("Sigmoid",):
        del node.attribute[:]
    return f"{old} -> {node.op_type} at {node.name}"


def edit_order(graph, rng):
    """Swapped operands: gate and up, true and false, first and second half."""
    node = rng.choice([n for n in graph.node if len(n.input) >= 2 and len(set(n.input)) >= 2])
    first = 1 if node.op_type == "Where" else 0
    if len(node.input) == 3 and node.op_type in ("Gemm", "Clip", "ScatterND"):
        first = 1
    second = rng.choice([i for i in range(len(node.input)) if i != first and node.input[i] != node.input[first]] or [first])
    if second == first:
        return None
    node.input[first], node.input[second] = node.input[second], node.input[first]
    return f"inputs {first} and {second} of {node.op_type} {node.name} swapped"


def edit_attribute(graph, rng):
    """Another axis, order, reduction, equation, permutation, type or activation."""
    node, attribute = rng.choice([(n, a) for n in graph.node for a in n.attribute if a.name not in ("value", "domain")])
    if attribute.type == onnx.AttributeProto.INT:
        if attribute.name == "to":
            attribute.i = rng.choice([t for t in (1, 6, 7, 9, 10) if t != attribute.i])
        else:
            attribute.i = 1 - attribute.i if attribute.i in (0, 1) else attribute.i + rng.choice([-1, 1])
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = rng.choice([attribute.f + 0.5, -attribute.f, attribute.f * 100])
    elif attribute.type == onnx.AttributeProto.INTS and len(attribute.ints) > 1:
        values = list(attribute.ints)
        rng.shuffle(values)
        del attribute.ints[:]
        attribute.ints.extend(values)
    elif attribute.name == "equation":
        left, right = attribute.s.decode().split("->")
        letters = list(right)
        rng.shuffle(letters)
        attribute.s = (left + "->" + "".join(letters)).encode()
    elif attribute.type == onnx.AttributeProto.STRING:
        words = {"reduction": [b"none", b"add", b"mul", b"max"], "activation_type": [b"relu", b"gelu", b"silu", b"identity"],
                 "approximate": [b"none", b"tanh"]}.get(attribute.name, [])
        attribute.s = rng.choice([w for w in words if w != attribute.s] or [attribute.s])
    else:
        return None
    return f"{node.op_type}.{attribute.name} of {node.name}"


def edit_bypass(graph, rng):
    """A node left out: a missing renormalisation, bias, mask, clip or cast."""
    produced = {o for n in graph.node for o in n.output}
    outputs = {o.name for o in graph.output}
    kinds = ("Add", "Sub", "Mul", "Div", "Cast", "Clip", "Where", "Softmax", "Sigmoid", "Sqrt", "Neg", "Tanh", "Max", "Min",
             "SkipSimplifiedLayerNormalization", "SimplifiedLayerNormalization", "RotaryEmbedding")
    node = rng.choice([n for n in graph.node if n.op_type in kinds and n.output[0] not in outputs])
    sources = [i for i in node.input if i in produced]
    if not sources:
        return None
    source = rng.choice(sources)
    for user in graph.node:
        for place, name in enumerate(user.input):
            if name == node.output[0]:
                user.input[place] = source
    return f"{node.op_type} {node.name} left out for {source}"


def alike(graph, rng):
    """Two nodes of one operator and an input in which they differ."""
    groups = collections.defaultdict(list)
    for position, node in enumerate(graph.node):
        groups[node.op_type, len(node.input)].append((position, node))
    (_, first), (_, second) = sorted(rng.sample(rng.choice([g for g in groups.values() if len(g) > 1]), 2),
                                     key=lambda entry: entry[0])
    places = [i for i, (a, b) in enumerate(zip(first.input, second.input)) if a != b and a and b]
    return first, second, rng.choice(places)


def edit_wiring(graph, rng):
    """An input taken from an earlier node of the same operator: another layer's or expert's value."""
    first, second, place = alike(graph, rng)
    old, second.input[place] = second.input[place], first.input[place]
    return f"input {place} of {second.op_type} {second.name}: {old} -> {first.input[place]}"


def edit_exchange(graph, rng):
    """Weights of two nodes of the same operator exchanged: permuted experts, swapped gate and up."""
    initializers = {i.name for i in graph.initializer}
    first, second, place = alike(graph, rng)
    if first.input[place] not in initializers or second.input[place] not in initializers:
        return None
    first.input[place], second.input[place] = second.input[place], first.input[place]
    return f"input {place} of {first.op_type} {first.name} and {second.name} exchanged"


EDITS = (edit_integer, edit_float, edit_operator, edit_order, edit_attribute, edit_bypass, edit_wiring, edit_exchange)


def mutate(model, rng):
    """Applies one edit; returns what it did."""
    while True:
        try:
            if done := rng.choice(EDITS)(model.graph, rng):
                # Inferred for the graph as it was.
                del model.graph.value_info[:]
                return done
        except IndexError:  # the graph has nothing of that kind
            continue


def perturbed(model, inputs, seed):
    """The model and its inputs with floats changed by about 1e-6 of their value."""
    rng = np.random.default_rng(seed)
    change = lambda values: (values * (1 + 1e-6 * rng.standard_normal(values.shape))).astype(values.dtype)
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims or [1]) > 64:
            store(tensor, change(numpy_helper.to_array(tensor)))
    return model, {name: change(v) if v.dtype == np.float32 else v for name, v in inputs.items()}


def has_router_ties(model, inputs):
    """Whether a token's k-th and next best logits of a MoE or QMoE node are equal: which expert it gets is not specified."""
    nodes = [n for n in model.graph.node if n.op_type in ("MoE", "QMoE")]
    model = onnx.ModelProto.FromString(model.SerializeToString())
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in {n.input[1] for n in nodes})
    names = [o.name for o in model.graph.output]
    logits = dict(zip(names, evaluate(model, inputs) or [])) if nodes else {}
    for node in nodes:
        k = next((a.i for a in node.attribute if a.name == "k"), 1)
        if node.input[1] in logits:
            best = -np.sort(-logits[node.input[1]], axis=-1)
            if k < best.shape[-1] and (best[..., k - 1] == best[..., k]).any():
                return True
    return False


def with_sorted_choices(model):
    """The model with each `TopK` in order: an order that a node with `sorted = 0` may give. None if it has no such node."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    unsorted = [a for n in model.graph.node if n.op_type == "TopK" for a in n.attribute if a.name == "sorted" and not a.i]
    for attribute in unsorted:
        attribute.i = 1
    return model if unsorted else None


def evaluate(model, inputs):
    """The outputs by the reference, or None if it refuses."""
    import onnxruntime
    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        from onnx.reference import ReferenceEvaluator
        try:
            return ReferenceEvaluator(model).run(None, inputs)
        except Exception:
            return None
    except Exception:
        return None
    try:
        return session.run(None, inputs)
    except Exception:
        return None


def in_child(function, *arguments):
    """The result of a call in a process of its own, since a reference may crash; None if it does."""
    receiver, sender = multiprocessing.Pipe(False)

    def call():
        with np.errstate(all="ignore"):
            sender.send(function(*arguments))
        sender.close()

    process = multiprocessing.get_context("fork").Process(target=call)
    process.start()
    sender.close()
    try:
        result = receiver.recv() if receiver.poll(60) else None
    except EOFError:
        result = None
    process.kill()
    process.join()
    return result


def compiled(path, folder, inputs, args):
    """Outputs by moec and moe-run, or (status, message)."""
    status, message, _ = run([*args.moec, str(path), "-o", str(folder / "m.moe")], args.timeout)
    if status != "ok":
        return status, "compile: " + message
    command = [*args.moe_run, str(folder / "m.moe"), "--output-dir", str(folder)]
    for number, (name, values) in enumerate(inputs.items()):
        np.save(folder / f"in_{number}.npy", values)
        command += ["--input", f"{name}=@{folder / f'in_{number}.npy'}"]
    for old in folder.glob("output_*.npy"):
        old.unlink()
    status, message, _ = run(command, args.timeout)
    if status != "ok":
        return status, "run: " + message
    files = sorted(folder.glob("output_*.npy"), key=lambda p: int(p.stem.split("_")[1]))
    return "ok", [np.load(p) for p in files]


def difference(expected, actual, rtol, atol):
    if len(expected) != len(actual):
        return f"{len(actual)} outputs, expected {len(expected)}"
    for number, (wanted, got) in enumerate(zip(expected, actual)):
        if problem := compare(np.asarray(wanted), got, rtol, atol):
            return f"output {number}: {problem}"
    return None


def load_tensors(data_set, kind):
    files = sorted(data_set.glob(f"{kind}_*.pb"), key=lambda p: int(p.stem.split("_")[1]))
    return [load_tensor(path) for path in files]


def load_inputs(data_set, model):
    initializers = {i.name for i in model.graph.initializer}
    names = [i.name for i in model.graph.input if i.name not in initializers]
    return dict(zip(names, load_tensors(data_set, "input")))


def read_tolerance(case, args):
    meta = json.loads((case / "meta.json").read_text()) if (case / "meta.json").exists() else {}
    return max(args.rtol, meta.get("rtol") or 0)


def is_reproduced(case, args):
    """Whether the reference gives the stored outputs; it does not where it rounds activations to eight bits."""
    model = onnx.load(str(case / "model.onnx"))
    data_set = sorted(case.glob("test_data_set_*"))[0]
    outputs = in_child(evaluate, model, load_inputs(data_set, model))
    stored = load_tensors(data_set, "output")
    return outputs is not None and difference(stored, outputs, read_tolerance(case, args), args.atol) is None


def judge(task):
    """Makes and judges one mutant: (number, case, edit, status, message)."""
    number, case, args = task
    rng = random.Random(f"{args.seed}/{number}")
    original = onnx.load(str(case / "model.onnx"))
    inputs = load_inputs(rng.choice(sorted(case.glob("test_data_set_*"))), original)
    for _ in range(args.tries):
        model = onnx.ModelProto.FromString(original.SerializeToString())
        what = mutate(model, rng)
        if (expected := in_child(evaluate, model, inputs)) is not None:
            break
    label = "/".join(case.parts[-2:])
    rtol = read_tolerance(case, args)
    if expected is None:
        return number, label, what, "invalid", ""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        path = folder / "model.onnx"
        onnx.save(model, str(path))
        status, result = compiled(path, folder, inputs, args)
        problem = difference(expected, result, rtol, args.atol) if status == "ok" else result
        if status == "ok":
            if problem and (ordered := with_sorted_choices(model)):
                outputs = in_child(evaluate, ordered, inputs)
                problem = outputs is None or difference(outputs, result, rtol, args.atol)
            status = "wrong" if problem else "equal"
        if status == "wrong" and in_child(has_router_ties, model, inputs):
            status = "unstable"
        if status == "wrong":
            for seed in range(3):
                again = in_child(evaluate, *perturbed(model, inputs, seed))
                if again is None or difference(expected, again, rtol / 10, args.atol / 10):
                    status = "unstable"
        if args.keep and status in ("wrong", "crash", "timeout"):
            args.keep.mkdir(parents=True, exist_ok=True)
            onnx.save(model, str(args.keep / f"{number}.onnx"))
            np.savez(args.keep / f"{number}.npz", **inputs, **{f"output {i}": v for i, v in enumerate(expected)})
    return number, label, what, status, problem or ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path, nargs="+", help="folders that hold cases, at any depth")
    parser.add_argument("--moec", default="moec", help="compile command, with options if any")
    parser.add_argument("--moe-run", default="moe-run", help="run command, with options if any")
    parser.add_argument("--count", type=int, default=400, help="mutants to make")
    parser.add_argument("--only", type=int, help="make only the mutant of this number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--filter", default="", help="only cases whose path contains this")
    parser.add_argument("--largest", type=int, default=1 << 20, help="bytes of the largest model to edit")
    parser.add_argument("--tries", type=int, default=8, help="edits to try until the reference accepts one")
    parser.add_argument("--rtol", type=float, default=2e-3)
    parser.add_argument("--atol", type=float, default=2e-5)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--min-judged", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="store the mutants that fail here")
    args = parser.parse_args()
    args.moec, args.moe_run = args.moec.split(), args.moe_run.split()

    cases = sorted({p.parent for root in args.corpus for p in root.rglob("model.onnx")})
    cases = [c for c in cases if args.filter in str(c) and (c / "model.onnx").stat().st_size <= args.largest]
    for case in (unfit := [c for c in cases if not is_reproduced(c, args)]):
        print(f"not edited, since the reference does not give its outputs: {'/'.join(case.parts[-2:])}", flush=True)
    cases = [c for c in cases if c not in unfit]
    # Cases take turns, so that every one is edited.
    numbers = [args.only] if args.only is not None else range(args.count)
    tasks = [(number, cases[number % len(cases)], args) for number in numbers]
    counts = collections.Counter()
    with multiprocessing.pool.ThreadPool(args.jobs) as pool:
        for number, label, what, status, message in pool.imap_unordered(judge, tasks):
            counts[status] += 1
            print(f"[{number}] {status:8} {label}  {what}  {message[:200]}", flush=True)
    kinds = ("equal", "refused", "invalid", "unstable", "wrong", "crash", "timeout")
    print("  ".join(f"{kind} {counts[kind]}" for kind in kinds), f" of {len(tasks)}")
    bad = counts["wrong"] + counts["crash"] + counts["timeout"]
    return 0 if bad == 0 and counts["equal"] + counts["refused"] >= args.min_judged else 1


if __name__ == "__main__":
    sys.exit(main())
