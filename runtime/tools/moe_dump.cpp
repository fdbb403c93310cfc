// The frame of moe-dump.
#include "moe_dump.h"

#include "command_line.h"
#include "dump.h"
#include "dump_gpu.h"
#include "key_file.h"
#include "tool_error.h"

#include <cstdio>

namespace moert::tools {

static void require(const Status &status, const std::string &path) {
  if (!status.ok())
    throw ToolError(path + ": " + status.getMessage());
}

static void verify(const FileSource &source, const Artifact &artifact, const std::string &path) {
  const moert_section_t &section = artifact.weightData();
  Mapping weights;
  require(source.map(section.offset, section.size, /*copy=*/false, weights), path);
  require(verifyWeights(artifact, {weights.data(), weights.size()}), path);
}

static void runTool(int argc, char **argv) {
  std::string publicKeyFile;
  bool wantsHelp = false, wantsVerify = false, wantsJson = false, wantsSteps = false;
  bool wantsPtx = false, wantsSass = false, wantsOpcodes = false;
  std::string kernel;
  CommandLine line("moe-dump FILE.moe [options]",
                   "Checks a .moe file and describes it: sections, signature, MoE layers, weights, kernels.");
  line.section("Options");
  line.flag("verify", "also check the hash of the weights, which reads all of them", wantsVerify);
  line.text("public-key", "FILE", "refuse a file that is not signed with this Ed25519 key", publicKeyFile);
  line.flag("json", "describe the file as JSON", wantsJson);
  line.flag("step", "print the step program", wantsSteps);
  line.flag("ptx", "print the PTX of the code for GPUs", wantsPtx);
  line.text("kernel", "NAME", "with --ptx: of this kernel alone", kernel);
  line.flag("sass", "print the machine code for GPUs, by nvdisasm", wantsSass);
  line.flag("opcodes", "count the opcodes of the machine code for GPUs", wantsOpcodes);
  const std::vector<std::string> arguments = line.parse(argc, argv, wantsHelp);
  if (wantsHelp) {
    std::fputs(line.help().c_str(), stdout);
    return;
  }
  if (arguments.size() != 1)
    throw ToolError(arguments.empty() ? "no file given (see --help)"
                                      : "unexpected argument '" + arguments[1] + "' (see --help)");
  const std::string &path = arguments[0];
  FileSource source;
  Artifact artifact;
  require(source.open(path.c_str()), path);
  const std::array<uint8_t, 32> key = publicKeyFile.empty() ? std::array<uint8_t, 32>{} : readPublicKey(publicKeyFile);
  require(readArtifact(source, publicKeyFile.empty() ? nullptr : key.data(), artifact), path);
  if (wantsVerify)
    verify(source, artifact, path);
  if (wantsJson || !(wantsSteps || wantsPtx || wantsSass || wantsOpcodes))
    std::fputs((wantsJson ? dumpJson(artifact) : dumpText(artifact)).c_str(), stdout);
  if (wantsSteps)
    std::fputs(dumpSteps(artifact).c_str(), stdout);
  if (wantsPtx)
    std::fputs(dumpPtx(artifact, kernel).c_str(), stdout);
  if (wantsOpcodes)
    std::fputs(dumpOpcodes(artifact).c_str(), stdout);
  if (wantsSass)
    printSass(artifact);
  if (wantsVerify && !wantsJson)
    std::fputs("\nall hashes match\n", stdout);
}

int moeDumpMain(int argc, char **argv) {
  try {
    runTool(argc, argv);
    return 0;
  } catch (const ToolError &error) {
    std::fprintf(stderr, "moe-dump: %s\n", error.what());
    return 1;
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "moe-dump: out of memory\n");
    return 1;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "moe-dump: internal error: %s\n", error.what());
    return 70;
  }
}

} // namespace moert::tools
