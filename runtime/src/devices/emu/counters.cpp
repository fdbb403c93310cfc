// Sums of counters.
#include "devices/emu/counters.h"

#include <algorithm>

namespace moert::emu {
namespace {

void add(SpaceCounters &to, const SpaceCounters &from) {
  to.readRequests += from.readRequests;
  to.writeRequests += from.writeRequests;
  to.readBytes += from.readBytes;
  to.writtenBytes += from.writtenBytes;
}

void add(TagCounters &to, const TagCounters &from) {
  to.readBytes += from.readBytes;
  to.writtenBytes += from.writtenBytes;
  to.uniqueReadBytes += from.uniqueReadBytes;
  to.uniqueWrittenBytes += from.uniqueWrittenBytes;
}

} // namespace

LaunchCounters &LaunchCounters::operator+=(const LaunchCounters &other) {
  for (size_t i = 0; i < instructions.size(); ++i)
    instructions[i] += other.instructions[i];
  for (size_t i = 0; i < tensorOperations.size(); ++i)
    tensorOperations[i] += other.tensorOperations[i];
  for (size_t i = 0; i < tags.size(); ++i)
    add(tags[i], other.tags[i]);
  add(global, other.global);
  add(shared, other.shared);
  add(local, other.local);
  atomicRequests += other.atomicRequests;
  globalReadSectors += other.globalReadSectors;
  globalWrittenSectors += other.globalWrittenSectors;
  sharedAccesses += other.sharedAccesses;
  sharedConflicts += other.sharedConflicts;
  barrierWaits += other.barrierWaits;
  launches += other.launches;
  blocks += other.blocks;
  threads += other.threads;
  threadsPerBlock = std::max(threadsPerBlock, other.threadsPerBlock);
  staticSharedBytes = std::max(staticSharedBytes, other.staticSharedBytes);
  dynamicSharedBytes = std::max(dynamicSharedBytes, other.dynamicSharedBytes);
  return *this;
}

} // namespace moert::emu
