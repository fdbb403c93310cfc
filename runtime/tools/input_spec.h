// The --input options of moe-run.
#pragma once
#include "tensor.h"

namespace moert::tools {

// One tensor for each input of the program, in signature order, from specifications NAME=@FILE.npy and
// NAME=2x3:random[:SEED]. Throws ToolError if one is wrong, given twice or missing.
std::vector<Tensor> loadInputs(const moert_program_t *program, const std::vector<std::string> &specifications);

// Floating-point values in [-1, 1), integers 0 to 9, booleans.
void fillRandom(Tensor &tensor, uint64_t seed);

} // namespace moert::tools
