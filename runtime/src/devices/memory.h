// Where buffers come from: the memory of the host or of a device.
#pragma once
#include "moert/moert_kernel_abi.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace moert {

// Untyped memory of the host, aligned to MOERT_BUFFER_ALIGNMENT.
struct AlignedDelete {
  void operator()(std::byte *memory) const { ::operator delete(memory, std::align_val_t(MOERT_BUFFER_ALIGNMENT)); }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;
// Null if there is no memory.
AlignedBytes allocateAligned(uint64_t size);

// Addresses are those of the device: only where they are the host's too may the host touch what is behind them.
class Memory {
public:
  // Buffers of a memory that separates them are not parts of larger allocations, so that it can tell them apart.
  Memory(uint64_t alignment, bool separatesBuffers) : alignment(alignment), separatesBuffers(separatesBuffers) {}
  virtual ~Memory() = default;

  // At least `size` aligned bytes of unspecified contents; null if there are none.
  virtual std::byte *allocate(uint64_t size) = 0;
  virtual void release(std::byte *memory) = 0;

  const uint64_t alignment;
  const bool separatesBuffers;
};

class HostMemory : public Memory {
public:
  HostMemory() : Memory(MOERT_BUFFER_ALIGNMENT, /*separatesBuffers=*/false) {}

  std::byte *allocate(uint64_t size) override { return allocateAligned(size).release(); }
  void release(std::byte *memory) override { AlignedDelete()(memory); }
};

// Hands out an address that nobody may touch, to find out how much would be needed.
class CountedMemory : public Memory {
public:
  explicit CountedMemory(const Memory &counted) : Memory(counted.alignment, counted.separatesBuffers) {}

  std::byte *allocate(uint64_t) override { return reinterpret_cast<std::byte *>(uintptr_t(alignment)); }
  void release(std::byte *) override {}
};

} // namespace moert
