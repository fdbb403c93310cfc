#!/usr/bin/env python3
"""Checks that the bits of a row depend on nothing but the row.

The demo model runs a batch, each of its texts alone, and the last position of each text as a step on the cache of the
others; with 1, 2 and 3 threads. Within one code variant all of these must give the same bits.
Usage: check_determinism.py DEMO_FOLDER --moec MOEC --moe-run MOE_RUN
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

LAYERS, KEY_HEADS, HEAD_SIZE = 4, 2, 32


class Model:
    def __init__(self, args, folder, form):
        self.moe_run, self.folder = args.moe_run, folder
        self.artifact = folder / f"{form}.moe"
        subprocess.run([args.moec, args.demo / form / "model.onnx", "-o", self.artifact], check=True,
                       stderr=subprocess.DEVNULL)

    def run(self, ids, past=None, threads=1):
        """Logits and caches of `ids` [batch, length] behind the caches `past`."""
        batch, length = ids.shape
        start = past[0].shape[2] if past else 0
        positions = np.tile(np.arange(start, start + length, dtype=np.int64), (batch, 1))
        past = past or [np.zeros((batch, KEY_HEADS, 0, HEAD_SIZE), np.float32)] * (2 * LAYERS)
        names = [f"past_key_values.{i}.{kind}" for i in range(LAYERS) for kind in ("key", "value")]
        command = [self.moe_run, self.artifact, f"--threads={threads}", f"--output-dir={self.folder}"]
        for name, value in [("input_ids", ids), ("position_ids", positions), *zip(names, past)]:
            path = self.folder / f"in_{name}.npy"
            np.save(path, value)
            command += ["--input", f"{name}=@{path}"]
        subprocess.run(command, check=True)
        return [np.load(self.folder / f"output_{i}.npy") for i in range(1 + 2 * LAYERS)]


def same_bits(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.int32), b.view(np.int32))


def check(model):
    """Yields what was compared and whether it was equal."""
    ids = np.random.default_rng(7).integers(1, 256, (5, 33), dtype=np.int64)
    together = model.run(ids)
    for threads in (2, 3):
        again = model.run(ids, threads=threads)
        yield f"{threads} threads", all(same_bits(a, b) for a, b in zip(together, again))
    for text in range(len(ids)):
        alone = model.run(ids[text:text + 1])
        yield f"text {text} alone", all(same_bits(a[text:text + 1], b) for a, b in zip(together, alone))
    prefix = model.run(ids[:, :-1])
    step = model.run(ids[:, -1:], past=prefix[1:])
    yield "a shorter text", same_bits(together[0][:, :-1], prefix[0])
    yield "the last position as a step", same_bits(together[0][:, -1:], step[0])
    yield "the caches after the step", all(same_bits(a, b) for a, b in zip(together[1:], step[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=pathlib.Path)
    parser.add_argument("--moec", required=True)
    parser.add_argument("--moe-run", required=True)
    args = parser.parse_args()
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        for form in ("moe_nodes", "gathered_weights"):
            for what, equal in check(Model(args, pathlib.Path(folder), form)):
                print(f"{form}: {what}: {'equal' if equal else 'DIFFERENT'} bits")
                differing += not equal
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
