// Input checks.
#include "session/binding.h"

#include "element_type.h"

#include <algorithm>

namespace moert {

// What a buffer without elements points to.
alignas(MOERT_BUFFER_ALIGNMENT) static std::byte noElements[MOERT_BUFFER_ALIGNMENT];

InputBinding::InputBinding(const Artifact &artifact)
    : artifact(artifact), symbols(artifact.symbols.size()), inputs(artifact.inputs.size()),
      copies(artifact.inputs.size(), Arena::noBlock), isOnDevice(artifact.inputs.size()) {}

void InputBinding::begin() {
  std::fill(symbols.begin(), symbols.end(), SymbolValue());
  isOnDevice.assign(isOnDevice.size(), false);
}

Status InputBinding::bindDim(uint32_t input, uint32_t axis, int64_t expected, int64_t found) {
  const std::string &name = artifact.inputs[input].name;
  if (found < 0)
    return failure(MOERT_BAD_INPUT, "input '", name, "' axis ", axis, ": extent ", found, " is negative");
  if (expected >= 0) {
    if (expected != found)
      return failure(MOERT_BAD_INPUT, "input '", name, "' axis ", axis, ": extent ", found, ", expected ", expected);
    return Status::success();
  }
  const size_t symbol = static_cast<size_t>(-(expected + 1));
  SymbolValue &bound = symbols[symbol];
  if (bound.value < 0)
    bound = {found, input, axis};
  if (bound.value != found)
    return failure(MOERT_BAD_INPUT, "input '", name, "' axis ", axis, ": extent ", found, " for '",
                   artifact.symbols[symbol], "', expected ", bound.value, " as in input '",
                   artifact.inputs[bound.input].name, "' axis ", bound.axis);
  return Status::success();
}

Status InputBinding::bind(uint32_t input, const moert_tensor_view_t &view, bool readsData) {
  const TensorType &type = artifact.inputs[input];
  if (view.element_type != type.elementType)
    return failure(MOERT_BAD_INPUT, "input '", type.name, "': element type ", elementName(view.element_type),
                   ", expected ", elementName(type.elementType));
  if (view.rank != type.dims.size())
    return failure(MOERT_BAD_INPUT, "input '", type.name, "': rank ", view.rank, ", expected ", type.dims.size());
  if (view.rank && !view.dims)
    return failure(MOERT_INVALID_ARGUMENT, "input '", type.name, "': dims are null");
  for (uint32_t axis = 0; axis < view.rank; ++axis)
    MOERT_TRY(bindDim(input, axis, type.dims[axis], view.dims[axis]));
  uint64_t bytes = 0;
  if (!denseBytes(view.dims, view.rank, elementSize(type.elementType), bytes))
    return failure(MOERT_BAD_INPUT, "input '", type.name, "': extents ", formatExtents(view.dims, view.rank),
                   " are too large");
  if (view.byte_size != bytes)
    return failure(MOERT_BAD_INPUT, "input '", type.name, "': ", view.byte_size, " bytes, expected ", bytes,
                   " for extents ", formatExtents(view.dims, view.rank));
  if (bytes && !view.data && readsData)
    return failure(MOERT_INVALID_ARGUMENT, "input '", type.name, "': data is null");
  inputs[input] = {view.data && bytes ? static_cast<std::byte *>(view.data) : noElements, bytes, view.dims};
  return Status::success();
}

Status InputBinding::inferEmptyState(const moert_state_t &state, std::vector<int64_t> &dims) const {
  const TensorType &type = artifact.inputs[state.input];
  dims = type.dims;
  if (state.axis != MOERT_STATE_REPLACED)
    dims[state.axis] = 0;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] >= 0)
      continue;
    const size_t symbol = static_cast<size_t>(-(dims[axis] + 1));
    dims[axis] = symbols[symbol].value;
    if (dims[axis] < 0)
      return failure(MOERT_BAD_INPUT, "state input '", type.name, "' axis ", axis, ": no other input determines '",
                     artifact.symbols[symbol], "'");
  }
  return Status::success();
}

Status InputBinding::place(Device &device, Arena &arena) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    Interpreter::Input &input = inputs[i];
    const bool isAligned = reinterpret_cast<uintptr_t>(input.data) % MOERT_BUFFER_ALIGNMENT == 0;
    if (!input.data || isOnDevice[i] || (device.addressesHost && isAligned))
      continue;
    copies[i] = arena.allocate(input.size);
    if (copies[i] == Arena::noBlock)
      return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", input.size, " bytes for input '", artifact.inputs[i].name,
                     "'");
    MOERT_TRY(device.upload(arena.address(copies[i]), input.data, input.size));
    input.data = arena.address(copies[i]);
  }
  return Status::success();
}

void InputBinding::release(Arena &arena) {
  for (Arena::Block &copy : copies) {
    if (copy != Arena::noBlock)
      arena.release(copy);
    copy = Arena::noBlock;
  }
}

} // namespace moert
