"""Graphs with caches, fed one token at a time, against the graph without caches (or one run over the whole text).

  check_cached.py CASES --moec MOEC --moe-run MOE_RUN [--tokens 64] [--state-check STATE_CHECK]

Finds the cases below CASES whose graph takes caches. The reference is another export of the same weights without caches,
if there is one, else the same graph over all tokens at once. Every step gets the same random token on both sides (teacher
forcing): logits must lie within 1e-3 of the largest, and the greedy choice must be equal wherever the two best logits
differ by more than 1e-3. STATE_CHECK FILE.moe checks the steps of sessions, which carry the caches themselves.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

TOLERANCE = 1e-3


class Graph:
    """One compiled model and the types of its inputs and outputs."""

    def __init__(self, args, case, folder):
        self.case, self.folder, self.moe_run = case, folder, args.moe_run
        self.artifact = folder / f"{case.name}.moe"
        graph = onnx.load(case / "model.onnx", load_external_data=False).graph
        weights = {weight.name for weight in graph.initializer}
        self.inputs = {value.name: value.type.tensor_type for value in graph.input if value.name not in weights}
        self.outputs = [value.name for value in graph.output]
        self.caches = [name for name in self.inputs if "past" in name]
        subprocess.run([*args.moec.split(), case / "model.onnx", "-o", self.artifact], check=True,
                       stderr=subprocess.DEVNULL)

    def empty_cache(self, name):
        """One text, no positions; a state of fixed size is zero. A symbolic size of heads is that of the stored inputs."""
        stored = onnx.load_tensor(self.case / f"test_data_set_0/input_{list(self.inputs).index(name)}.pb")
        dims = list(stored.dims)
        dims[0] = 1
        if len(dims) == 4:
            dims[2] = 0
        return np.zeros(dims, onnx.helper.tensor_dtype_to_np_dtype(stored.data_type))

    def run(self, ids, start, caches):
        """Logits [tokens, vocabulary] and the caches behind the tokens."""
        end = start + len(ids)
        known = {"input_ids": ids, "attention_mask": np.ones(end, np.int64), "position_ids": np.arange(start, end)}
        values = {name: known[name][None] for name in self.inputs if name in known} | caches
        command = [*self.moe_run.split(), self.artifact, f"--output-dir={self.folder}"]
        for index, (name, value) in enumerate(values.items()):
            kind = onnx.helper.tensor_dtype_to_np_dtype(self.inputs[name].elem_type)
            np.save(self.folder / f"in_{index}.npy", value.astype(kind))
            command += ["--input", f"{name}=@{self.folder / f'in_{index}.npy'}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        results = [np.load(self.folder / f"output_{index}.npy") for index in range(len(self.outputs))]
        return results[0].astype(np.float32)[0], dict(zip(self.caches, results[1:]))


def reference_case(case):
    """The exporters wrote one set of weights, unless they quantised it."""
    for name in (case.name.removesuffix("_kv"), "torchscript" if case.name == "genai_fp32" else case.name):
        if name != case.name and (case.with_name(name) / "model.onnx").exists():
            return case.with_name(name)
    return case


def compare(whole, steps):
    """What differs, as words, or None."""
    error = np.abs(whole - steps).max() / np.abs(whole).max()
    if not error <= TOLERANCE:
        return f"logits differ by {error:.1e} of the largest"
    best = np.sort(whole, axis=-1)
    decided = best[:, -1] - best[:, -2] > TOLERANCE
    other = np.count_nonzero(decided & (whole.argmax(-1) != steps.argmax(-1)))
    return f"{other} greedy tokens differ" if other else None


def check(args, case, folder):
    cached, plain = Graph(args, case, folder), Graph(args, reference_case(case), folder)
    ids = np.random.default_rng(11).integers(1, 256, args.tokens, dtype=np.int64)
    whole, _ = plain.run(ids, 0, {name: plain.empty_cache(name) for name in plain.caches})
    caches = {name: cached.empty_cache(name) for name in cached.caches}
    steps = []
    for position in range(args.tokens):
        logits, caches = cached.run(ids[position:position + 1], position, caches)
        steps.append(logits[-1])
    if args.state_check:
        done = subprocess.run([args.state_check, cached.artifact], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            return "steps of a session: " + done.stdout.strip()
    return compare(whole, np.stack(steps))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=pathlib.Path)
    parser.add_argument("--moec", required=True)
    parser.add_argument("--moe-run", required=True)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--state-check", help="program that checks the steps of sessions")
    args = parser.parse_args()
    found, failed = 0, 0
    for path in sorted(args.cases.rglob("model.onnx")):
        inputs = onnx.load(path, load_external_data=False).graph.input
        if not any("past" in value.name for value in inputs):
            continue
        found += 1
        with tempfile.TemporaryDirectory() as folder:
            problem = check(args, path.parent, pathlib.Path(folder))
        print(f"{path.parent.relative_to(args.cases)}: {problem or 'equal'}", flush=True)
        failed += problem is not None
    sys.exit(f"{failed} of {found} differ" if failed or not found else 0)


if __name__ == "__main__":
    main()
