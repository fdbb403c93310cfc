// What a launch has done, counted.
#pragma once
#include "devices/emu/instruction_traits.h"
#include "devices/emu/memory.h"

#include <array>

namespace moert::emu {

// Of one memory space. A request is one instruction of a warp; bytes are those its lanes ask for.
struct SpaceCounters {
  uint64_t readRequests = 0, writeRequests = 0;
  uint64_t readBytes = 0, writtenBytes = 0;
};

// Of the memory that has one tag. Unique bytes are those of the 32-byte sectors that were touched at least once in the
// launch: what a cache that forgets nothing must fetch.
struct TagCounters {
  uint64_t readBytes = 0, writtenBytes = 0;
  uint64_t uniqueReadBytes = 0, uniqueWrittenBytes = 0;
};

struct LaunchCounters {
  // Instructions of warps, by InstructionClass.
  std::array<uint64_t, instructionClassCount> instructions = {};
  // Multiplications and additions of matrix products, by TensorType.
  std::array<uint64_t, tensorTypeCount> tensorOperations = {};

  SpaceCounters global, shared, local; // an atomic reads and writes
  uint64_t atomicRequests = 0;
  // Sum over the requests of the distinct sectors of each.
  uint64_t globalReadSectors = 0, globalWrittenSectors = 0;
  // By MemoryTag. Copies of cp.async read global memory.
  std::array<TagCounters, memoryTagCount> tags = {};

  // A request for 4 bytes a lane is one access of shared memory if its lanes need 32 different banks, one for 8 bytes
  // two of half a warp each, one for 16 bytes four, one of ldmatrix as many as it loads matrices. `conflicts` counts
  // the accesses that come on top because lanes need different words of one bank.
  uint64_t sharedAccesses = 0, sharedConflicts = 0;

  uint64_t barrierWaits = 0; // of warps
  uint64_t launches = 0, blocks = 0, threads = 0;
  // Of a block; the largest where launches are summed up.
  uint64_t threadsPerBlock = 0, staticSharedBytes = 0, dynamicSharedBytes = 0;

  LaunchCounters &operator+=(const LaunchCounters &other);

  TagCounters &of(MemoryTag tag) { return tags[static_cast<size_t>(tag)]; }
  const TagCounters &of(MemoryTag tag) const { return tags[static_cast<size_t>(tag)]; }
  uint64_t of(InstructionClass kind) const { return instructions[static_cast<size_t>(kind)]; }
  uint64_t of(TensorType type) const { return tensorOperations[static_cast<size_t>(type)]; }
};

} // namespace moert::emu
