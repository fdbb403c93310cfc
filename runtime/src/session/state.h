// What a session carries from step to step: one tensor for each row of the states section.
#pragma once
#include "session/outputs.h"

namespace moert {

class State {
public:
  State(const Artifact &artifact, Arena &arena);
  State(const State &) = delete;
  ~State() { reset(); }

  bool isEmpty() const { return !isPresent; }
  // Positions held; 0 if empty.
  int64_t getLength() const;
  // The view to feed to the input of state `index`. Only if not empty.
  moert_tensor_view_t getView(size_t index) const;
  // Takes over what a step has written for its state outputs, and gives back what was there.
  void advance(Outputs &outputs);

  void reset();
  Status truncate(int64_t length);
  Status copyFrom(const State &other);
  size_t getSavedSize() const;
  // `bytes` has room for getSavedSize().
  void save(std::span<std::byte> bytes) const;
  // Leaves the state as it was if `bytes` are refused.
  Status load(std::span<const std::byte> bytes);

private:
  Status checkSaved(std::span<const std::byte> bytes) const;
  Status loadTensor(size_t index, std::span<const std::byte> &rest);
  Status allocate(size_t index);

  const Artifact &artifact;
  Arena &arena;
  std::vector<OwnedTensor> tensors;
  bool isPresent = false;
};

} // namespace moert
