"""Casts between f16 and f32 on one code variant: every f16, and f32 at, beside and halfway between them, and at random.

  check_half_conversions.py --moec MOEC --moe-run MOE_RUN

Variants without instructions for it compute them by integers; the result is NumPy's, bit for bit but for the kind of a
NaN.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper


def run_cast(args, folder, values, target):
    model, artifact, source = folder / "cast.onnx", folder / "cast.moe", folder / "x.npy"
    graph = helper.make_graph([helper.make_node("Cast", ["x"], ["y"], to=target)], "cast",
                              [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(values.dtype), ["n"])],
                              [helper.make_tensor_value_info("y", target, ["n"])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), model)
    np.save(source, values)
    subprocess.run([*args.moec.split(), model, "-o", artifact], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([*args.moe_run.split(), artifact, "--input", f"x=@{source}", f"--output-dir={folder}"], check=True,
                   stdout=subprocess.DEVNULL)
    return np.load(folder / "output_0.npy")


def edges(halves):
    """f32 where the rounding to f16 decides."""
    exact = halves[np.isfinite(halves)].astype(np.float32)
    ordered = np.unique(exact).astype(np.float64)
    middles = ((ordered[:-1] + ordered[1:]) / 2).astype(np.float32)
    limits = np.array([65519.99, 65520, 65536, 3e38, np.inf, -np.inf, np.nan, 2**-25, 2**-24, 1e-45, -0.0], np.float32)
    points = np.concatenate([exact, middles, limits])
    with np.errstate(invalid="ignore"):
        return np.concatenate([points, np.nextafter(points, np.float32(np.inf)),
                               np.nextafter(points, np.float32(-np.inf))])


def count_differences(found, expected):
    same = found.view(np.uint8).reshape(len(found), -1) == expected.view(np.uint8).reshape(len(expected), -1)
    return int(np.sum(~(same.all(axis=1) | (np.isnan(found) & np.isnan(expected)))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moec", required=True)
    parser.add_argument("--moe-run", required=True)
    args = parser.parse_args()
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    random = np.random.default_rng(0).integers(0, 1 << 32, 1 << 20, dtype=np.uint32).view(np.float32)
    singles = np.concatenate([edges(halves), random])
    with tempfile.TemporaryDirectory() as folder, np.errstate(over="ignore", invalid="ignore"):
        folder = pathlib.Path(folder)
        widened = count_differences(run_cast(args, folder, halves, TensorProto.FLOAT), halves.astype(np.float32))
        narrowed = count_differences(run_cast(args, folder, singles, TensorProto.FLOAT16), singles.astype(np.float16))
    print(f"f16 to f32: {widened} of {len(halves)} differ, f32 to f16: {narrowed} of {len(singles)}")
    sys.exit(1 if widened or narrowed else 0)


if __name__ == "__main__":
    main()
