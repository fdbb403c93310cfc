// Memory of a session: blocks from a free list, best fit, inside regions that grow in the first runs and then stay.
#pragma once
#include "moert/moert_kernel_abi.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace moert {

// Untyped memory aligned to MOERT_BUFFER_ALIGNMENT.
struct AlignedDelete {
  void operator()(std::byte *memory) const { ::operator delete(memory, std::align_val_t(MOERT_BUFFER_ALIGNMENT)); }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;
// Null if there is no memory.
AlignedBytes allocateAligned(uint64_t size);

class Arena {
public:
  using Block = uint32_t;
  static constexpr Block noBlock = ~Block(0);

  // An arena that only counts hands out addresses that nobody may touch.
  enum class Backing { Memory, None };
  explicit Arena(Backing backing = Backing::Memory) : backing(backing) {}
  Arena(const Arena &) = delete;

  // A block of at least `size` bytes, also for 0; noBlock if there is no memory. May throw std::bad_alloc.
  Block allocate(uint64_t size);
  void release(Block block);
  // If nothing is in use, makes one region of all, so that the next run does not depend on how they came about.
  void consolidate();

  std::byte *address(Block block) const { return blocks[block].address; }
  // Bytes held from the system, and how often it was asked so far.
  uint64_t getBytes() const { return totalBytes; }
  uint64_t getSystemRequests() const { return systemRequests; }
  // Most bytes in use at one time so far.
  uint64_t getPeakBytes() const { return peakBytes; }

private:
  // Neighbours are in the order of addresses, within one region.
  struct BlockRecord {
    std::byte *address;
    uint64_t size;
    Block previous, next;
    bool isFree;
  };

  Block newRecord(const BlockRecord &record);
  void recycle(Block block);
  Block findBestFit(uint64_t size) const;
  Block grow(uint64_t size);
  void split(Block block, uint64_t size);
  void mergeWithNext(Block block);
  void addFree(Block block);
  void removeFree(Block block);

  const Backing backing;
  std::vector<BlockRecord> blocks;
  std::vector<Block> unusedRecords;
  std::vector<Block> freeBlocks;
  std::vector<AlignedBytes> regions;
  uint64_t totalBytes = 0;
  uint64_t liveBlocks = 0;
  uint64_t systemRequests = 0;
  uint64_t usedBytes = 0, peakBytes = 0;
};

} // namespace moert
