// Memory of the emulated GPU: regions of bytes, each byte either defined or poison (never written).
#pragma once
#include "status.h"

#include <cstddef>
#include <map>
#include <span>
#include <vector>

namespace moert::emu {

// Windows of the generic address space. Addresses below the first are global memory; address 0 belongs to nothing.
constexpr uint64_t sharedWindow = uint64_t(1) << 48;
constexpr uint64_t localWindow = uint64_t(2) << 48;
// Where shared and local variables begin inside their windows, so that a forgotten base address is out of bounds.
constexpr uint64_t variablesBase = 1024;

enum class Space : uint8_t { Generic, Global, Shared, Local };
std::string_view getName(Space space);
std::string formatHex(uint64_t value);

// What an allocation is for. Counters keep their traffic apart.
enum class MemoryTag : uint8_t { Other, Weights, Activations, States, Workspace };
constexpr uint32_t memoryTagCount = 5;

class Region {
public:
  Region(uint64_t base, uint64_t size) : base(base), size(size), owned(size), bytes(owned.data()), poison(size, 1) {}
  // Bytes of the host, which must outlive the region; only to be read.
  Region(uint64_t base, std::span<std::byte> host) : base(base), size(host.size()), bytes(host.data()) {}
  Region(Region &&) = default;
  Region &operator=(Region &&) = default;

  uint64_t getBase() const { return base; }
  uint64_t getSize() const { return size; }
  bool isReadOnly() const { return owned.size() != size; }
  bool contains(uint64_t address, uint64_t count) const {
    return address - base < size && count <= size - (address - base);
  }
  // Of an address that it contains.
  std::byte *data(uint64_t address) { return bytes + (address - base); }
  // One byte for each byte of data, for as many as an access can have; 1: poison.
  const uint8_t *poisonOf(uint64_t address) const { return isReadOnly() ? noPoison : poison.data() + (address - base); }
  bool hasPoison(uint64_t address, uint64_t size) const;
  void define(uint64_t address, uint64_t size) { setPoison(address, size, 0); }
  void undefine(uint64_t address, uint64_t size) { setPoison(address, size, 1); }
  void copyFrom(Region &source, uint64_t sourceAddress, uint64_t address, uint64_t size);
  MemoryTag getTag() const { return tag; }
  void setTag(MemoryTag newTag) { tag = newTag; }

private:
  void setPoison(uint64_t address, uint64_t size, uint8_t value);

  static constexpr uint8_t noPoison[128] = {};

  uint64_t base, size;
  std::vector<std::byte> owned;
  std::byte *bytes;
  std::vector<uint8_t> poison; // none if read-only
  MemoryTag tag = MemoryTag::Other;
};

// Device memory. Allocations lie apart, so that no address of one is reached by running over another.
class GlobalMemory {
public:
  // The address of `size` bytes of poison, aligned to 256.
  uint64_t allocate(uint64_t size, MemoryTag tag = MemoryTag::Other);
  // The address of bytes of the host that kernels may read, aligned to 256.
  uint64_t map(std::span<std::byte> host, MemoryTag tag = MemoryTag::Weights);
  Status release(uint64_t address);
  // Copies from and to the host; reading poison is refused.
  Status write(uint64_t address, std::span<const std::byte> source);
  Status read(uint64_t address, std::span<std::byte> target);
  // Copies poison as poison. The ranges may overlap.
  Status copy(uint64_t target, uint64_t source, uint64_t size);

  // The region of an address, or null.
  Region *find(uint64_t address);
  // Of the allocation that some of these bytes belong to. Bytes of two allocations are never this close together.
  static constexpr uint64_t gap = 1 << 20;
  MemoryTag getTag(uint64_t address, uint64_t size) const;

private:
  Status check(uint64_t address, uint64_t size, Region *&region);
  // Takes addresses for `size` bytes.
  uint64_t place(uint64_t size);

  std::map<uint64_t, Region> regions; // by base
  uint64_t nextBase = uint64_t(1) << 40;
};

} // namespace moert::emu
