#!/usr/bin/env python3
"""Multinomial draws classes as often as their probabilities say: the same ones in every run, none of probability 0.

Which ones is not specified; their numbers are checked within five standard deviations. Needs: numpy, onnx.
"""
import argparse, pathlib, subprocess, sys, tempfile
import numpy as np
import onnx
from onnx import helper

PROBABILITIES = np.array([[0.1, 0.2, 0.7, 0.0], [0.0, 0.25, 0.25, 0.5]])
COUNT = 4000


def make_model():
    node = helper.make_node("Multinomial", ["logits"], ["classes"], sample_size=COUNT, seed=7.0, dtype=onnx.TensorProto.INT64)
    graph = helper.make_graph([node], "draw", [helper.make_tensor_value_info("logits", 1, ["batch", 4])],
                              [helper.make_tensor_value_info("classes", 7, ["batch", COUNT])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moec", required=True, help="compile command, with options if any")
    parser.add_argument("--moe-run", required=True, help="run command, with options if any")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(make_model(), str(folder / "m.onnx"))
        with np.errstate(divide="ignore"):
            np.save(folder / "logits.npy", np.log(PROBABILITIES).astype(np.float32))
        subprocess.run([*args.moec.split(), str(folder / "m.onnx"), "-o", str(folder / "m.moe")], check=True)
        draws = []
        for run in ("first", "second"):
            subprocess.run([*args.moe_run.split(), str(folder / "m.moe"), "--input", f"logits=@{folder / 'logits.npy'}",
                            "--output-dir", str(folder / run)], check=True)
            draws.append(np.load(folder / run / "output_0.npy"))
    counts = np.array([np.bincount(row, minlength=4) for row in draws[0]])
    bound = 5 * np.sqrt(COUNT * PROBABILITIES * (1 - PROBABILITIES))
    print(counts)
    good = (np.abs(counts - COUNT * PROBABILITIES) <= bound).all() and np.array_equal(*draws)
    return 0 if good and not np.array_equal(draws[0][0], draws[0][1]) else 1


if __name__ == "__main__":
    sys.exit(main())
