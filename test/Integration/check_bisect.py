#!/usr/bin/env python3
"""scripts/bisect.py finds a deliberate mistake: a model with one changed node, compared with the values of the original.

Plain operators name the node; where it is part of a routed layer, the raised form names what the layer gives. The unchanged
model agrees. Needs what bisect.py needs.
"""
import argparse, pathlib, subprocess, sys, tempfile
import onnx

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def bisect(model, case, tools, *options):
    words = [sys.executable, ROOT / "scripts/bisect.py", model, case / "test_data_set_1", "--tools", tools, *options]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    print(done.stdout + done.stderr)
    return done.returncode, [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("  first:")]


def changed(case, op_type, new_type):
    model = onnx.load(str(case / "model.onnx"))
    node = next(n for n in model.graph.node if n.op_type == op_type)
    node.op_type = new_type
    del node.attribute[:]
    return model, node.output[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=pathlib.Path, help="a case whose router has one Softmax and whose experts one Sigmoid")
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    args = parser.parse_args()
    failures = 0

    def expect(what, holds):
        nonlocal failures
        failures += not holds
        print(f"{'ok' if holds else 'FAILED'}: {what}")

    status, first = bisect(args.case / "model.onnx", args.case, args.tools)
    expect("the unchanged model agrees", status == 0 and not first)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        # The layer is raised with another score function, but not with another activation.
        for op_type, new_type, is_raised in (("Softmax", "Sigmoid", True), ("Sigmoid", "Tanh", False)):
            model, value = changed(args.case, op_type, new_type)
            onnx.save(model, str(path))
            status, first = bisect(path, args.case, args.tools, "--reference", args.case / "model.onnx")
            expect(f"{op_type} that is {new_type}: plain operators differ from '{value}' on",
                   status == 1 and len(first) == 2 and first[1] == value)
            expect("the raised form names what the layer gives", (first[:1] != [value]) == is_raised)
    status, first = bisect(args.case / "model.onnx", args.case / "nothing", args.tools)
    expect("inputs that are missing are an error", status == 2)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
