// Records lie beside the memory, not inside it, so that a kernel that writes too far cannot confuse the free list.
#include "session/arena.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace moert {

static constexpr uint64_t smallestRegion = uint64_t(1) << 20;

Arena::~Arena() { releaseRegions(); }

void Arena::releaseRegions() {
  for (std::byte *region : regions)
    memory.release(region);
  regions.clear();
}

Arena::Block Arena::newRecord(const BlockRecord &record) {
  if (unusedRecords.empty()) {
    // Room for the record wherever it may go later, so that releasing never allocates.
    const size_t count = blocks.size() + 1;
    if (freeBlocks.capacity() < count)
      freeBlocks.reserve(2 * count);
    if (unusedRecords.capacity() < count)
      unusedRecords.reserve(2 * count);
    blocks.push_back(record);
    return static_cast<Block>(blocks.size() - 1);
  }
  const Block block = unusedRecords.back();
  unusedRecords.pop_back();
  blocks[block] = record;
  return block;
}

void Arena::recycle(Block block) { unusedRecords.push_back(block); }

void Arena::addFree(Block block) {
  blocks[block].isFree = true;
  freeBlocks.push_back(block);
}

void Arena::removeFree(Block block) {
  blocks[block].isFree = false;
  auto at = std::find(freeBlocks.begin(), freeBlocks.end(), block);
  *at = freeBlocks.back();
  freeBlocks.pop_back();
}

// Of equally good blocks the lowest index, so that the same sequence of requests always gets the same blocks.
Arena::Block Arena::findBestFit(uint64_t size) const {
  Block best = noBlock;
  for (Block block : freeBlocks) {
    if (blocks[block].size < size)
      continue;
    if (best == noBlock || blocks[block].size < blocks[best].size ||
        (blocks[block].size == blocks[best].size && block < best))
      best = block;
  }
  return best;
}

// Regions double the total, so that their number stays small while state grows.
Arena::Block Arena::grow(uint64_t size) {
  uint64_t regionSize = memory.separatesBuffers ? size : std::max({size, smallestRegion, totalBytes});
  // Nothing throws once there is a region.
  regions.reserve(regions.size() + 1);
  const Block block = newRecord({nullptr, regionSize, noBlock, noBlock, false});
  std::byte *region = memory.allocate(regionSize);
  if (!region && regionSize > size) {
    regionSize = size;
    region = memory.allocate(regionSize);
  }
  if (!region) {
    recycle(block);
    return noBlock;
  }
  blocks[block].address = region;
  blocks[block].size = regionSize;
  ++systemRequests;
  addFree(block);
  if (!memory.separatesBuffers)
    regions.push_back(region);
  totalBytes += regionSize;
  return block;
}

void Arena::split(Block block, uint64_t size) {
  if (blocks[block].size == size)
    return;
  const BlockRecord whole = blocks[block];
  const Block rest = newRecord({whole.address + size, whole.size - size, block, whole.next, false});
  blocks[block].size = size;
  blocks[block].next = rest;
  if (whole.next != noBlock)
    blocks[whole.next].previous = rest;
  addFree(rest);
}

void Arena::mergeWithNext(Block block) {
  const Block next = blocks[block].next;
  blocks[block].size += blocks[next].size;
  blocks[block].next = blocks[next].next;
  if (blocks[block].next != noBlock)
    blocks[blocks[block].next].previous = block;
  recycle(next);
}

Arena::Block Arena::allocate(uint64_t size) {
  if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) - memory.alignment)
    return noBlock;
  const uint64_t rounded =
      memory.separatesBuffers
          ? size
          : std::max<uint64_t>(1, (size + memory.alignment - 1) / memory.alignment) * memory.alignment;
  Block block = findBestFit(rounded);
  if (block == noBlock)
    block = grow(rounded);
  if (block == noBlock)
    return noBlock;
  split(block, rounded);
  removeFree(block);
  ++liveBlocks;
  usedBytes += blocks[block].size;
  peakBytes = std::max(peakBytes, usedBytes);
  return block;
}

void Arena::consolidate() {
  if (liveBlocks != 0 || regions.size() < 2)
    return;
  const uint64_t size = std::exchange(totalBytes, 0);
  blocks.clear();
  unusedRecords.clear();
  freeBlocks.clear();
  releaseRegions();
  grow(size); // If that fails, the next run takes what it needs piece by piece.
}

void Arena::release(Block block) {
  --liveBlocks;
  usedBytes -= blocks[block].size;
  if (memory.separatesBuffers) {
    memory.release(blocks[block].address);
    totalBytes -= blocks[block].size;
    recycle(block);
    return;
  }
  const Block next = blocks[block].next, previous = blocks[block].previous;
  if (next != noBlock && blocks[next].isFree) {
    removeFree(next);
    mergeWithNext(block);
  }
  if (previous != noBlock && blocks[previous].isFree) {
    removeFree(previous);
    mergeWithNext(previous);
    block = previous;
  }
  addFree(block);
}

} // namespace moert
