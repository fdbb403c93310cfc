// Writes models that need no kernels, for tests of other programs: write_test_models DIR.
#include "artifact_builder.h"

#include <filesystem>
#include <fstream>

using namespace moert::test;

int main(int argc, char **argv) {
  if (argc != 2)
    return 1;
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  auto write = [&](const char *name, const Bytes &file) {
    std::ofstream(folder / name, std::ios::binary)
        .write(reinterpret_cast<const char *>(file.data()), static_cast<std::streamsize>(file.size()));
  };
  write("copy.moe", makeCopyProgram().build());
  write("successor.moe", makeSuccessorModel().build());
  return 0;
}
