// What moe-dump prints about a .moe file.
#pragma once
#include "artifact/artifact.h"

#include <string>

namespace moert::tools {

std::string dumpText(const Artifact &artifact);
std::string dumpJson(const Artifact &artifact);
// The step program, one step a line.
std::string dumpSteps(const Artifact &artifact);

// "f32[batch x 2 x 32]".
std::string formatType(const Artifact &artifact, const TensorType &type);
const char *formatEncoding(uint32_t encoding);
std::string formatArchitecture(uint32_t architecture);

} // namespace moert::tools
