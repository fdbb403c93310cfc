// What the command line of moe-run says.
#pragma once
#include "sampler.h"

#include <optional>
#include <string>
#include <vector>

namespace moert::tools {

struct RunOptions {
  std::string file, device = "cpu", variant, load = "map";
  int64_t threads = 0;
  std::vector<std::string> inputs;
  std::string outputDir;
  std::optional<double> repeatFor;
  std::optional<std::string> prompt;
  int64_t maxNew = 200;
  SamplerOptions sampler;
  bool bench = false;
  int64_t prefill = 512, decode = 64, repeat = 3;
  bool json = false, counters = false, verify = false;
  std::string publicKeyFile; // empty: any file may run
  std::string routingFile, traceFile;
};

// Sets `help` instead if the text was asked for. Throws ToolError.
RunOptions parseRunOptions(int argc, char **argv, std::string &help);

} // namespace moert::tools
