// Writes valid inputs for the fuzzer to start from: fuzz_seeds DIR.
#include "fuzz_input.h"

#include <filesystem>
#include <fstream>

using namespace moert::test;

// Every table has a row.
static ArtifactBuilder makeModelWithLayer() {
  ArtifactBuilder builder = makeSuccessorModel();
  builder.info.push_back({builder.string("compiler"), builder.string("moec")});
  builder.steps.words.clear();
  builder.weight("up", MOERT_F32, {1, 3, 2}, Bytes(128), MOERT_ENCODING_PANELS_16);
  builder.weight("experts", MOERT_I32, {1, 1}, Bytes(4));
  builder.layer("mlp", 1, 1, {{0, 0, 0, 128}});
  builder.steps.constant(0, 1);
  builder.steps.step(MOERT_STEP_ROUTING, {0, builder.weightSlot(1), builder.weightSlot(1), 0});
  builder.steps.step(MOERT_STEP_ALLOC, {builder.slot(0), 0});
  builder.steps.step(MOERT_STEP_ALIAS, {builder.slot(1), builder.weightSlot(0), 0});
  builder.steps.step(MOERT_STEP_MOVE, {builder.slot(2), builder.slot(0)});
  builder.steps.step(MOERT_STEP_SELECT, {1, 0, 0, 0});
  builder.steps.step(MOERT_STEP_FREE, {builder.slot(2)});
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

static ArtifactBuilder makeModelWithGpuCode() {
  ArtifactBuilder builder = makeIncrementProgram();
  builder.gpuVariant("sm_80", 80, ".version 7.0", {builder.gpuEntry("increment", 128)}, Bytes(16, std::byte(1)));
  return builder;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 1;
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  auto write = [&](const char *name, const ArtifactBuilder &builder) {
    const Bytes input = encodeFuzzInput(builder.getSections());
    std::ofstream(folder / name, std::ios::binary)
        .write(reinterpret_cast<const char *>(input.data()), static_cast<std::streamsize>(input.size()));
  };
  write("copy", makeCopyProgram());
  write("successor", makeSuccessorModel());
  write("in_place", makeSuccessorModel(/*inPlace=*/true));
  write("layer", makeModelWithLayer());
  write("gpu_code", makeModelWithGpuCode());
  ArtifactBuilder reads = makeIncrementProgram();
  reads.reads.push_back({0, 0, MOERT_NO_BUFFER, 1, 2, 8, 384, 192, 0, 384});
  write("reads", reads);
  return 0;
}
