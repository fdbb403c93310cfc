// Outputs are written in place where the caller's buffer is aligned; otherwise they are copied at the end.
#include "session/outputs.h"

#include "element_type.h"
#include "session/state.h"

#include <algorithm>

namespace moert {

Outputs::Outputs(const Artifact &artifact, Device &device, Arena &arena, Arena &stateArena, State &state)
    : artifact(artifact), device(device), arena(arena), stateArena(stateArena), state(state),
      carriesState(artifact.outputs.size()), records(artifact.outputs.size()) {
  for (const moert_state_t &state : artifact.states)
    carriesState[state.output] = true;
  for (size_t i = 0; i < records.size(); ++i)
    records[i].tensor.dims.resize(artifact.outputs[i].dims.size());
}

void Outputs::begin(std::span<const moert_tensor_view_t> destinations, bool keepState) {
  abandon();
  keepsState = keepState;
  size_t given = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    Record &record = records[i];
    record.isState = keepState && carriesState[i];
    if (record.isState || destinations.empty())
      continue;
    record.callerData = destinations[given].data;
    record.callerCapacity = destinations[given].data ? destinations[given].byte_size : 0;
    ++given;
  }
}

void Outputs::abandon() {
  for (Record &record : records) {
    if (record.tensor.block != Arena::noBlock)
      (record.isState ? stateArena : arena).release(record.tensor.block);
    record.tensor.block = Arena::noBlock;
    record.tensor.data = record.hostData = nullptr;
    record.callerData = nullptr;
    record.callerCapacity = 0;
    record.isState = record.isProduced = false;
  }
  isComplete = false;
}

static bool isAligned(const void *data) { return reinterpret_cast<uintptr_t>(data) % MOERT_BUFFER_ALIGNMENT == 0; }

Status Outputs::provide(uint32_t output, uint32_t rank, std::byte *&data, uint64_t &size) {
  Record &record = records[output];
  OwnedTensor &tensor = record.tensor;
  const TensorType &type = artifact.outputs[output];
  if (record.isProduced)
    return failure(MOERT_RUN_FAILED, "output '", type.name, "' is produced twice");
  if (!denseBytes(tensor.dims.data(), rank, elementSize(type.elementType), tensor.byteSize))
    return failure(MOERT_RUN_FAILED, "output '", type.name, "' has impossible extents ",
                   formatExtents(tensor.dims.data(), rank));
  if (record.callerData && record.callerCapacity < tensor.byteSize)
    return failure(MOERT_BUFFER_TOO_SMALL, "output '", type.name, "' of extents ",
                   formatExtents(tensor.dims.data(), rank), " needs ", tensor.byteSize, " bytes, the buffer has ",
                   record.callerCapacity);
  record.isProduced = true;
  size = tensor.byteSize;
  // A buffer without room for even one element cannot be handed to kernels, which expect an address.
  if (record.callerData && device.addressesHost && isAligned(record.callerData)) {
    data = tensor.data = static_cast<std::byte *>(record.callerData);
    return Status::success();
  }
  Arena &owner = record.isState ? stateArena : arena;
  tensor.block = owner.allocate(size);
  if (tensor.block == Arena::noBlock)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", size, " bytes for output '", type.name, "'");
  data = tensor.data = owner.address(tensor.block);
  return Status::success();
}

Status Outputs::provideState(uint32_t index, std::span<const int64_t> pastDims, int64_t length, StateMemory &memory) {
  const moert_state_t &row = artifact.states[index];
  Record &record = records[row.output];
  if (length < pastDims[row.axis])
    return failure(MOERT_RUN_FAILED, "state '", artifact.inputs[row.input].name, "' holds ", pastDims[row.axis],
                   " positions and cannot shrink to ", length);
  std::copy(pastDims.begin(), pastDims.end(), record.tensor.dims.begin());
  record.tensor.dims[row.axis] = length;
  if (!keepsState) {
    memory.capacity = length;
    memory.holdsPast = false;
    return provide(row.output, static_cast<uint32_t>(pastDims.size()), memory.data, memory.size);
  }
  if (record.isProduced)
    return failure(MOERT_RUN_FAILED, "state '", artifact.inputs[row.input].name, "' is asked for twice");
  record.isProduced = true;
  return state.reserve(index, pastDims, length, memory);
}

// To the caller's buffer, or to where the session keeps it.
Status Outputs::moveToHost(uint32_t output) {
  Record &record = records[output];
  const OwnedTensor &tensor = record.tensor;
  record.hostData = static_cast<std::byte *>(record.callerData);
  if (!record.hostData && device.addressesHost)
    record.hostData = tensor.data;
  if (device.addressesHost && record.hostData == tensor.data)
    return Status::success();
  if (!record.hostData && (!record.fetched || record.fetchedCapacity < tensor.byteSize)) {
    record.fetched = allocateAligned(tensor.byteSize);
    record.fetchedCapacity = tensor.byteSize;
    if (!record.fetched)
      return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", tensor.byteSize, " bytes for output '",
                     artifact.outputs[output].name, "'");
  }
  if (!record.hostData)
    record.hostData = record.fetched.get();
  const Status status = device.download(record.hostData, tensor.data, tensor.byteSize);
  return status.ok() ? Status::success()
                     : failure(status.getCode(), "output '", artifact.outputs[output].name, "': ", status.getMessage());
}

Status Outputs::finish(std::span<moert_tensor_view_t> destinations) {
  for (size_t i = 0; i < records.size(); ++i)
    if (!records[i].isProduced)
      return failure(MOERT_RUN_FAILED, "output '", artifact.outputs[i].name, "' was not produced");
  for (uint32_t i = 0; i < records.size(); ++i)
    if (!records[i].isState)
      MOERT_TRY(moveToHost(i));
  isComplete = true;
  size_t given = 0;
  for (uint32_t i = 0; i < records.size(); ++i)
    if (!records[i].isState && !destinations.empty())
      getView(i, destinations[given++]);
  return Status::success();
}

bool Outputs::getView(uint32_t output, moert_tensor_view_t &view) const {
  const Record &record = records[output];
  if (!isComplete || record.isState)
    return false;
  view = {artifact.outputs[output].elementType, static_cast<uint32_t>(record.tensor.dims.size()),
          record.tensor.dims.data(), record.hostData, record.tensor.byteSize};
  return true;
}

} // namespace moert
