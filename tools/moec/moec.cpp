//===- moec.cpp - compiles a model to a .moe file ---------------------------===//
//
// Command line to CompileOptions; compile() does the rest.
//
//===----------------------------------------------------------------------===//
#include "moec/Driver/Compile.h"
#include "moec/Driver/CrashMessages.h"
#include "moec/InitAll.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;

static cl::OptionCategory category("moec options");

static cl::opt<std::string> input(cl::Positional, cl::Required, cl::desc("MODEL.onnx|FILE.mlir"), cl::cat(category));
static cl::opt<std::string> output("o", cl::Required, cl::value_desc("file"), cl::cat(category),
                                   cl::desc("File to write; - writes the text of an earlier stage to standard output"));
enum class Target { Cpu, Cuda };
static cl::list<Target> targets("target", cl::CommaSeparated, cl::cat(category), cl::desc("Devices to compile for:"),
                                cl::values(clEnumValN(Target::Cpu, "cpu", "processors (default)"),
                                           clEnumValN(Target::Cuda, "cuda", "NVIDIA GPUs")));
static cl::list<std::string>
    cpus("cpu", cl::CommaSeparated, cl::value_desc("list"), cl::cat(category),
         cl::desc("Code variants of x86-64-v2, -v3, -v4, aarch64, or native (default x86-64-v3,x86-64-v4)"));
static cl::opt<std::string> gpu("gpu", cl::init("sm_80"), cl::value_desc("chip"), cl::cat(category),
                                cl::desc("Oldest GPU that the code must run on (default sm_80)"));
enum class GpuF32 { Tf32x3, Fma };
static cl::opt<GpuF32>
    gpuF32("gpu-f32", cl::init(GpuF32::Tf32x3), cl::cat(category),
           cl::desc("How f32 is multiplied by floating-point weights on a GPU:"),
           cl::values(clEnumValN(GpuF32::Tf32x3, "tf32x3",
                                 "as sums of tf32 where that is faster; infinities become NaN (default)"),
                      clEnumValN(GpuF32::Fma, "fma", "as f32, several times slower")));
static cl::opt<Stage>
    compileTo("compile-to", cl::init(Stage::Emit), cl::cat(category), cl::desc("Last stage to run:"),
              cl::values(clEnumValN(Stage::Import, "import", "read the ONNX graph"),
                         clEnumValN(Stage::Raise, "raise", "recognise routed layers, attention, norms"),
                         clEnumValN(Stage::LowerOnnx, "lower-onnx", "lower the other operators"),
                         clEnumValN(Stage::Optimize, "optimize", "fuse, decompose, encode weights"),
                         clEnumValN(Stage::Schedule, "schedule", "form kernels and the step program"),
                         clEnumValN(Stage::Lower, "lower", "lower kernels to LLVM"),
                         clEnumValN(Stage::Emit, "emit", "write the .moe file (default)")));
static cl::list<std::string> disable("disable", cl::CommaSeparated, cl::value_desc("pass,..."), cl::cat(category),
                                     cl::desc("Optional passes to leave out"));
static cl::opt<bool> remarks("remarks", cl::cat(category),
                             cl::desc("Say what kept a structure from being recognised or improved"));
static cl::opt<RaisingCheck> check(
    "check", cl::ValueOptional, cl::init(RaisingCheck::Off), cl::cat(category),
    cl::desc("Run what was recognised beside the plain operators it replaced; what differs:"),
    cl::values(clEnumValN(RaisingCheck::Keep, "", ""), clEnumValN(RaisingCheck::Keep, "keep", "stays plain operators"),
               clEnumValN(RaisingCheck::Strict, "strict", "is an error")));
static cl::opt<bool> noCheck("no-check", cl::cat(category), cl::desc("Trust the recognisers (default)"));
static cl::opt<std::string> debugOutputs("debug-outputs", cl::value_desc("all|regex"), cl::cat(category),
                                         cl::desc("Values whose name matches become outputs, if they are still there"));
static cl::opt<bool> timing("timing", cl::cat(category), cl::desc("Print the time of each pass"));
static cl::opt<bool> verbose("verbose", cl::cat(category),
                             cl::desc("Print progress always, and stack traces of internal errors"));
enum class Tokenizer { None, Byte };
static cl::opt<Tokenizer> tokenizer("tokenizer", cl::init(Tokenizer::None), cl::cat(category),
                                    cl::desc("How text becomes token ids:"),
                                    cl::values(clEnumValN(Tokenizer::None, "none", "not stated (default)"),
                                               clEnumValN(Tokenizer::Byte, "byte", "ids are the bytes of the text")));
static cl::opt<int64_t> bos("bos", cl::value_desc("id"), cl::cat(category), cl::desc("Token that opens every text"));
static cl::list<int64_t> stop("stop", cl::CommaSeparated, cl::value_desc("id,..."), cl::cat(category),
                              cl::desc("Tokens that end a text"));

static cl::opt<std::string> signKey("sign-key", cl::value_desc("file"), cl::cat(category),
                                    cl::desc("Sign the .moe file with this Ed25519 secret key"));

static bool hasTarget(Target target) { return targets.empty() ? target == Target::Cpu : is_contained(targets, target); }

/// Options of a target that is not asked for, or an empty string.
static StringRef findContradiction() {
  if (!cpus.empty() && !hasTarget(Target::Cpu))
    return "--cpu needs --target=cpu";
  if (gpu.getNumOccurrences() && !hasTarget(Target::Cuda))
    return "--gpu needs --target=cuda";
  if (gpuF32.getNumOccurrences() && !hasTarget(Target::Cuda))
    return "--gpu-f32 needs --target=cuda";
  return "";
}

static CompileOptions makeOptions() {
  CompileOptions options;
  options.input = input;
  options.output = output;
  options.lastStage = compileTo;
  if (!cpus.empty() || !hasTarget(Target::Cpu))
    options.cpus.assign(cpus.begin(), cpus.end());
  if (hasTarget(Target::Cuda))
    options.gpu = gpu;
  options.plainF32 = gpuF32 == GpuF32::Fma;
  options.disabledPasses.assign(disable.begin(), disable.end());
  options.tokenizer.bytes = tokenizer == Tokenizer::Byte;
  if (bos.getNumOccurrences())
    options.tokenizer.bos = bos;
  options.tokenizer.stop.assign(stop.begin(), stop.end());
  if (check.getPosition() > noCheck.getPosition())
    options.check = check;
  options.debugOutputs = debugOutputs == "all" ? "." : debugOutputs.getValue();
  options.remarks = remarks;
  options.timing = timing;
  options.progress = verbose || sys::Process::StandardErrIsDisplayed();
  return options;
}

int main(int argc, char **argv) {
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter([](raw_ostream &os) { os << "moec " MOEC_VERSION "\n"; });
  cl::ParseCommandLineOptions(argc, argv, "compiles an ONNX model with mixture-of-experts layers into one .moe file\n");
  installCrashMessages(verbose);
  registerAllPasses();
  if (StringRef contradiction = findContradiction(); !contradiction.empty()) {
    errs() << "moec: error: " << contradiction << '\n';
    return 1;
  }
  CompileOptions options = makeOptions();
  if (!signKey.empty()) {
    Expected<SigningKey> key = SigningKey::read(signKey);
    if (!key) {
      errs() << "moec: error: " << toString(key.takeError()) << '\n';
      return 1;
    }
    options.signingKey = std::move(*key);
  }
  switch (compile(options, errs())) {
  case CompileStatus::Success:
    return 0;
  case CompileStatus::Refused:
    return 1;
  case CompileStatus::InternalError:
    return internalErrorExitCode;
  }
}
