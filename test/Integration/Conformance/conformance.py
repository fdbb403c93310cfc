"""Compares compiled moe and nn ops with their reference evaluation on random types, shapes and attributes.

For each case a function is written as MLIR text, compiled by moec and run by moe-run, and evaluated by moe-reference.
Exit status: 0 if all agree, 1 otherwise. A failing case is printed with the command that repeats it.
"""
import argparse
import pathlib
import sys
import tempfile

import numpy as np

import case as cases
import moe_ops
import nn_ops


GROUPS = {"moe": moe_ops.OPS, "nn": nn_ops.OPS}


def main():
    ops = {op.__name__: op for group in GROUPS.values() for op in group}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ops", nargs="*", help=f"of {', '.join(ops)}; default all")
    parser.add_argument("--group", choices=GROUPS, help="only the ops of this dialect")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="folder of moec, moe-run, moe-reference")
    parser.add_argument("--cases", type=int, default=20, help="per op")
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--keep", type=pathlib.Path, help="keep the files of the last case in this folder")
    parser.add_argument("--device", default="cpu", help="of moe-run")
    parser.add_argument("--moec-option", action="append", default=[], help="passed on to moec")
    args = parser.parse_args()
    chosen = args.ops or [op.__name__ for op in GROUPS.get(args.group, [])] or list(ops)
    wrong = 0
    for name in chosen:
        for seed in range(args.seed, args.seed + args.cases):
            case = cases.Case(np.random.default_rng([seed, list(ops).index(name)]))
            ops[name](case)
            with tempfile.TemporaryDirectory() as folder:
                folder = args.keep or pathlib.Path(folder)
                folder.mkdir(parents=True, exist_ok=True)
                problem = cases.run(case, args.tools, folder, args.device, args.moec_option)
            if problem:
                wrong += 1
                print(f"{name} --seed {seed} --cases 1: {problem}", flush=True)
    print(f"{wrong} of {args.cases * len(chosen)} cases are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
