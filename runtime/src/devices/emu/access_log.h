// The accesses of the instruction that runs.
#pragma once
#include "devices/emu/memory.h"

#include <array>

namespace moert::emu {

struct LoggedAccess {
  uint64_t address; // in its space
  uint32_t size;
  uint8_t lane;
  Space space;
  Region *region;
};

class AccessLog {
public:
  void clear() { count = 0; }
  bool isEmpty() const { return count == 0; }
  void add(const LoggedAccess &access) {
    if (count < capacity)
      accesses[count++] = access;
  }
  template <typename Visitor> void forEach(Visitor visitor) const {
    for (uint32_t i = 0; i < count; ++i)
      visitor(accesses[i]);
  }

private:
  // A copy accesses two addresses a lane, all others one.
  static constexpr uint32_t capacity = 64;
  std::array<LoggedAccess, capacity> accesses = {};
  uint32_t count = 0;
};

} // namespace moert::emu
