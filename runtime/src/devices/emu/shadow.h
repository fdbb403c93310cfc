// Who accessed memory last: for each byte the latest write, and reads since then. 16 bytes share one record until an
// access to a part of them splits it.
#pragma once
#include "devices/emu/clock.h"

#include <algorithm>
#include <memory>
#include <unordered_map>

namespace moert::emu {

// An access that happened. `where` holds the line, how strong it was, the lane of its first byte, and how many bytes
// the lanes access that come one behind the other.
struct PastAccess {
  uint32_t warp = 0; // of the launch
  Clock clock = 0;   // 0: there was none
  uint32_t where = 0;

  // Each lane accesses 1 << laneShift bytes; `oneLane` or more: all are one lane's.
  static uint32_t pack(uint32_t line, uint32_t strength, uint32_t lane, uint32_t laneShift) {
    return line << 10 | std::min(laneShift, oneLane) << 7 | strength << 5 | lane;
  }
  uint32_t getLine() const { return where >> 10; }
  uint32_t getLane() const { return where & 31; }
  uint32_t getStrength() const { return where >> 5 & 3; }
  // The part of it that begins so many bytes later.
  PastAccess skip(uint64_t bytes) const {
    const uint32_t laneShift = where >> 7 & 7;
    return {warp, clock, where + (laneShift == oneLane ? 0 : static_cast<uint32_t>(bytes >> laneShift))};
  }
  static constexpr uint32_t oneLane = 7;
  static constexpr uint32_t weak = 0, strongInBlock = 1, strong = 2; // ordered with others of its block, of the device
  static constexpr uint32_t nonCoherent = 3;                         // a read that no write may come before or after
};

struct AccessSpan {
  uint64_t address, size;
};

struct Conflict {
  PastAccess earlier;
  bool wasWrite = false;
  uint64_t address = 0;
};

class Shadow {
public:
  // Keeps up to `maxReaders` reads of different warps for each record; beyond that, early ones are forgotten.
  explicit Shadow(uint32_t maxReaders) : maxReaders(maxReaders) {}
  void reset();

  // Records an access of a warp that knows `knowledge`. False and the conflict if it is not ordered after what came
  // before.
  bool access(const AccessSpan &span, bool isWrite, const PastAccess &now, const Knowledge &knowledge,
              const WarpRange &block, Conflict &conflict);
  // The write of these bytes, which `now` made unfinished, is finished.
  void finish(uint64_t address, uint64_t size, const PastAccess &now);
  // Whether bytes were accessed here and in another shadow by blocks that nothing orders.
  bool conflictsWith(const Shadow &other, Conflict &mine, Conflict &others) const;

private:
  static constexpr uint64_t pageSize = 4096;
  static constexpr uint32_t recordSize = 16, fanOut = 4;
  struct Record {
    PastAccess write, read;
    uint32_t moreReads = 0; // index + 1 of a list of maxReaders - 1
    uint32_t parts = 0;     // index of the first of 4, which replace this record
  };
  struct Page {
    std::array<Record, pageSize / recordSize> records;
  };
  struct Visit {
    uint64_t begin; // of the span
    bool isWrite;
    const PastAccess &now;
    const Knowledge &knowledge;
    const WarpRange &block;
    Conflict &conflict;
  };

  Page &getPage(uint64_t number);
  uint32_t split(Record &record, uint64_t size);
  template <typename Visitor>
  bool visit(Record &record, uint64_t begin, uint64_t end, uint64_t first, uint64_t size, Visitor visitor);
  template <typename Visitor> bool visitRecords(uint64_t address, uint64_t size, Visitor visitor);
  bool check(Record &record, uint64_t address, const Visit &visit);
  void addRead(Record &record, const PastAccess &now, const Visit &visit);
  bool compare(const Record &mine, const Shadow &other, const Record &others, uint64_t address, uint64_t size,
               Conflict &first, Conflict &second) const;

  uint32_t maxReaders;
  std::unordered_map<uint64_t, std::unique_ptr<Page>> pages;
  std::vector<std::unique_ptr<Page>> freePages;
  std::vector<Record> parts;
  std::vector<PastAccess> reads;
  uint64_t lastNumber = ~uint64_t(0);
  Page *lastPage = nullptr;
};

} // namespace moert::emu
