// mbarrier objects in the shared memory of a block, as sm_80 has them.
#pragma once
#include "devices/emu/instruction.h"

#include <map>
#include <string>

namespace moert::emu {

class MemoryBarriers {
public:
  static constexpr uint32_t maxCount = (1 << 20) - 1;

  void reset() { barriers.clear(); }
  // Of the 8 bytes at an address. Each of these fails on `warp` and returns false where the meaning is not defined.
  bool init(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address, uint32_t count);
  bool invalidate(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address);
  // `token` is what test gets.
  struct Arrival {
    uint32_t count = 1;
    bool drops = false;        // the next phases expect so many fewer
    bool mayComplete = true;   // the phase
    bool hasCompleted = false; // result
    uint64_t token = 0;        // result: of the phase as it was before the arrival
  };
  bool arrive(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address, Arrival &arrival);
  // More arrivals are expected in this phase.
  bool expectMore(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address);
  bool test(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address, uint64_t token, bool &isDone);
  bool testParity(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address, uint32_t parity,
                  bool &isDone);
  static uint32_t getPendingCount(uint64_t token) { return token >> countShift & maxCount; }

  // Whether bytes belong to one.
  bool overlaps(uint64_t address, uint64_t size) const;
  // "phase 3, 1 of 4 arrivals are missing".
  std::string describe(uint64_t address) const;

private:
  // A token holds the phase, the pending count and where the barrier lies.
  static constexpr uint32_t countShift = 24, addressShift = 44;
  struct Barrier {
    uint32_t expected, pending;
    uint64_t phase;
  };

  Barrier *find(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address);

  std::map<uint64_t, Barrier> barriers; // by address
};

} // namespace moert::emu
