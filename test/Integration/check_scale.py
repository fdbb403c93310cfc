"""Compile time of twice as many layers: at most 2.3 times, recognised or as plain operators.

  check_scale.py --moec MOEC --generator benchmarks/scale/make_grouped.py

Layers have the grouped form of the Hugging Face exporter, weights lie in a sparse file, and compilation ends with the step
program, so that nothing is proportional to the weights. Processor time, the least of seven runs of each, in turn.
"""
import argparse
import pathlib
import resource
import subprocess
import sys
import tempfile

LIMIT, ROUNDS = 2.3, 7
# name: (layers, experts, options)
GRAPHS = {
    "recognised": (24, 64, []),
    "plain": (12, 16, ["--disable=moe-raise-grouped-experts"]),
}


def generate(args, folder, layers, experts):
    subprocess.run([sys.executable, args.generator, folder, "--layers", str(layers), "--experts", str(experts),
                    "--hidden", "64", "--inner", "32"], check=True, stdout=subprocess.DEVNULL)
    return folder / "model.onnx"


def processor_time(args, model, options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([*args.moec.split(), model, "-o", "-", "--compile-to=schedule", *options], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def growth(args, folder, layers, experts, options):
    models = [generate(args, folder / str(count), count, experts) for count in (layers, 2 * layers)]
    rounds = [[processor_time(args, model, options) for model in models] for _ in range(ROUNDS)]
    once, twice = (min(times) for times in zip(*rounds))
    return twice / once


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moec", required=True)
    parser.add_argument("--generator", required=True, type=pathlib.Path)
    args = parser.parse_args()
    ratios = {}
    for name, (layers, experts, options) in GRAPHS.items():
        with tempfile.TemporaryDirectory() as folder:
            ratios[name] = growth(args, pathlib.Path(folder), layers, experts, options)
        print(f"{name}: {2 * layers} layers of {experts} experts take {ratios[name]:.2f} times as long as {layers}")
    sys.exit(0 if max(ratios.values()) <= LIMIT else f"expected at most {LIMIT}")


if __name__ == "__main__":
    main()
