// Launches: arguments to parameter bytes, checks of the shape, and the grid.
#include "devices/emu/emulator.h"
#include "devices/emu/grid.h"

#include <cstring>

namespace moert::emu {
namespace {

uint64_t countThreads(const Dim3 &block) { return uint64_t(block.x) * block.y * block.z; }

Status checkShape(const Kernel &kernel, const LaunchShape &shape) {
  const Dim3 &block = shape.block;
  const uint64_t threads = countThreads(block);
  if (threads == 0 || block.x > 1024 || block.y > 1024 || block.z > 64 || threads > 1024)
    return failure(MOERT_INVALID_ARGUMENT, "kernel '", kernel.name, "': blocks of ", block.x, "x", block.y, "x",
                   block.z, " threads, expected 1 to 1024");
  const auto &required = kernel.threads;
  if (required[0] && (block.x != required[0] || block.y != required[1] || block.z != required[2]))
    return failure(MOERT_INVALID_ARGUMENT, "kernel '", kernel.name, "': blocks of ", block.x, "x", block.y, "x",
                   block.z, " threads, expected ", required[0], "x", required[1], "x", required[2]);
  const auto &limit = kernel.maxThreads;
  if (limit[0] && threads > uint64_t(limit[0]) * limit[1] * limit[2])
    return failure(MOERT_INVALID_ARGUMENT, "kernel '", kernel.name, "': blocks of ", threads,
                   " threads, expected at most ", uint64_t(limit[0]) * limit[1] * limit[2]);
  return Status::success();
}

} // namespace

Status Emulator::launch(const Kernel &kernel, const LaunchShape &shape, std::span<const void *const> arguments,
                        const LaunchOptions &options, LaunchReport &report) {
  MOERT_TRY(checkShape(kernel, shape));
  if (arguments.size() != kernel.parameters.size())
    return failure(MOERT_INVALID_ARGUMENT, "kernel '", kernel.name, "': ", arguments.size(), " arguments, expected ",
                   kernel.parameters.size());
  std::vector<std::byte> parameters(kernel.parameterBytes);
  for (size_t i = 0; i < arguments.size(); ++i)
    std::memcpy(parameters.data() + kernel.parameters[i].offset, arguments[i], kernel.parameters[i].bytes);
  const Launch current = {kernel, shape, options, parameters, memory};
  return Grid(current).run(report);
}

} // namespace moert::emu
