// Checks the inputs of a run against the signature and gives the symbols their values.
#pragma once
#include "artifact/artifact.h"
#include "session/arena.h"
#include "step/interpreter.h"

namespace moert {

class InputBinding {
public:
  explicit InputBinding(const Artifact &artifact);

  // Forgets the inputs and symbols of the run before.
  void begin();
  // Checks element type, rank, extents, symbols and byte size of one input; its data too if that will be read.
  Status bind(uint32_t input, const moert_tensor_view_t &view, bool readsData = true);
  // Keeps the extents of an input whose data the program does not read: its slot is empty.
  void withholdData(uint32_t input) { inputs[input] = {nullptr, 0, inputs[input].dims}; }
  // Extents of a state input before the first step: 0 along the state's axis, else what the symbols say.
  Status inferEmptyState(const moert_state_t &state, std::vector<int64_t> &dims) const;
  // The data bound last is the device's already.
  void keepOnDevice(uint32_t input) { isOnDevice[input] = true; }
  // Copies inputs to where the device can use them; then `getInputs` may be given to the interpreter.
  Status place(Device &device, Arena &arena);
  void release(Arena &arena);

  std::span<const Interpreter::Input> getInputs() const { return inputs; }

private:
  struct SymbolValue {
    int64_t value = -1;
    uint32_t input = 0, axis = 0; // where it was bound
  };

  Status bindDim(uint32_t input, uint32_t axis, int64_t expected, int64_t found);

  const Artifact &artifact;
  std::vector<SymbolValue> symbols;
  std::vector<Interpreter::Input> inputs;
  std::vector<Arena::Block> copies;
  std::vector<bool> isOnDevice;
};

} // namespace moert
