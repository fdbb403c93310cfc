// 32 lanes with one program counter: registers, poison, and the ways that lanes go after they disagree.
#pragma once
#include "devices/emu/copies.h"
#include "devices/emu/memory.h"
#include "devices/emu/paths.h"
#include "devices/emu/ptx_module.h"

namespace moert::emu {

class Block;
class Observer;

// All lanes of one register; narrower types lie dense at its beginning, a predicate is one mask.
struct alignas(64) Register {
  std::byte bytes[warpSize * 8] = {};
};

template <typename Function> inline void forEachLane(LaneMask mask, Function function) {
  for (; mask; mask &= mask - 1)
    function(static_cast<uint32_t>(__builtin_ctz(mask)));
}

class Warp {
public:
  enum class State : uint8_t {
    Ready,
    Polling, // can run, but waits for something others do
    AtBarrier,
    Done,
    Failed
  };

  // Of a block that `lanes` of the warp take part in.
  Warp(Block &block, uint32_t index, LaneMask lanes);
  // Begins the kernel anew.
  void start();

  // Runs until it blocks, ends, fails or has executed `budget` instructions; takes what it executed off the budget.
  State run(uint64_t &budget);

  // For handlers.
  template <typename T> T *lanes(Slot slot) { return reinterpret_cast<T *>(registers[slot].bytes); }
  LaneMask &predicate(Slot slot) { return *reinterpret_cast<LaneMask *>(registers[slot].bytes); }
  // Lanes whose value was never written or depends on one that was not.
  LaneMask poison(Slot slot) const { return poisons[slot]; }
  void setPoison(Slot slot, LaneMask mask, LaneMask value) { poisons[slot] = (poisons[slot] & ~mask) | (value & mask); }

  // Lanes that execute together now, and lanes that have not ended.
  LaneMask getActive() const { return active; }
  LaneMask getLive() const { return paths.getLive(); }
  void branch(const Instruction &instruction, LaneMask taken, LaneMask notTaken);
  void exit(LaneMask mask);
  // The lanes that execute together wait until the barrier is released.
  void waitAtBarrier(uint32_t barrier);
  void releaseBarrier(uint32_t barrier);
  // The instruction polls this mbarrier.
  void setPolledBarrier(uint64_t address) { polledBarrier = address; }

  uint64_t getAddress(const AddressOperand &operand, uint32_t lane) {
    const uint64_t base = operand.isWide ? lanes<uint64_t>(operand.base)[lane] : lanes<uint32_t>(operand.base)[lane];
    return base + static_cast<uint64_t>(operand.offset);
  }
  // The region that holds `size` bytes at `address` of a lane, or null after a fault. A generic address becomes one of
  // its space. `alignment` is a power of two. Every access of an instruction must come through here: this is what
  // counters and race detection see.
  Region *access(Space space, uint32_t lane, uint64_t &address, uint64_t size, uint64_t alignment,
                 const Instruction &instruction);

  void beginCopy(uint32_t lane, const AsyncCopy &copy) { copies.begin(lane, copy); }
  void commitCopies(LaneMask mask) { copies.commit(mask); }
  // Lands what lanes have committed except their `remaining` latest groups.
  void waitForCopies(LaneMask mask, uint64_t remaining, const Instruction &instruction);
  AsyncCopies &getCopies() { return copies; }
  // What the source holds is read now. False after a fault.
  bool landCopy(uint32_t lane, AsyncCopy &copy, const Instruction *instruction);

  // Ends the launch. `lane` may be noLane.
  static constexpr uint32_t noLane = ~uint32_t(0);
  template <typename... Pieces> void fail(const Instruction &instruction, uint32_t lane, const Pieces &...pieces) {
    std::string message;
    (appendText(message, pieces), ...);
    setFault(instruction.line, lane, message);
  }
  // Fails unless no lane of `mask` has poison in `slot`.
  bool checkDefined(const Instruction &instruction, LaneMask mask, Slot slot, std::string_view what);
  // Fails unless all lanes of the warp that have not ended execute `instruction` together.
  bool checkConverged(const Instruction &instruction, LaneMask mask);

  State getState() const { return state; }
  uint32_t getIndex() const { return index; }
  // Of the instruction it would run next.
  uint32_t getLine() const { return kernel.code[pc].line; }
  const Status &getFault() const { return fault; }
  uint64_t getInstructions() const { return instructions; }
  uint64_t getLaneInstructions() const { return laneInstructions; }
  Block &getBlock() { return block; }
  // Whether it has polled `times` times since anything happened that it could be waiting for.
  bool isPollingInVain(uint32_t times) const;
  // "waits at barrier 1 in line 7 (32 of 64 threads have arrived)".
  std::string describeState() const;

private:
  template <bool IsObserved> void runInstructions(uint64_t &budget);
  void executeAtomic(const Instruction &instruction, LaneMask mask);
  void fillConstants();
  void goOn(uint32_t next);
  void noteConsequences(const Instruction &instruction, LaneMask mask);
  bool hasChangedMemory(const Instruction &instruction, LaneMask mask);
  void setFault(uint32_t line, uint32_t lane, std::string_view message);

  Block &block;
  const Kernel &kernel;
  Observer *observer;
  std::vector<Register> registers;
  std::vector<LaneMask> poisons;
  Paths paths;
  LaneMask initialLanes;
  // Of the way that runs.
  LaneMask active = 0;
  uint32_t pc = 0, meeting = noInstruction;
  State state = State::Ready;
  uint32_t index;
  // Polls since the launch made progress, and how far it had come then.
  uint32_t polls = 0, pollLine = 0;
  uint64_t seenProgress = 0, polledBarrier = 0;
  Region *lastGlobal = nullptr;
  std::vector<Region> locals; // by lane
  AsyncCopies copies;
  uint64_t instructions = 0, laneInstructions = 0;
  Status fault = Status::success();
};

} // namespace moert::emu
