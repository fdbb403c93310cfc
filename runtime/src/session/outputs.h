// Where the outputs of a run go: the caller's buffers, memory of the session, or the session's state.
#pragma once
#include "artifact/artifact.h"
#include "session/state.h"

namespace moert {

// Elements owned by a session.
struct OwnedTensor {
  std::vector<int64_t> dims;
  uint64_t byteSize = 0;
  std::byte *data = nullptr;
  Arena::Block block = Arena::noBlock;
};

class Outputs {
public:
  // Outputs that carry state come from `stateArena`, or from `state` itself if they are in place.
  Outputs(const Artifact &artifact, Device &device, Arena &arena, Arena &stateArena, State &state);

  // Starts a run: forgets the outputs of the one before. `destinations` are the caller's views of the outputs that do
  // not carry state, in signature order, or of all outputs if no state is kept; or none.
  void begin(std::span<const moert_tensor_view_t> destinations, bool keepState);
  // Memory for an output, once per run.
  Status provide(uint32_t output, uint32_t rank, std::byte *&data, uint64_t &size);
  // Memory for a state in place that shall hold `length` positions, once per run; `pastDims` are the extents of its
  // input. Where no state is kept, that is the memory of the output.
  Status provideState(uint32_t index, std::span<const int64_t> pastDims, int64_t length, StateMemory &memory);
  // The place for the extents that the next `provide` of this output uses.
  int64_t *getDims(uint32_t output) { return records[output].tensor.dims.data(); }
  // Ends a successful run: copies what could not be written in place and fills the caller's views.
  Status finish(std::span<moert_tensor_view_t> destinations);
  // Gives everything back.
  void abandon();

  // How often the memory behind a run, with that of the state, was taken from the system.
  uint64_t getSystemRequests() const { return arena.getSystemRequests() + stateArena.getSystemRequests(); }
  // Output of the last run; false if there is none.
  bool getView(uint32_t output, moert_tensor_view_t &view) const;
  // Hands over what was written for the state; of a functional one, the caller releases it to the state arena.
  OwnedTensor &getState(uint32_t output) { return records[output].tensor; }

private:
  struct Record {
    OwnedTensor tensor; // on the device
    std::byte *hostData = nullptr;
    void *callerData = nullptr;
    uint64_t callerCapacity = 0;
    AlignedBytes fetched; // where the session keeps it for the host, if the device's memory is not the host's
    uint64_t fetchedCapacity = 0;
    bool isState = false, isProduced = false;
  };

  Status moveToHost(uint32_t output);

  const Artifact &artifact;
  Device &device;
  Arena &arena, &stateArena;
  State &state;
  std::vector<bool> carriesState;
  std::vector<Record> records;
  bool keepsState = false, isComplete = false;
};

} // namespace moert
