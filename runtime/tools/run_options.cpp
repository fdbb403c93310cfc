// The options of moe-run.
#include "run_options.h"

#include "command_line.h"
#include "tool_error.h"

namespace moert::tools {

RunOptions parseRunOptions(int argc, char **argv, std::string &help) {
  RunOptions options;
  CommandLine line("moe-run FILE.moe [options]",
                   "Runs a compiled model once on the given inputs, or generates text, or measures.");
  line.section("Execution");
  line.text("device", "NAME",
            "what to run on: cpu; cuda or cuda:N, an NVIDIA GPU; emu:sm_80, a slow\n"
            "emulated GPU that checks every access (default: cpu)",
            options.device);
  line.text("variant", "NAME", "code variant, such as x86-64-v3 (default: the first this processor can run)",
            options.variant);
  line.count("threads", "N", "threads, including the main one (default: one per processor)", options.threads);
  line.text("load", "map|read", "map weights from the file or read them into memory (default: map)", options.load);
  line.flag("verify", "check the hash of the weights first", options.verify);
  line.text("public-key", "FILE", "run only a model signed with this Ed25519 key", options.publicKeyFile);
  line.section("One run");
  line.list("input", "NAME=SPEC",
            "an input: @FILE.npy, or 2x3:random[:SEED] for floating-point values\n"
            "in [-1, 1), integers 0 to 9, booleans; once for each input",
            options.inputs);
  line.text("output-dir", "DIR", "write output_<i>.npy there, in the order of the model's signature",
            options.outputDir);
  line.number("repeat-for", "SECONDS", "repeat the run for this long and report its time", options.repeatFor);
  line.section("Text");
  line.text("generate", "TEXT", "continue TEXT, for models with a tokenizer in the file", options.prompt);
  line.count("max-new", "N", "tokens to generate at most (default: 200)", options.maxNew);
  line.number("temperature", "T", "randomness; 0 always takes the best token (default: 0)",
              options.sampler.temperature);
  line.count("top-k", "K", "choose among the K best tokens only; 0: all (default: 0)", options.sampler.topK);
  line.number("top-p", "P", "choose among the best tokens that hold this share (default: 1)", options.sampler.topP);
  line.count("seed", "S", "seed of the choice (default: 0)", options.sampler.seed);
  line.section("Measurement");
  line.flag("bench", "measure tokens per second", options.bench);
  line.count("prefill", "N", "tokens of the prompt (default: 512)", options.prefill);
  line.count("decode", "N", "tokens generated one by one (default: 64)", options.decode);
  line.count("repeat", "R", "repetitions (default: 3)", options.repeat);
  line.section("Reports");
  line.flag("json", "report times as one line of JSON", options.json);
  line.flag("counters", "print what the emulated GPU counted, for each kernel", options.counters);
  line.text("routing", "FILE", "write which experts each MoE layer chose, as JSON", options.routingFile);
  line.text("trace", "FILE", "write a Chrome trace of all kernels, and their names for perf", options.traceFile);

  bool wantsHelp = false;
  const std::vector<std::string> arguments = line.parse(argc, argv, wantsHelp);
  if (wantsHelp) {
    help = line.help();
    return options;
  }
  if (arguments.size() != 1)
    throw ToolError(arguments.empty() ? "no file given (see --help)"
                                      : "unexpected argument '" + arguments[1] + "' (see --help)");
  options.file = arguments[0];
  if (options.counters && !options.device.starts_with("emu"))
    throw ToolError("--counters: device '" + options.device + "' counts nothing, expected emu:sm_80");
  if (options.load != "map" && options.load != "read")
    throw ToolError("--load=" + options.load + ": expected map or read");
  if (options.prompt && options.bench)
    throw ToolError("--generate and --bench exclude each other");
  if (options.repeatFor && !(*options.repeatFor > 0))
    throw ToolError("--repeat-for: expected more than 0 seconds");
  if (options.bench && (options.prefill == 0 || options.repeat == 0))
    throw ToolError("--bench needs --prefill and --repeat of at least 1");
  return options;
}

} // namespace moert::tools
