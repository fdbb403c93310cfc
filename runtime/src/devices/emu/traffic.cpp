// Sectors and banks.
#include "devices/emu/traffic.h"

#include <algorithm>
#include <bit>

namespace moert::emu {

AccessRuns::AccessRuns(const AccessLog &log, Space space) {
  log.forEach([&](const LoggedAccess &access) {
    if (access.space != space)
      return;
    if (count) {
      AccessRun &last = runs[count - 1];
      const uint64_t end = last.address + last.size;
      if (access.address == end) {
        const uint64_t lanesBefore = last.size >> last.laneShift;
        if (access.lane != last.lane + lanesBefore || access.size != uint32_t(1) << last.laneShift)
          last.laneShift = AccessRun::mixedLanes;
        last.size += access.size;
        return;
      }
      if (access.address >= last.address && access.address + access.size <= end)
        return;
    }
    const bool isPower = std::has_single_bit(access.size);
    runs[count++] = {access.address, access.size, access.lane,
                     static_cast<uint8_t>(isPower ? std::countr_zero(access.size) : AccessRun::mixedLanes)};
  });
}

uint32_t countSectors(const AccessRuns &runs) {
  // A run of 16 bytes a lane has at most 17 sectors.
  std::array<uint64_t, 128> sectors;
  size_t count = 0;
  bool isSorted = true;
  for (const AccessRun &run : runs)
    for (uint64_t sector = run.address / sectorSize; sector <= (run.address + run.size - 1) / sectorSize; ++sector) {
      if (count && sector == sectors[count - 1])
        continue;
      isSorted &= count == 0 || sectors[count - 1] < sector;
      if (count < sectors.size())
        sectors[count++] = sector;
    }
  if (isSorted)
    return static_cast<uint32_t>(count);
  std::sort(sectors.begin(), sectors.begin() + static_cast<ptrdiff_t>(count));
  return static_cast<uint32_t>(std::unique(sectors.begin(), sectors.begin() + static_cast<ptrdiff_t>(count)) -
                               sectors.begin());
}

namespace {

// Words that lanes of one access of shared memory need, by bank.
class BankAccess {
public:
  void clear() { counts.fill(0); }
  void add(uint64_t address, uint32_t size) {
    for (uint64_t word = address / 4; word <= (address + size - 1) / 4; ++word) {
      const uint64_t *begin = words[word % 32].data(), *end = begin + counts[word % 32];
      if (std::find(begin, end, word) == end && counts[word % 32] < 32)
        words[word % 32][counts[word % 32]++] = word;
    }
  }
  // How often the memory must be accessed.
  uint32_t getAccesses() const { return *std::max_element(counts.begin(), counts.end()); }

private:
  std::array<std::array<uint64_t, 32>, 32> words;
  std::array<uint32_t, 32> counts = {};
};

} // namespace

BankUse countBankUse(const AccessLog &log) {
  BankUse use;
  // Lanes whose accesses together fill 32 banks: all, halves, or quarters of the warp.
  uint32_t phase = ~uint32_t(0);
  BankAccess access;
  const auto finishPhase = [&] {
    if (phase == ~uint32_t(0))
      return;
    ++use.accesses;
    use.conflicts += access.getAccesses() - 1;
  };
  log.forEach([&](const LoggedAccess &one) {
    if (one.space != Space::Shared)
      return;
    const uint32_t lanesPerPhase = one.size <= 4 ? 32 : one.size == 8 ? 16 : 8;
    if (one.lane / lanesPerPhase != phase) {
      finishPhase();
      phase = one.lane / lanesPerPhase;
      access.clear();
    }
    access.add(one.address, one.size);
  });
  finishPhase();
  return use;
}

SectorSet::Page &SectorSet::getPage(uint64_t number) {
  if (number != lastNumber) {
    std::unique_ptr<Page> &page = pages[number];
    if (!page)
      page = std::make_unique<Page>();
    lastNumber = number;
    lastPage = page.get();
  }
  return *lastPage;
}

void SectorSet::add(const AccessRuns &runs, bool isWrite) {
  for (const AccessRun &run : runs)
    for (uint64_t sector = run.address / sectorSize; sector <= (run.address + run.size - 1) / sectorSize; ++sector) {
      Page &page = getPage(sector / sectorsPerPage);
      const uint64_t index = sector % sectorsPerPage;
      (isWrite ? page.written : page.read)[index / 64] |= uint64_t(1) << index % 64;
    }
}

void SectorSet::merge(const SectorSet &other) {
  for (const auto &[number, from] : other.pages) {
    Page &page = getPage(number);
    for (size_t i = 0; i < page.read.size(); ++i) {
      page.read[i] |= from->read[i];
      page.written[i] |= from->written[i];
    }
  }
}

void SectorSet::addTo(LaunchCounters &counters, const GlobalMemory &memory) const {
  constexpr uint64_t pageBytes = sectorsPerPage * sectorSize;
  const auto count = [](const Bits &bits) {
    uint64_t sectors = 0;
    for (const uint64_t word : bits)
      sectors += static_cast<uint64_t>(std::popcount(word));
    return sectors * sectorSize;
  };
  static_assert(pageBytes <= GlobalMemory::gap);
  for (const auto &[number, page] : pages) {
    TagCounters &tag = counters.of(memory.getTag(number * pageBytes, pageBytes));
    tag.uniqueReadBytes += count(page->read);
    tag.uniqueWrittenBytes += count(page->written);
  }
}

} // namespace moert::emu
