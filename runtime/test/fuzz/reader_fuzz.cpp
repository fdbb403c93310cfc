// libFuzzer target: opens a file made of hostile sections. If it is accepted and has no machine code, its step program
// runs as well, up to the first jump backwards.
#include "devices/cpu/cpu_device.h"
#include "element_type.h"
#include "fuzz_input.h"
#include "step/interpreter.h"

using namespace moert;

// Inputs of extent 2 along every symbolic dimension.
static bool makeInputs(const Artifact &artifact, std::vector<std::vector<int64_t>> &dims, Arena &arena,
                       std::vector<Interpreter::Input> &inputs) {
  for (const TensorType &type : artifact.inputs) {
    std::vector<int64_t> &extents = dims.emplace_back(type.dims);
    for (int64_t &extent : extents)
      extent = extent < 0 ? 2 : extent;
    uint64_t bytes = 0;
    if (!denseBytes(extents.data(), static_cast<uint32_t>(extents.size()), elementSize(type.elementType), bytes) ||
        bytes > 65536)
      return false;
    inputs.push_back({arena.address(arena.allocate(bytes)), bytes, extents.data()});
  }
  return true;
}

static void runSteps(const std::shared_ptr<const Program> &program) {
  const Artifact &artifact = program->getArtifact();
  const moert_session_options_t hooks = MOERT_SESSION_OPTIONS_INIT;
  const std::atomic<bool> cancelled = true;
  CpuDevice device(program, std::make_unique<ThreadPool>(), /*traces=*/false);
  Arena arena(device.memory), stateArena(device.memory);
  State state(artifact, device, stateArena);
  Outputs outputs(artifact, device, arena, stateArena, state);
  Interpreter interpreter(*program, hooks, device, arena, outputs);
  std::vector<std::vector<int64_t>> dims;
  std::vector<Interpreter::Input> inputs;
  outputs.begin({}, /*keepState=*/true);
  if (makeInputs(artifact, dims, arena, inputs) && interpreter.run(inputs, cancelled).ok() && !outputs.finish({}).ok())
    outputs.abandon();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const test::Bytes file = test::makeFileFromFuzzInput(reinterpret_cast<const std::byte *>(data), size);
  FileSource source;
  source.open(file);
  std::shared_ptr<const Program> program;
  const Status status = Program::open(source, MOERT_PROGRAM_OPTIONS_INIT, program);
  if (status.ok() && program->getArtifact().kernels.empty())
    runSteps(program);
  return 0;
}
