// 32 lanes with one program counter: registers, poison, and the stack of lanes that wait for each other after a branch.
#pragma once
#include "devices/emu/memory.h"
#include "devices/emu/ptx_module.h"

#include <array>

namespace moert::emu {

class Block;

// All lanes of one register; narrower types lie dense at its beginning, a predicate is one mask.
struct alignas(64) Register {
  std::byte bytes[warpSize * 8] = {};
};

// A copy of cp.async that has not landed.
struct PendingCopy {
  uint64_t source, target;
  uint32_t bytes, sourceBytes; // the rest becomes zero
  uint32_t line;
};

class Warp {
public:
  enum class State : uint8_t { Ready, AtBarrier, Done, Failed };

  Warp(Block &block, uint32_t index, LaneMask lanes);

  // Runs until it blocks, ends, fails or has executed `budget` instructions; takes what it executed off the budget.
  State run(uint64_t &budget);

  // For handlers.
  template <typename T> T *lanes(Slot slot) { return reinterpret_cast<T *>(registers[slot].bytes); }
  LaneMask &predicate(Slot slot) { return *reinterpret_cast<LaneMask *>(registers[slot].bytes); }
  // Lanes whose value was never written or depends on one that was not.
  LaneMask poison(Slot slot) const { return poisons[slot]; }
  void setPoison(Slot slot, LaneMask mask, LaneMask value) { poisons[slot] = (poisons[slot] & ~mask) | (value & mask); }

  LaneMask getActive() const { return paths.back().mask; }
  LaneMask getLive() const { return live; }
  void branch(const Instruction &instruction, LaneMask taken, LaneMask notTaken);
  void exit(LaneMask mask);
  void waitAtBarrier(uint32_t barrier, uint32_t line);
  void release() { state = State::Ready; }

  uint64_t getAddress(const AddressOperand &operand, uint32_t lane) {
    const uint64_t base = operand.isWide ? lanes<uint64_t>(operand.base)[lane] : lanes<uint32_t>(operand.base)[lane];
    return base + static_cast<uint64_t>(operand.offset);
  }
  // The region that holds `size` bytes at `address` of a lane, or null after a fault. A generic address becomes one of
  // its space. `alignment` is a power of two.
  Region *access(Space space, uint32_t lane, uint64_t &address, uint64_t size, uint64_t alignment,
                 const Instruction &instruction);
  void beginCopy(uint32_t lane, const PendingCopy &copy) { copies[lane].pending.push_back(copy); }
  void commitCopies(LaneMask mask);
  // Lands what a lane has committed except its `remaining` latest groups.
  void waitForCopies(LaneMask mask, uint64_t remaining, const Instruction &instruction);

  // Ends the launch. `lane` may be noLane.
  static constexpr uint32_t noLane = ~uint32_t(0);
  template <typename... Pieces> void fail(const Instruction &instruction, uint32_t lane, const Pieces &...pieces) {
    std::string message;
    (appendText(message, pieces), ...);
    setFault(instruction, lane, message);
  }
  // Fails unless no lane of `mask` has poison in `slot`.
  bool checkDefined(const Instruction &instruction, LaneMask mask, Slot slot, std::string_view what);
  // Fails unless all lanes of the warp that have not ended execute `instruction` together.
  bool checkConverged(const Instruction &instruction, LaneMask mask);

  State getState() const { return state; }
  uint32_t getBarrier() const { return barrier; }
  // Line of the barrier it waits at, else of the instruction it would run next.
  uint32_t getLine() const { return state == State::AtBarrier ? barrierLine : kernel.code[pc].line; }
  const Status &getFault() const { return fault; }
  uint64_t getInstructions() const { return instructions; }
  uint64_t getLaneInstructions() const { return laneInstructions; }
  Block &getBlock() { return block; }

private:
  struct Path {
    uint32_t pc, reconvergence;
    LaneMask mask;
  };
  // Copies in the order in which they began, and where the groups that are committed end among them.
  struct LaneCopies {
    std::vector<PendingCopy> pending;
    std::vector<size_t> groupEnds;
  };

  void fillConstants();
  void reconverge();
  bool land(uint32_t lane, const PendingCopy &copy, const Instruction &instruction);
  void setFault(const Instruction &instruction, uint32_t lane, std::string_view message);

  Block &block;
  const Kernel &kernel;
  std::vector<Register> registers;
  std::vector<LaneMask> poisons;
  std::vector<Path> paths; // the last one runs
  LaneMask live;           // lanes that have not ended
  uint32_t pc = 0;
  State state = State::Ready;
  uint32_t index, barrier = 0, barrierLine = 0;
  Region *lastGlobal = nullptr;
  std::vector<Region> locals; // by lane
  std::array<LaneCopies, warpSize> copies;
  uint64_t instructions = 0, laneInstructions = 0;
  Status fault = Status::success();
};

template <typename Function> inline void forEachLane(LaneMask mask, Function function) {
  for (; mask; mask &= mask - 1)
    function(static_cast<uint32_t>(__builtin_ctz(mask)));
}

} // namespace moert::emu
