// The file must stay after the process has ended: perf reads it when it reports.
#include "perf_map.h"

#include "routing_report.h"
#include "tool_error.h"

#include <cstdio>
#include <unistd.h>

namespace moert::tools {

std::string getPerfMapPath() { return "/tmp/perf-" + std::to_string(getpid()) + ".map"; }

std::string makePerfMap(const moert_program_t *program) {
  std::string map;
  for (size_t i = 0; i < moert_program_kernel_count(program); ++i) {
    moert_kernel_info_t kernel = {sizeof(kernel), nullptr, nullptr, 0};
    check(moert_program_kernel(program, i, &kernel));
    if (!kernel.code)
      continue;
    char line[64];
    std::snprintf(line, sizeof(line), "%llx %llx ",
                  static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(kernel.code)),
                  static_cast<unsigned long long>(kernel.code_size));
    map += std::string(line) + kernel.name + "\n";
  }
  return map;
}

void writePerfMap(const moert_program_t *program) {
  const std::string map = makePerfMap(program), path = getPerfMapPath();
  if (map.empty())
    return;
  // What an earlier process of this number left, or whatever else lies there, is not written through.
  unlink(path.c_str());
  writeFile(path, map);
}

} // namespace moert::tools
