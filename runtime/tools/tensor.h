// A tensor in memory of a tool.
#pragma once
#include "moert/moert.h"

#include <cstddef>
#include <string>
#include <vector>

namespace moert::tools {

struct Tensor {
  uint32_t elementType = 0;
  std::vector<int64_t> dims;
  std::vector<std::byte> bytes;

  moert_tensor_view_t getView() {
    return {elementType, static_cast<uint32_t>(dims.size()), dims.data(), bytes.data(), bytes.size()};
  }
  int64_t getElementCount() const;
};

// Room for all elements. Throws ToolError if that is too much.
void resize(Tensor &tensor);
// Element `index` as a number, and the reverse; f16 and bf16 are rounded to nearest even.
double getElement(const moert_tensor_view_t &view, int64_t index);
void setElement(Tensor &tensor, int64_t index, double value);
// "f32[2x3]".
std::string describeTensor(const moert_tensor_view_t &view);

} // namespace moert::tools
