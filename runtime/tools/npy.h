// Files in numpy's .npy format. bf16, which numpy lacks, travels as void of the same width.
#pragma once
#include "tensor.h"

namespace moert::tools {

// The file's type must be `elementType`, or void of its width. `name` is the input it is for, in messages.
Tensor readNpy(const std::string &path, uint32_t elementType, const std::string &name);
void writeNpy(const std::string &path, const moert_tensor_view_t &view);

} // namespace moert::tools
