"""Finds the first value of a model that moec computes differently from a reference.

    scripts/bisect.py MODEL.onnx INPUTS

INPUTS is a folder with input_<i>.pb (as in ONNX's test data) or input_<i>.npy, in the order of the graph's inputs, or with
<name>.npy. The model is compiled twice with `--debug-outputs`, as it is and with all recognisers disabled; each value that is
there after raising is compared with ONNX Runtime's, or the ReferenceEvaluator's where the former lacks an operator. For each
of the two the first node whose value leaves tolerance is printed, with what it reads: if all of that agrees, the fault is in
this node, or in the structure that was raised around it.

--reference compares with the values of the same names in another model. Tolerance is that of
test/Integration/run_cases.py. Exit status: 0 if all values agree, 1 if one differs, 2 if there is nothing to compare.
Needs: numpy, ml_dtypes, onnx, onnxruntime.
"""
import argparse, json, pathlib, subprocess, sys, tempfile
import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/Integration"))
from run_cases import compare, load_tensor

# Disabling an unknown pass lists those that exist.
RECOGNISER = "moe-raise-"


class Problem(Exception):
    pass


def command(words):
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"{words[0]} failed: {done.stderr.strip()[-800:]}")
    return done.stdout


def load_inputs(model, folder):
    initializers = {i.name for i in model.graph.initializer}
    inputs = {}
    for index, name in enumerate(i.name for i in model.graph.input if i.name not in initializers):
        candidates = [folder / f"input_{index}.pb", folder / f"input_{index}.npy", folder / f"{name}.npy"]
        path = next((p for p in candidates if p.exists()), None)
        if path is None:
            raise Problem(f"no file for input '{name}': expected one of {', '.join(map(str, candidates))}")
        inputs[name] = load_tensor(path) if path.suffix == ".pb" else np.load(path)
    return inputs


def recognisers(moec):
    words = [*moec, "--disable=list", "x.onnx", "-o", "x.moe"]
    listed = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True).stderr
    return [w.strip(",") for w in listed.split() if w.startswith(RECOGNISER)]


def compiled_values(args, options, inputs, folder):
    """Values by name, in the order of the file's signature."""
    artifact = folder / "model.moe"
    command([*args.moec, args.model, "-o", artifact, f"--debug-outputs={args.values}", *options])
    signature = json.loads(command([args.moe_dump, "--json", artifact]))
    words = [*args.moe_run, artifact, "--output-dir", folder]
    for index, (name, values) in enumerate(inputs.items()):
        np.save(folder / f"in_{index}.npy", values)
        words += ["--input", f"{name}=@{folder / f'in_{index}.npy'}"]
    command(words)
    return {output["name"]: np.load(folder / f"output_{index}.npy") for index, output in enumerate(signature["outputs"])}


def reference_values(model, names, inputs):
    import onnxruntime
    onnxruntime.set_default_logger_severity(4)
    model = onnx.ModelProto.FromString(model.SerializeToString())
    outputs = {o.name for o in model.graph.output}
    produced = {o for n in model.graph.node for o in n.output}
    names = [n for n in names if n in produced or n in outputs]
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in outputs)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return dict(zip(names, session.run(names, inputs)))
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        from onnx.reference import ReferenceEvaluator
        evaluator = ReferenceEvaluator(model)
        return dict(zip([o.name for o in model.graph.output], evaluator.run(None, inputs)))


def report(what, model, values, reference, args):
    """Prints the first difference; returns whether there is one."""
    differing = {}
    compared = 0
    for name, value in values.items():
        if name in reference:
            compared += 1
            if problem := compare(np.asarray(reference[name]), value, args.rtol, args.atol):
                differing[name] = problem
    if compared == 0:
        raise Problem("no value of this name is in the reference")
    print(f"{what}: {compared} values compared, {len(differing)} differ")
    for node in model.graph.node:
        for output in node.output:
            if output not in differing:
                continue
            print(f"  first: '{output}' of {node.op_type} '{node.name}': {differing[output]}")
            for name in filter(None, node.input):
                state = "differs" if name in differing else "agrees" if name in values else "not compared"
                print(f"    reads '{name}': {state}")
            return True
    return bool(differing)


def main():
    parser = argparse.ArgumentParser(prog="bisect.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("inputs", type=pathlib.Path)
    parser.add_argument("--reference", type=pathlib.Path, help="the model to compare with; default is MODEL itself")
    parser.add_argument("--values", default="all", help="regular expression: compare only values of such names")
    parser.add_argument("--tools", type=pathlib.Path, default=ROOT / "build/dev/bin", help="folder of moec, moe-run, moe-dump")
    parser.add_argument("--moec-options", default="--cpu=native", help="options of moec for both compilations")
    parser.add_argument("--rtol", type=float, default=1e-3)
    parser.add_argument("--atol", type=float, default=1e-5)
    args = parser.parse_args()
    args.moec = [args.tools / "moec", *args.moec_options.split()]
    args.moe_run, args.moe_dump = [args.tools / "moe-run"], args.tools / "moe-dump"
    try:
        model = onnx.load(str(args.model))
        reference_model = onnx.load(str(args.reference)) if args.reference else model
        inputs = load_inputs(model, args.inputs)
        plain = "--disable=" + ",".join(recognisers(args.moec))
        found = False
        for what, options in (("raised", []), ("plain operators", [plain])):
            with tempfile.TemporaryDirectory() as folder:
                values = compiled_values(args, options, inputs, pathlib.Path(folder))
            found |= report(what, model, values, reference_values(reference_model, list(values), inputs), args)
    except (Problem, OSError) as problem:
        print(f"bisect.py: error: {problem}", file=sys.stderr)
        return 2
    return 1 if found else 0
