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

class Region {
public:
  Region(uint64_t base, uint64_t size) : base(base), bytes(size), poison(size, 1) {}

  uint64_t getBase() const { return base; }
  uint64_t getSize() const { return bytes.size(); }
  bool contains(uint64_t address, uint64_t size) const {
    return address - base < bytes.size() && size <= bytes.size() - (address - base);
  }
  // Of an address that it contains.
  std::byte *data(uint64_t address) { return bytes.data() + (address - base); }
  // One byte for each byte of data; 1: poison.
  uint8_t *poisonOf(uint64_t address) { return poison.data() + (address - base); }
  bool hasPoison(uint64_t address, uint64_t size) const;
  void define(uint64_t address, uint64_t size) { setPoison(address, size, 0); }
  void undefine(uint64_t address, uint64_t size) { setPoison(address, size, 1); }

private:
  void setPoison(uint64_t address, uint64_t size, uint8_t value);

  uint64_t base;
  std::vector<std::byte> bytes;
  std::vector<uint8_t> poison;
};

// Device memory. Allocations lie apart, so that no address of one is reached by running over another.
class GlobalMemory {
public:
  // The address of `size` bytes of poison, aligned to 256.
  uint64_t allocate(uint64_t size);
  Status release(uint64_t address);
  // Copies from and to the host; reading poison is refused.
  Status write(uint64_t address, std::span<const std::byte> source);
  Status read(uint64_t address, std::span<std::byte> target);

  // The region of an address, or null.
  Region *find(uint64_t address);

private:
  Status check(uint64_t address, uint64_t size, Region *&region);

  std::map<uint64_t, Region> regions; // by base
  uint64_t nextBase = uint64_t(1) << 40;
};

} // namespace moert::emu
