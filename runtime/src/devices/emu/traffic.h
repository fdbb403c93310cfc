// How accesses of a warp meet the memory system: sectors of global memory, banks of shared memory, and which sectors a
// launch has touched at all.
#pragma once
#include "devices/emu/access_log.h"
#include "devices/emu/counters.h"

#include <memory>
#include <unordered_map>

namespace moert::emu {

constexpr uint64_t sectorSize = 32;

// Consecutive bytes that consecutive lanes access.
struct AccessRun {
  static constexpr uint8_t mixedLanes = 63;
  bool contains(uint64_t at) const { return at - address < size; }

  uint64_t address, size;
  uint8_t lane;      // the first
  uint8_t laneShift; // each lane accesses 1 << laneShift bytes; `mixedLanes` if they are not neighbours
};
// Those of the accesses to one space, in the order of the lanes.
class AccessRuns {
public:
  AccessRuns(const AccessLog &log, Space space);
  const AccessRun *begin() const { return runs.data(); }
  const AccessRun *end() const { return runs.data() + count; }
  bool isEmpty() const { return count == 0; }

private:
  std::array<AccessRun, 64> runs;
  size_t count = 0;
};

uint32_t countSectors(const AccessRuns &runs);

struct BankUse {
  uint32_t accesses = 0, conflicts = 0;
};
// Of the accesses to shared memory of one instruction, which accesses `size` bytes a lane.
BankUse countBankUse(const AccessLog &log);

class SectorSet {
public:
  void add(const AccessRuns &runs, bool isWrite);
  void merge(const SectorSet &other);
  // Adds the bytes of all sectors to the counters of their tags.
  void addTo(LaunchCounters &counters, const GlobalMemory &memory) const;

private:
  static constexpr uint64_t sectorsPerPage = 512;
  using Bits = std::array<uint64_t, sectorsPerPage / 64>;
  struct Page {
    Bits read = {}, written = {};
  };

  Page &getPage(uint64_t number);

  std::unordered_map<uint64_t, std::unique_ptr<Page>> pages;
  uint64_t lastNumber = ~uint64_t(0);
  Page *lastPage = nullptr;
};

} // namespace moert::emu
