#!/usr/bin/env python3
"""Breaks generated GPU kernels at random and counts how many of them the emulated GPU and a comparison of results catch.

  mutate.py --tools build/dev/bin [--count N] [--seed S] [--page docs/GpuMutations.md]

The functions of subjects.py are compiled by moec. Each mutant is one change of one instruction of the PTX
of one kernel: the operator by turns (operators.py), the kernel among those that it applies to, the place and the form at
random. A mutant runs on all inputs of its function, with warps and copies in two orders, until it is caught: its PTX is
refused, the emulated GPU reports a fault, or a result is not that of the kernel as compiled (integers, and products whose
sums are exact: in every bit; others: within the tolerance of the tests of GPU kernels, of the larger of 1 and the value).
Others survive. A survivor from which ptxas, where it is found, makes the same machine code as from the kernel as compiled
is no mutant, as no test could tell it: another change by the same operator takes its place.
Exit status: 0 if at least --least of all mutants are caught and no tool crashes.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import functools
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import typing

import numpy as np

import artifact
import operators
import ptx
import subjects

TOLERANCES = {"f4": 1e-5, "f2": 2e-3, "V2": 1.6e-2}
SEEDS = (0, 1)
# What messages of the emulated GPU say, and in a word what they are about.
FAULTS = {"race": "race", "non-coherent": "race", "deadlock": "deadlock", "no end after": "endless loop", "outside of": "address",
          "not aligned": "address", "runs out of": "address", "access to": "address", "only be read": "address",
          "never written": "poison", "was read before": "poison", "bytes of poison": "poison", "flag": "flags left",
          "barrier": "barrier", "mask of lanes": "lanes", "index lies outside": "status", "value for which": "status"}


@dataclasses.dataclass
class InputSet:
    arguments: list
    limit: int = 0
    status: int = 0
    message: str = ""
    results: list = dataclasses.field(default_factory=list)


class Subject:
    """A compiled file, its inputs, and what the kernels as compiled make of them."""

    def __init__(self, function, source, input_sets, tools, folder):
        self.name, self.is_exact = function.name, function.is_exact
        self.tools, self.folder, self.input_sets = tools, folder, input_sets
        file = folder / "whole.moe"
        done = subprocess.run([tools / "moec", "--target=cuda", source, "-o", file], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{self.name}: {done.stderr}")
        self.artifact = artifact.Artifact(file.read_bytes())
        self.text = self.artifact.ptx()
        self.kernels = [kernel for kernel in ptx.read_kernels(self.text) if kernel.name.startswith(function.kernels)]
        for inputs in input_sets:
            self.calibrate(file, inputs)

    def calibrate(self, file, inputs):
        """Runs the kernels as compiled, and finds how many instructions are far too many for a block."""
        limit = 1 << 12
        while True:
            inputs.status, inputs.message, inputs.results = self.execute(file, inputs, 0, limit)
            if inputs.status == 0 or "no end after" not in inputs.message:
                break
            limit *= 2
        inputs.limit = 4 * limit
        for seed in SEEDS[1:]:
            run = self.execute(file, inputs, seed, inputs.limit)
            if difference := self.judge(inputs, *run):
                sys.exit(f"{self.name}: {difference} with seed {seed}, without any mutation\n{run[1]}")

    def execute(self, file, inputs, seed, limit):
        """Exit status, message, results."""
        with tempfile.TemporaryDirectory(dir=self.folder) as output:
            command = [self.tools / "moe-run", file, f"--device=emu:sm_80,seed={seed},limit={limit}", "--threads=1",
                       *inputs.arguments, "--output-dir", output]
            done = subprocess.run(command, capture_output=True, text=True)
            files = sorted(pathlib.Path(output).glob("output_*.npy"))
            return done.returncode, done.stderr.strip(), [np.load(path) for path in files]

    def judge(self, inputs, status, message, results):
        """How a run is known to be wrong, or an empty string."""
        if status not in (0, 1):
            return f"crash: exit {status}: {message[-200:]}"
        if status == 1 and message != inputs.message:
            if "PTX of sm_80" in message:
                return "refused"
            return next((kind for words, kind in FAULTS.items() if words in message), f"other: {message}")
        if status != inputs.status:
            return "wrong result"
        compare = is_same if self.is_exact else is_close
        same = all(compare(*pair) for pair in zip(inputs.results, results, strict=True))
        return "" if same else "wrong result"

    def find_difference(self, inputs, status, message, results):
        """Whether a run that is judged well differs in any bit."""
        return "" if all(is_same(*pair) for pair in zip(inputs.results, results)) else "differs"

    def test(self, text, judge=None):
        """How a mutant is caught, or an empty string."""
        judge = judge or self.judge
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".moe") as file:
            file.write(self.artifact.with_ptx(text))
            file.flush()
            for inputs in self.input_sets:
                for seed in SEEDS:
                    if verdict := judge(inputs, *self.execute(file.name, inputs, seed, inputs.limit)):
                        return verdict
        return ""


@functools.cache
def machine_code(text):
    """What ptxas makes of PTX; nothing if it refuses it or is not there."""
    assembler = shutil.which("ptxas") or shutil.which("ptxas", path="/usr/local/cuda/bin")
    if not assembler:
        return None
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "kernels.ptx").write_text(text)
        # The file has the names of those that it is made from in it.
        command = [assembler, "--gpu-name=sm_80", "kernels.ptx", "--output-file", "kernels.cubin"]
        if subprocess.run(command, cwd=folder, capture_output=True).returncode:
            return None
        return pathlib.Path(folder, "kernels.cubin").read_bytes()


def is_same(expected, actual):
    return expected.dtype == actual.dtype and expected.shape == actual.shape and expected.tobytes() == actual.tobytes()


def is_close(expected, actual):
    if expected.dtype != actual.dtype or expected.shape != actual.shape:
        return False
    tolerance = TOLERANCES.get(expected.dtype.str[1:])
    if tolerance is None:
        return np.array_equal(expected, actual)
    expected, actual = (subjects.cases.from_storage(values).astype("f8") for values in (expected, actual))
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], actual[~finite], equal_nan=True):
        return False
    expected, actual = expected[finite], actual[finite]
    return bool(np.all(np.abs(expected - actual) <= tolerance * np.maximum(1, np.abs(expected))))


def save_inputs(case, folder):
    folder.mkdir()
    arguments = []
    for name, value in case.inputs.items():
        np.save(folder / f"{name}.npy", value)
        arguments += ["--input", f"{name}=@{folder / name}.npy"]
    return InputSet(arguments)


def make_function(index, tools, folder):
    function = subjects.FUNCTIONS[index]
    cases = [subjects.build_function(index, extent) for extent in function.extents]
    cases += [subjects.build_function(index, extent, fails=True) for extent in function.failing]
    (folder / "function.mlir").write_text(cases[0].text())
    sets = [save_inputs(case, folder / str(number)) for number, case in enumerate(cases)]
    return Subject(function, folder / "function.mlir", sets, tools, folder)


def make_subjects(only, tools, folder, pool):
    jobs = []
    for index, function in enumerate(subjects.FUNCTIONS):
        if re.search(only, function.name):
            own = folder / str(index)
            own.mkdir()
            jobs.append(pool.submit(make_function, index, tools, own))
    return [job.result() for job in jobs]


def name_of(operator):
    return operator.__name__.replace("_", " ")


@dataclasses.dataclass
class Mutant:
    operator: typing.Callable
    subject: Subject
    kernel: ptx.Kernel
    place: ptx.Instruction
    text: str
    verdict: str = ""
    reason: str = ""

    def module(self, before=""):
        lines = self.subject.text.split("\n")
        lines[self.place.number] = before or self.text
        return "\n".join(lines)

    def run(self):
        self.verdict = self.subject.test(self.module())
        if not self.verdict:
            self.reason = self.explain()
        return self

    def describe(self):
        return (f"{name_of(self.operator)}: {self.subject.name}, {self.kernel.name}, line {self.place.number + 1}: "
                f"{self.text.strip() or 'nothing'}: {self.verdict or self.reason}")

    def is_equivalent(self):
        code = machine_code(self.subject.text)
        return code is not None and code == machine_code(self.module())

    def explain(self):
        if not self.subject.test(self.module(f"\t{self.place.guard_text()}trap;")):
            return "no input executes it"
        if self.subject.test(self.module(), self.subject.find_difference):
            return "results differ, but less than the tolerance"
        return "the same bits"


class Drawing:
    """Draws mutants, no two the same. Kernels that differ in their names only count once."""

    def __init__(self, all_subjects, seed):
        self.rng = random.Random(seed)
        kernels = {}
        for subject in all_subjects:
            for kernel in subject.kernels:
                kernels.setdefault(kernel.body(), (subject, kernel))
        self.kernel_count, self.places, self.seen = len(kernels), {}, set()
        for operator in operators.OPERATORS:
            for subject, kernel in kernels.values():
                found = [index for index in range(len(kernel.instructions)) if operator(kernel, index)]
                if found:
                    self.places.setdefault(operator, []).append((subject, kernel, found))

    def draw(self, operator):
        """A mutant by the operator, or nothing where there is none or the same again."""
        if operator not in self.places:
            return None
        subject, kernel, found = self.rng.choice(self.places[operator])
        index = self.rng.choice(found)
        change = self.rng.choice(operator(kernel, index))
        place, text = change if isinstance(change, tuple) else (kernel.instructions[index], change)
        key = (kernel.body(), place.number, text)
        if key in self.seen:
            return None
        self.seen.add(key)
        return Mutant(operator, subject, kernel, place, text)

    def draw_all(self, count):
        """By all operators in turn."""
        mutants, misses = [], 0
        while len(mutants) < count and misses < 1000:
            mutant = self.draw(operators.OPERATORS[(len(mutants) + misses) % len(operators.OPERATORS)])
            if mutant:
                mutants.append(mutant)
            else:
                misses += 1
        return mutants

    def replace(self, mutant):
        """Others by the same operator until one is no equivalent of the kernel; the last one, and how many were."""
        equivalents = 0
        while not mutant.verdict and mutant.is_equivalent():
            equivalents += 1
            mutant = next(filter(None, (self.draw(mutant.operator) for _ in range(1000))))
            print(f"instead of an equivalent: {mutant.run().describe()}", flush=True)
        return mutant, equivalents


def page(mutants, equivalents, kernel_count, seed, command):
    caught = [mutant for mutant in mutants if mutant.verdict]
    share = 100 * len(caught) / len(mutants)
    kinds = [kind for kind, _ in collections.Counter(mutant.verdict for mutant in caught).most_common()]
    lines = ["# Mutations of GPU kernels", "",
             f"Kernels of raised layers as `moec --target=cuda` makes them, broken at random (seed {seed}) in "
             f"{len(mutants)} ways by ten operators.", f"Written by `{command}`, whose head says what counts as caught.", "",
             f"**{len(caught)} of {len(mutants)} are caught, {share:.1f} %.** Kernels: {kernel_count}. Drawn again because "
             f"ptxas makes the same machine code of them: {equivalents}.", "",
             "| operator | mutants | caught | " + " | ".join(kinds) + " |", "|---" * (3 + len(kinds)) + "|"]
    for operator in operators.OPERATORS:
        own = [mutant for mutant in mutants if mutant.operator == operator]
        by_kind = collections.Counter(mutant.verdict for mutant in own)
        cells = [name_of(operator), len(own), len(own) - by_kind[""]] + [by_kind[kind] or "" for kind in kinds]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "## Operators", ""]
    lines += [f"- *{name_of(operator)}*: {operator.__doc__[0].lower()}{operator.__doc__[1:]}"
              for operator in operators.OPERATORS]
    lines += ["", "## Survivors", "", "| function, kernel | line of the PTX | from | to | why |", "|---" * 5 + "|"]
    for mutant in mutants:
        if not mutant.verdict:
            before = mutant.subject.text.split("\n")[mutant.place.number].strip()
            cells = [f"{mutant.subject.name}, {mutant.kernel.name}", str(mutant.place.number + 1),
                     "`" + " ".join(before.split()) + "`", f"`{mutant.text.strip()}`" if mutant.text else "nothing",
                     mutant.reason]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="folder of moec and moe-run")
    parser.add_argument("--only", default="", help="only functions whose name matches this")
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--least", type=float, default=0.95, help="share of mutants that must be caught")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--page", type=pathlib.Path, help="write the result here, as Markdown")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        all_subjects = make_subjects(args.only, args.tools.resolve(), pathlib.Path(folder), pool)
        drawing = Drawing(all_subjects, args.seed)
        mutants = drawing.draw_all(args.count)
        for number, mutant in enumerate(pool.map(Mutant.run, mutants), 1):
            print(f"[{number}/{len(mutants)}] {mutant.describe()}", flush=True)
        replaced = [drawing.replace(mutant) for mutant in mutants]
    mutants, equivalents = [mutant for mutant, _ in replaced], sum(count for _, count in replaced)
    caught = sum(bool(mutant.verdict) for mutant in mutants)
    crashes = sum(mutant.verdict.startswith(("crash", "other")) for mutant in mutants)
    if args.page:
        args.page.write_text(page(mutants, equivalents, drawing.kernel_count, args.seed, "scripts/test --full mutations"))
    print(f"{caught} of {len(mutants)} mutants caught, {crashes} with a crash or a message that is not known")
    return 0 if caught >= args.least * len(mutants) and not crashes else 1


if __name__ == "__main__":
    sys.exit(main())
