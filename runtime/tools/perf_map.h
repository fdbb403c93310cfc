// The names of kernels for Linux perf, which looks for code without a file in /tmp/perf-PID.map.
#pragma once
#include "moert/moert.h"

#include <string>

namespace moert::tools {

// Of this process.
std::string getPerfMapPath();

// Lines of start and size, in hexadecimal, and name; empty where the program has no code for this processor.
std::string makePerfMap(const moert_program_t *program);

// Writes the map unless it is empty.
void writePerfMap(const moert_program_t *program);

} // namespace moert::tools
