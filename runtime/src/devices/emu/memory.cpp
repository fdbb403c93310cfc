// Allocations of device memory, and which bytes were ever written.
#include "devices/emu/memory.h"

#include <algorithm>
#include <cstring>

namespace moert::emu {

std::string_view getName(Space space) {
  constexpr std::string_view names[] = {"generic", "global", "shared", "local"};
  return names[static_cast<uint8_t>(space)];
}

std::string formatHex(uint64_t value) {
  std::string text;
  do
    text.insert(text.begin(), "0123456789abcdef"[value & 15]);
  while (value >>= 4);
  return "0x" + text;
}

bool Region::hasPoison(uint64_t address, uint64_t size) const {
  if (isReadOnly())
    return false;
  const uint8_t *bytes = poison.data() + (address - base);
  uint64_t words[2];
  if (size != sizeof(words))
    return std::memchr(bytes, 1, size) != nullptr;
  std::memcpy(words, bytes, sizeof(words));
  return (words[0] | words[1]) != 0;
}

void Region::setPoison(uint64_t address, uint64_t size, uint8_t value) {
  std::fill_n(poison.begin() + static_cast<ptrdiff_t>(address - base), size, value);
}

void Region::copyFrom(Region &source, uint64_t sourceAddress, uint64_t address, uint64_t size) {
  std::memmove(data(address), source.data(sourceAddress), size);
  if (source.isReadOnly())
    define(address, size);
  else
    std::memmove(poison.data() + (address - base), source.poisonOf(sourceAddress), size);
}

uint64_t GlobalMemory::place(uint64_t size) {
  constexpr uint64_t alignment = 256;
  const uint64_t base = nextBase;
  nextBase += (size + gap + alignment - 1) / alignment * alignment;
  return base;
}

uint64_t GlobalMemory::allocate(uint64_t size, MemoryTag tag) {
  const uint64_t base = place(size);
  regions.emplace(base, Region(base, size)).first->second.setTag(tag);
  return base;
}

uint64_t GlobalMemory::map(std::span<std::byte> host, MemoryTag tag) {
  const uint64_t base = place(host.size());
  regions.emplace(base, Region(base, host)).first->second.setTag(tag);
  return base;
}

Status GlobalMemory::release(uint64_t address) {
  if (regions.erase(address) == 0)
    return failure(MOERT_INVALID_ARGUMENT, "address ", address, " is no allocation");
  return Status::success();
}

Region *GlobalMemory::find(uint64_t address) {
  auto behind = regions.upper_bound(address);
  if (behind == regions.begin())
    return nullptr;
  Region &region = std::prev(behind)->second;
  return address - region.getBase() < region.getSize() ? &region : nullptr;
}

MemoryTag GlobalMemory::getTag(uint64_t address, uint64_t size) const {
  auto behind = regions.lower_bound(address + size);
  if (behind == regions.begin())
    return MemoryTag::Other;
  const Region &region = std::prev(behind)->second;
  return region.getBase() + region.getSize() > address ? region.getTag() : MemoryTag::Other;
}

Status GlobalMemory::check(uint64_t address, uint64_t size, Region *&region) {
  region = find(address);
  if (!region || !region->contains(address, size))
    return failure(MOERT_INVALID_ARGUMENT, size, " bytes at address ", address, " are not inside one allocation");
  return Status::success();
}

Status GlobalMemory::write(uint64_t address, std::span<const std::byte> source) {
  if (source.empty())
    return Status::success();
  Region *region;
  MOERT_TRY(check(address, source.size(), region));
  if (region->isReadOnly())
    return failure(MOERT_INVALID_ARGUMENT, "address ", address, " can only be read");
  std::memcpy(region->data(address), source.data(), source.size());
  region->define(address, source.size());
  return Status::success();
}

Status GlobalMemory::read(uint64_t address, std::span<std::byte> target) {
  if (target.empty())
    return Status::success();
  Region *region;
  MOERT_TRY(check(address, target.size(), region));
  if (region->hasPoison(address, target.size())) {
    const uint8_t *poison = region->poisonOf(address);
    return failure(MOERT_RUN_FAILED, "byte ", std::find(poison, poison + target.size(), 1) - poison, " of the ",
                   target.size(), " at address ", address, " was never written");
  }
  std::memcpy(target.data(), region->data(address), target.size());
  return Status::success();
}

Status GlobalMemory::copy(uint64_t target, uint64_t source, uint64_t size) {
  if (size == 0)
    return Status::success();
  Region *to, *from;
  MOERT_TRY(check(target, size, to));
  MOERT_TRY(check(source, size, from));
  if (to->isReadOnly())
    return failure(MOERT_INVALID_ARGUMENT, "address ", target, " can only be read");
  to->copyFrom(*from, source, target, size);
  return Status::success();
}

} // namespace moert::emu
