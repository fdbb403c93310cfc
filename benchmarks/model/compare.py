"""Times a whole model beside ONNX Runtime: a prompt, then tokens one by one, with caches in place on both sides.

  compare.py --tools build/dev/bin [--bits 0|4|8] [--threads 2] [--rounds 3] ...

Writes the model of make_model.py, compiles it, and lets a process of each side take turns. The table has the least time of
all processes, and the median of their medians. What is compared is a ratio: times of different machines say little.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

import make_model


def run_peer(args):
    """One process of ONNX Runtime; prints milliseconds as moe-run --bench does."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = args.threads, 3
    session = onnxruntime.InferenceSession(args.peer / "model.onnx", options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs() if "past" in value.name]
    room = np.zeros((1, args.groups, args.prefill + args.decode, args.head), np.float32)
    caches = {name: onnxruntime.OrtValue.ortvalue_from_numpy(room) for name in names}

    def step(tokens, total):
        binding = session.io_binding()
        binding.bind_cpu_input("input_ids", tokens[None])
        binding.bind_cpu_input("seqlens_k", np.array([total - 1], np.int32))
        binding.bind_cpu_input("total_sequence_length", np.array(total, np.int32))
        for name, cache in caches.items():
            binding.bind_ortvalue_input(name, cache)
            binding.bind_ortvalue_output(name.replace("past_key_values", "present"), cache)
        binding.bind_output("logits")
        start = time.perf_counter()
        session.run_with_iobinding(binding)
        return (time.perf_counter() - start) * 1e3

    # The tokens of moe-run --bench.
    prompt, following = (32 + np.arange(count) * 7919 % 95 for count in (args.prefill, args.decode))
    step(prompt, args.prefill)
    prefill, steps = [], []
    for _ in range(args.repeat):
        prefill.append(step(prompt, args.prefill))
        steps += [step(following[i:i + 1], args.prefill + i + 1) for i in range(args.decode)]
    print(json.dumps({"prefill_ms": np.median(prefill), "prefill_min_ms": min(prefill), "step_median_ms": np.median(steps),
                      "step_min_ms": min(steps)}))


def measure(command):
    """(least, median) of the prompt and of a step, in milliseconds."""
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return [(result.get("prefill_min_ms", result["prefill_ms"]), result["prefill_ms"]),
            (result["step_min_ms"], result["step_median_ms"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    make_model.add_arguments(parser)
    parser.add_argument("--tools", type=pathlib.Path, help="folder of moec and moe-run")
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=2, help="prompts of one process")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="processes of each side")
    parser.add_argument("--peer", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return run_peer(args)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_model.write_model(args, folder)
        subprocess.run([args.tools / "moec", folder / "model.onnx", "-o", folder / "model.moe"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sizes = [f"--{name}={getattr(args, name)}" for name in ("prefill", "decode", "repeat", "threads")]
        commands = {"moec": [args.tools / "moe-run", folder / "model.moe", "--bench", "--json", *sizes],
                    "ONNX Runtime": [sys.executable, __file__, "--peer", folder, f"--groups={args.groups}",
                                     f"--head={args.head}", *sizes]}
        results = {side: [] for side in commands}
        for _ in range(args.rounds):
            for side, command in commands.items():
                results[side].append(measure(command))
    summary = {}
    for side, rounds in results.items():
        values = np.array(rounds)  # [round, prompt or step, least or median]
        summary[side] = np.stack([values[:, :, 0].min(0), np.median(values[:, :, 1], 0)], 1)
    print(f"{'':13}  prompt of {args.prefill}: least, median ms   a step: least, median ms")
    for side, values in summary.items():
        print(f"{side:13}  " + "   ".join(f"{least:10.2f} {median:10.2f}" for least, median in values))
    ratios = summary["ONNX Runtime"] / summary["moec"]
    print(f"{'times faster':13}  " + "   ".join(f"{least:10.2f} {median:10.2f}" for least, median in ratios))


if __name__ == "__main__":
    main()
