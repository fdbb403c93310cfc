"""Compiles every case of a folder twice and expects the same file, byte for byte.

  check_reproducible.py CASES --moec MOEC

Nothing that differs between two processes (where memory lies, the time, the file's name) may reach the result.
"""
import argparse
import hashlib
import pathlib
import subprocess
import sys
import tempfile

TIMES = 2


def digest(moec, model, output):
    command = [*moec.split(), str(model), "-o", str(output)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return hashlib.sha256(output.read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=pathlib.Path)
    parser.add_argument("--moec", required=True)
    args = parser.parse_args()
    models = sorted(args.cases.rglob("model.onnx"))
    if not models:
        sys.exit(f"no model.onnx below {args.cases}")
    differing = []
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            files = {digest(args.moec, model, pathlib.Path(folder) / f"{i}.moe") for i in range(TIMES)}
            print(f"{model.parent.relative_to(args.cases)}: {len(files)} different of {TIMES}", flush=True)
            if len(files) != 1:
                differing.append(model)
    sys.exit(f"{len(differing)} models do not compile to one file" if differing else 0)


if __name__ == "__main__":
    main()
