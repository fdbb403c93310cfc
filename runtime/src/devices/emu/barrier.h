// The 16 barriers of a block (bar and barrier).
#pragma once
#include "devices/emu/instruction.h"

#include <array>
#include <string>
#include <vector>

namespace moert::emu {

class Block;

enum class BarrierKind : uint8_t {
  Arrive, // does not wait
  Sync,
  Count, // of predicates that hold
  And,
  Or,
};

struct BarrierRequest {
  BarrierKind kind;
  uint32_t number;
  uint32_t threads;   // that it waits for; 0: all of the block that have not ended
  LaneMask predicate; // of reductions
  Slot destination;   // of reductions
};

class NamedBarriers {
public:
  static constexpr uint32_t count = 16;

  explicit NamedBarriers(Block &block) : block(block) {}
  void reset();

  // Lanes of a warp arrive. The warp counts when all its lanes that have not ended are there.
  void arrive(Warp &warp, const Instruction &instruction, const BarrierRequest &request, LaneMask mask);
  // Lanes of the warp have ended, so barriers that waited for them may be complete.
  void onLanesEnded(const Warp &warp);
  // "64 of 128 threads have arrived".
  std::string describe(uint32_t number) const;

private:
  struct Waiter {
    Warp *warp;
    LaneMask lanes;
    BarrierKind kind;
    Slot destination;
  };
  struct Barrier {
    bool isActive = false;
    uint32_t threads = 0;
    uint32_t arrivedWarps = 0; // one bit for each
    uint32_t trueCount = 0;
    bool allTrue = true, anyTrue = false;
    BarrierKind kind = BarrierKind::Arrive; // of those who wait
    std::array<LaneMask, 32> lanes = {};    // of each warp
    std::vector<Waiter> waiters;
  };

  bool check(Warp &warp, const Instruction &instruction, const BarrierRequest &request, LaneMask mask);
  void countWarp(uint32_t number, const Warp &warp);
  void completeIfAllArrived(uint32_t number);

  Block &block;
  std::array<Barrier, count> barriers;
};

} // namespace moert::emu
