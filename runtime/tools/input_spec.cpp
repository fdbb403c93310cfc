// Parsing of --input.
#include "input_spec.h"

#include "npy.h"
#include "tool_error.h"

#include <charconv>
#include <random>

namespace moert::tools {

void fillRandom(Tensor &tensor, uint64_t seed) {
  std::mt19937_64 generator(seed);
  const bool isFloat = tensor.elementType == MOERT_F32 || tensor.elementType == MOERT_F64 ||
                       tensor.elementType == MOERT_F16 || tensor.elementType == MOERT_BF16;
  const uint64_t values = tensor.elementType == MOERT_BOOL ? 2 : 10;
  for (int64_t i = 0, count = tensor.getElementCount(); i < count; ++i) {
    // 53 bits, so that the value is the same with every standard library.
    const double unit = static_cast<double>(generator() >> 11) * 0x1p-53;
    setElement(tensor, i, isFloat ? 2 * unit - 1 : static_cast<double>(static_cast<uint64_t>(unit * double(values))));
  }
}

template <typename Number> static bool parse(std::string_view text, Number &number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

static std::vector<int64_t> parseExtents(std::string_view text, const std::string &specification) {
  std::vector<int64_t> dims;
  while (!text.empty()) {
    const size_t end = std::min(text.find('x'), text.size());
    int64_t dim = 0;
    if (!parse(text.substr(0, end), dim) || dim < 0 || end + 1 == text.size())
      throw ToolError("--input=" + specification + ": extents must look like 2x3");
    dims.push_back(dim);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return dims;
}

static Tensor makeRandom(std::string_view text, uint32_t elementType, const std::string &specification) {
  const size_t colon = text.find(":random");
  uint64_t seed = 0;
  const std::string_view tail = colon == text.npos ? "" : text.substr(colon + 7);
  if (colon == text.npos || (!tail.empty() && (tail[0] != ':' || !parse(tail.substr(1), seed))))
    throw ToolError("--input=" + specification + ": expected NAME=@FILE.npy or NAME=2x3:random[:SEED]");
  Tensor tensor{elementType, parseExtents(text.substr(0, colon), specification), {}};
  resize(tensor);
  fillRandom(tensor, seed);
  return tensor;
}

std::vector<Tensor> loadInputs(const moert_program_t *program, const std::vector<std::string> &specifications) {
  const size_t count = moert_program_input_count(program);
  std::vector<Tensor> inputs(count);
  std::vector<bool> isGiven(count);
  for (const std::string &specification : specifications) {
    const size_t file = specification.find("=@");
    const size_t equals = file != specification.npos ? file : specification.rfind('=');
    if (equals == specification.npos)
      throw ToolError("--input=" + specification + ": expected NAME=@FILE.npy or NAME=2x3:random[:SEED]");
    const std::string name = specification.substr(0, equals);
    const int64_t index = moert_program_find_input(program, name.c_str());
    if (index < 0)
      throw ToolError("--input=" + specification + ": the model has no input '" + name + "'");
    const auto at = static_cast<size_t>(index);
    if (isGiven[at])
      throw ToolError("--input=" + specification + ": input '" + name + "' is given twice");
    isGiven[at] = true;
    const uint32_t elementType = getInput(program, at).element_type;
    inputs[at] = file != specification.npos
                     ? readNpy(specification.substr(equals + 2), elementType, name)
                     : makeRandom(std::string_view(specification).substr(equals + 1), elementType, specification);
  }
  std::string missing;
  for (size_t i = 0; i < count; ++i)
    if (!isGiven[i])
      missing += (missing.empty() ? "'" : ", '") + std::string(getInput(program, i).name) + "'";
  if (!missing.empty())
    throw ToolError("no --input for " + missing);
  return inputs;
}

} // namespace moert::tools
