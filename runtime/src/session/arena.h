// Memory of a session: blocks from a free list, best fit, inside regions that grow in the first runs and then stay.
// Where the memory behind it separates buffers, each block is a region of its own instead and goes back when released.
#pragma once
#include "devices/memory.h"

#include <vector>

namespace moert {

class Arena {
public:
  using Block = uint32_t;
  static constexpr Block noBlock = ~Block(0);

  explicit Arena(Memory &memory) : memory(memory) {}
  Arena(const Arena &) = delete;
  ~Arena();

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
  void releaseRegions();
  void split(Block block, uint64_t size);
  void mergeWithNext(Block block);
  void addFree(Block block);
  void removeFree(Block block);

  Memory &memory;
  std::vector<BlockRecord> blocks;
  std::vector<Block> unusedRecords;
  std::vector<Block> freeBlocks;
  std::vector<std::byte *> regions; // unless buffers are separate
  uint64_t totalBytes = 0;
  uint64_t liveBlocks = 0;
  uint64_t systemRequests = 0;
  uint64_t usedBytes = 0, peakBytes = 0;
};

} // namespace moert
