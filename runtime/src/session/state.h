// What a session carries from step to step: one tensor for each row of the states section.
//
// A state grows along an axis, or each step replaces it by one of the same extents. It is either functional, written by
// each step as a new output, or in place: then it grows in a buffer with room for more positions than it holds, and a
// step writes behind those it holds.
#pragma once
#include "artifact/artifact.h"
#include "session/arena.h"
#include "session/axis_layout.h"

namespace moert {

class Outputs;

// Memory of a state in place during a run.
struct StateMemory {
  std::byte *data;
  uint64_t size;
  int64_t capacity; // positions along the axis
  bool holdsPast;   // the positions held before are there already
};

class State {
public:
  State(const Artifact &artifact, Device &device, Arena &arena);
  State(const State &) = delete;
  ~State() { reset(); }

  bool isEmpty() const { return !isPresent; }
  // Positions that states which grow hold; 0 if empty.
  int64_t getLength() const;
  // What state `index` is before the first step, for an input of extents `dims`: no positions, or zeros.
  Status begin(size_t index, std::span<const int64_t> dims);
  // The view to feed to the input of state `index`, without data if the state is in place. Only if not empty or begun.
  moert_tensor_view_t getView(size_t index) const;
  // Room for `length` positions of a state in place; `dims` are the extents of its input in this step.
  Status reserve(size_t index, std::span<const int64_t> dims, int64_t length, StateMemory &memory);
  // Ends a successful step: takes over what it has written for its state outputs.
  void advance(Outputs &outputs);

  void reset();
  Status truncate(int64_t length);
  Status copyFrom(const State &other);
  size_t getSavedSize() const;
  // `bytes` has room for getSavedSize().
  Status save(std::span<std::byte> bytes) const;
  // Leaves the state as it was if `bytes` are refused.
  Status load(std::span<const std::byte> bytes);

private:
  struct Tensor {
    std::vector<int64_t> dims; // what it holds
    int64_t capacity = 0;      // extent of its buffer along the axis
    std::byte *data = nullptr;
    Arena::Block block = Arena::noBlock;
  };

  const moert_state_t &row(size_t index) const { return artifact.states[index]; }
  const TensorType &type(size_t index) const { return artifact.inputs[row(index).input]; }
  AxisLayout layout(size_t index) const;
  bool grows(size_t index) const { return row(index).axis != MOERT_STATE_REPLACED; }
  // Positions that the tensor holds; one that is replaced is a single position.
  int64_t extent(size_t index) const { return grows(index) ? tensors[index].dims[row(index).axis] : 1; }
  // The first state that grows, or the number of states.
  size_t firstGrowing() const;
  void release(Tensor &tensor);
  // A zeroed buffer of `capacity` positions for the tensor's extents.
  Status allocate(size_t index, int64_t capacity);
  Status copyHeld(size_t index, const State &other);
  Status checkSaved(std::span<const std::byte> bytes) const;
  Status loadTensor(size_t index, std::span<const std::byte> &rest);

  const Artifact &artifact;
  Device &device;
  Arena &arena;
  std::vector<Tensor> tensors;
  bool isPresent = false;
};

} // namespace moert
