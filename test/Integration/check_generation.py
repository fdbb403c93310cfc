#!/usr/bin/env python3
"""Checks that moe-run continues the demo model's sample prompts as its references do.

models/demo/verify.json holds prompts and the greedy text that torch produced. The two ONNX forms of the model must both
give the same bytes. Usage: check_generation.py DEMO_FOLDER --moec MOEC --moe-run MOE_RUN
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

NEW_BYTES = 120


def continue_text(moe_run, artifact, prompt):
    command = [moe_run, artifact, "--generate", prompt, "--max-new", str(NEW_BYTES)]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.decode(errors="replace")


def check_form(form, samples, args, folder):
    artifact = folder / f"{form}.moe"
    subprocess.run([args.moec, args.demo / form / "model.onnx", "-o", artifact, "--tokenizer=byte", "--bos=0"],
                   check=True, stderr=subprocess.DEVNULL)
    failures = 0
    for prompt, expected in samples:
        wanted = expected.encode()[:NEW_BYTES].decode(errors="ignore")
        text = continue_text(args.moe_run, artifact, prompt)
        if not text.startswith(wanted):
            failures += 1
            print(f"{form}: {prompt!r}: expected {wanted!r}, found {text!r}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=pathlib.Path)
    parser.add_argument("--moec", required=True)
    parser.add_argument("--moe-run", required=True)
    args = parser.parse_args()
    generations = json.loads((args.demo / "verify.json").read_text())["generations"]
    samples = [(sample["prompt"], sample["greedy"]) for domain in generations.values() for sample in domain]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for form in ("moe_nodes", "gathered_weights"):
            failures += check_form(form, samples, args, pathlib.Path(folder))
    print(f"{2 * len(samples) - failures} of {2 * len(samples)} continuations equal")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
