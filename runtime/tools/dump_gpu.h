// What moe-dump shows of code for GPUs beyond its tables.
#pragma once
#include "artifact/artifact.h"

#include <map>

namespace moert::tools {

// The PTX of a variant, or only what concerns the entry of one kernel: the head of the module and the entry. Throws
// ToolError if there is no such kernel.
std::string dumpPtx(const Artifact &artifact, const std::string &kernel);

// Runs nvdisasm, if it is installed, on each image; its output goes to the standard output. Throws ToolError.
void printSass(const Artifact &artifact);

// How often each opcode occurs in each function of a cubin; empty if the bytes are not a cubin.
using OpcodeCounts = std::map<std::string, std::map<uint32_t, uint64_t>>; // function, opcode
OpcodeCounts countOpcodes(std::span<const std::byte> cubin);
std::string dumpOpcodes(const Artifact &artifact);

} // namespace moert::tools
