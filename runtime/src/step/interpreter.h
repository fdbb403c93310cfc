// Executes the step program of one run.
#pragma once
#include "session/arena.h"
#include "session/outputs.h"
#include "session/program.h"

#include <atomic>

namespace moert {

// A buffer of the step program; empty if `data` is null.
struct Slot {
  std::byte *data = nullptr;
  uint64_t size = 0;
  Arena::Block block = Arena::noBlock; // what the slot owns
  uint32_t weight = noWeight;          // whose bytes these are
  bool isWritable = false;

  static constexpr uint32_t noWeight = MOERT_NO_BUFFER;
};

class Interpreter {
public:
  // A dry run follows the program for its sizes alone: no kernel runs and no buffer is read or written.
  enum class Mode { Run, Dry };
  Interpreter(const Program &program, const moert_session_options_t &hooks, Device &device, Arena &arena,
              Outputs &outputs, Mode mode = Mode::Run);

  // `inputs` are checked, aligned, and as many as the program has; `dims` are their extents.
  struct Input {
    std::byte *data;
    uint64_t size;
    const int64_t *dims;
  };
  Status run(std::span<const Input> inputs, const std::atomic<bool> &cancelled);

  // What the launches of a dry run would need beside their buffers.
  uint64_t getLaunchMemory() const { return launchMemory; }

private:
  Status execute();
  Status executeStep(const uint32_t *operands, uint32_t opcode);
  Status binary(const uint32_t *operands);
  Status alloc(const uint32_t *operands);
  Status output(const uint32_t *operands);
  Status state(const uint32_t *operands);
  Status alias(const uint32_t *operands);
  Status load(const uint32_t *operands);
  Status store(const uint32_t *operands);
  Status copy(const uint32_t *operands);
  Status dispatch(const uint32_t *operands);
  Status jump(uint32_t target);
  Status reportRouting(const uint32_t *operands);

  Status prepareOperands(const uint32_t *operands, uint32_t bufferCount, uint32_t scalarCount);
  Status runLaunch(const Launch &launch, const uint32_t *slotOperands);
  void findReads(const Launch &launch, const LaunchTrace &trace, const uint32_t *slotOperands);
  void reportDispatch(const Launch &launch, const LaunchTrace &trace, const uint32_t *slotOperands);
  Status checkProgress();

  Status checkElement(const Slot &slot, int64_t index, uint32_t elementType) const;
  void clear(Slot &slot);
  void releaseAll();
  template <typename... Pieces> Status stepFailure(moert_status_t code, const Pieces &...pieces) const;

  const Program &program;
  const Mode mode;
  const moert_session_options_t &hooks;
  Device &device;
  Arena &arena;
  Outputs &outputs;
  const uint32_t *words;
  const uint32_t firstWeightSlot, firstFreeSlot;

  std::vector<int64_t> registers;
  std::vector<Slot> slots;
  std::span<const Input> inputs;
  const std::atomic<bool> *cancelled = nullptr;
  uint32_t current = 0, nextStep = 0; // word indices
  uint64_t dispatches = 0;

  // The dispatch in progress.
  std::vector<void *> buffers;
  std::vector<int64_t> scalars;
  uint64_t launchMemory = 0;

  std::vector<std::byte> routing; // experts, then gates, fetched for the callback
  // Filled only for the trace callback.
  std::vector<uint32_t> weights;
  std::vector<moert_trace_read_t> reads;
  std::string nodeName;
};

} // namespace moert
