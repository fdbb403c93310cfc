#!/usr/bin/env python3
"""Checks that moe-run continues the demo model's sample prompts as its references do.

models/demo/verify.json holds prompts and the greedy text that torch produced. The two ONNX forms of the model must both
give the same bytes. Usage: check_generation.py DEMO_FOLDER --moec MOEC --moe-run MOE_RUN [--samples N] [--new-bytes N]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile


def continue_text(args, artifact, prompt):
    command = [*args.moe_run.split(), artifact, "--generate", prompt, "--max-new", str(args.new_bytes)]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.decode(errors="replace")


def check_form(form, samples, args, folder):
    artifact = folder / f"{form}.moe"
    subprocess.run([*args.moec.split(), args.demo / form / "model.onnx", "-o", artifact, "--tokenizer=byte", "--bos=0"],
                   check=True, stderr=subprocess.DEVNULL)
    failures = 0
    for prompt, expected in samples:
        wanted = expected.encode()[:args.new_bytes].decode(errors="ignore")
        text = continue_text(args, artifact, prompt)
        if not text.startswith(wanted):
            failures += 1
            print(f"{form}: {prompt!r}: expected {wanted!r}, found {text!r}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=pathlib.Path)
    parser.add_argument("--moec", required=True)
    parser.add_argument("--moe-run", required=True)
    parser.add_argument("--samples", type=int, help="prompts that are continued, spread over all; default all")
    parser.add_argument("--new-bytes", type=int, default=120, help="of each continuation")
    args = parser.parse_args()
    generations = json.loads((args.demo / "verify.json").read_text())["generations"]
    samples = [(sample["prompt"], sample["greedy"]) for domain in generations.values() for sample in domain]
    samples = samples[::max(1, len(samples) // (args.samples or len(samples)))]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for form in ("moe_nodes", "gathered_weights"):
            failures += check_form(form, samples, args, pathlib.Path(folder))
    print(f"{2 * len(samples) - failures} of {2 * len(samples)} continuations equal")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
