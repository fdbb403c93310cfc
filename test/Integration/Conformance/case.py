"""One function of moe and nn ops with inputs: compiled and run, and evaluated by plain loops."""
import pathlib
import subprocess

import numpy as np

ONNX_TYPES = {"f32": 1, "ui8": 2, "i8": 3, "i32": 6, "i64": 7, "i1": 9, "f16": 10, "f64": 11, "bf16": 16}
NUMPY_TYPES = {"f32": "f4", "ui8": "u1", "i8": "i1", "i32": "i4", "i64": "i8", "i1": "?", "f16": "f2", "f64": "f8"}
TIMEOUT = 120  # seconds, of one tool
TOLERANCES = {"f32": 2e-5, "f64": 2e-5, "f16": 4e-3, "bf16": 3e-2}


def to_storage(values, element):
    """Values in the form they have in .npy files and dense attributes; bf16 as the high half of f32."""
    if element != "bf16":
        return np.asarray(values).astype(NUMPY_TYPES[element])
    bits = np.asarray(values, "f4").view("u4").astype("u8")
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("u2").view("V2")


def from_storage(values):
    if values.dtype.kind != "V":
        return values
    return (values.view("u2").astype("u4") << 16).view("f4")


class Case:
    """`body` computes `results` (names of values) from inputs and weights."""

    def __init__(self, rng):
        self.rng = rng
        self.inputs, self.weights, self.arguments = {}, [], []
        self.body, self.results = "", []
        # Whether the inputs are such that running is a run-time error.
        self.fails = False

    def choose(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def extent(self, *choices):
        return int(self.choose(*(choices or (0, 1, 2, 3, 5, 8, 16, 17, 33))))

    def sometimes(self):
        return self.rng.random() < 0.1

    def normal(self, *shape):
        return self.rng.standard_normal(shape)

    def type(self, shape, element, symbols):
        """The type where each extent named in `symbols` is dynamic."""
        extents = "".join(("?" if s else str(e)) + "x" for e, s in zip(shape, symbols))
        return f"tensor<{extents}{element}>"

    def input(self, name, values, element, symbols=None):
        """Adds an argument; `symbols` names its dynamic dimensions ("" is static). Returns its type."""
        values = to_storage(values, element)
        symbols = symbols or [""] * values.ndim
        kind = self.type(values.shape, element, symbols)
        dims = ", ".join(f'"{s}"' for s in symbols)
        self.arguments.append(
            f'%{name}: {kind} {{onnx.name = "{name}", onnx.elem_type = {ONNX_TYPES[element]} : i32, '
            f'onnx.dims = [{dims}]}}')
        self.inputs[name] = values
        return kind

    def weight(self, name, values, element):
        """Adds a weight and loads it as %name. Returns its type."""
        values = to_storage(values, element)
        kind = self.type(values.shape, element, [""] * values.ndim)
        if values.size == 0:
            dense = "dense<>"
        else:
            dense = f'dense<"0x{values.tobytes().hex().upper()}">'
        self.weights.append(f"moe.weight @{name} : {kind} source({dense} : {kind})")
        self.body += f"  %{name} = moe.load_weight @{name} : {kind}\n"
        return kind

    def result(self, value, kind, element):
        self.results.append((value, kind, element))

    def text(self):
        kinds = []
        for i, (_, kind, element) in enumerate(self.results):
            rank = kind.count("x") - (1 if "index" in kind else 0)
            dims = ", ".join(['""'] * rank)
            kinds.append(f'{kind} {{onnx.name = "r{i}", onnx.elem_type = {ONNX_TYPES[element]} : i32, '
                         f'onnx.dims = [{dims}]}}')
        values = ", ".join("%" + value for value, _, _ in self.results)
        types = ", ".join(kind for _, kind, _ in self.results)
        weights = "\n".join(self.weights)
        return (f"{weights}\nfunc.func @main({', '.join(self.arguments)}) -> ({', '.join(kinds)}) {{\n"
                f"{self.body}  return {values} : {types}\n}}\n")


def invoke(command, status=0):
    """What is wrong with the exit status of a command, or None. A status of 1 goes with a message."""
    name = pathlib.Path(command[0]).name
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"{name} takes more than {TIMEOUT} s"
    message = " ".join(done.stderr.split())[:300]
    if done.returncode == status and (status == 0 or message):
        return None
    return f"{name} exits with {done.returncode}, expected {status}: {message}"


def compare(expected, actual, element):
    expected, actual = from_storage(expected), from_storage(actual)
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return f"{actual.dtype}{actual.shape}, expected {expected.dtype}{expected.shape}"
    if expected.dtype.kind != "f":
        return None if np.array_equal(expected, actual) else f"{np.sum(expected != actual)} of {expected.size} differ"
    expected, actual = expected.astype("f8"), actual.astype("f8")
    if not np.array_equal(np.isnan(expected), np.isnan(actual)):
        return "NaN in other places"
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite & ~np.isnan(expected)], actual[~finite & ~np.isnan(expected)]):
        return "infinities in other places"
    if not finite.any():
        return None
    difference = np.abs(expected[finite] - actual[finite]).max()
    allowed = TOLERANCES[element] * (1 + np.abs(expected[finite]).max())
    return None if difference <= allowed else f"differs by {difference:.3g}, allowed is {allowed:.3g}"


def run(case, tools, folder, device, options):
    """What is wrong with the case, or None."""
    source = folder / "case.mlir"
    source.write_text(case.text())
    given = []
    for name, values in case.inputs.items():
        np.save(folder / f"{name}.npy", values)
        given += ["--input", f"{name}=@{folder / name}.npy"]
    run_status = 1 if case.fails else 0
    target = case.choose(["--cpu=x86-64-v3"], []) if device == "cpu" else ["--target=cuda"]
    problem = (invoke([tools / "moe-reference", source, *given, "--output-dir", folder / "expected"], run_status)
               or invoke([tools / "moec", source, "-o", folder / "case.moe", *target, *options])
               or invoke([tools / "moe-run", folder / "case.moe", f"--device={device}", *given, "--output-dir",
                          folder / "actual", "--threads", case.extent(1, 2, 3)], run_status))
    if problem or case.fails:
        return problem
    for i, (value, _, element) in enumerate(case.results):
        expected, actual = (np.load(folder / which / f"output_{i}.npy") for which in ("expected", "actual"))
        problem = compare(expected, actual, element)
        if problem:
            return f"%{value}: {problem}"
    return None
