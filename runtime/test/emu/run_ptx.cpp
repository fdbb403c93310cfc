// Runs a kernel of a PTX file on the emulated GPU: moert_run_ptx FILE KERNEL THREADS INPUT OUTPUT BYTES. The kernel
// takes the address of the bytes of file INPUT and that of BYTES zeros, which afterwards are written to file OUTPUT.
// One block.
#include "devices/emu/emulator.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

using namespace moert;
using namespace moert::emu;

static std::string readFile(const char *path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

static Status run(char **arguments) {
  Emulator emulator;
  GlobalMemory &memory = emulator.getMemory();
  const std::string ptx = readFile(arguments[1]), input = readFile(arguments[4]);
  const auto threads = static_cast<uint32_t>(std::strtoul(arguments[3], nullptr, 10));
  std::vector<std::byte> output(std::strtoull(arguments[6], nullptr, 10));
  Module module;
  MOERT_TRY(Module::load(ptx, module, &memory));
  const Kernel *kernel = module.findKernel(arguments[2]);
  if (!kernel)
    return failure(MOERT_INVALID_ARGUMENT, "no kernel '", arguments[2], "'");
  const uint64_t addresses[] = {memory.allocate(input.size()), memory.allocate(output.size())};
  MOERT_TRY(memory.write(addresses[0], std::as_bytes(std::span(input))));
  MOERT_TRY(memory.write(addresses[1], output));
  const void *parameters[] = {&addresses[0], &addresses[1]};
  LaunchReport report;
  MOERT_TRY(emulator.launch(*kernel, {{}, {threads, 1, 1}, 0}, parameters, {}, report));
  MOERT_TRY(memory.read(addresses[1], output));
  std::ofstream(arguments[5], std::ios::binary)
      .write(reinterpret_cast<const char *>(output.data()), static_cast<std::streamsize>(output.size()));
  return Status::success();
}

int main(int count, char **arguments) {
  if (count != 7) {
    std::fprintf(stderr, "usage: moert_run_ptx FILE KERNEL THREADS INPUT OUTPUT BYTES\n");
    return 2;
  }
  const Status status = run(arguments);
  if (!status.ok())
    std::fprintf(stderr, "%s\n", status.getMessage().c_str());
  return status.ok() ? 0 : 1;
}
