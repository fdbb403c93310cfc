// Records of accesses, and whether a new one may come in any order with one of them.
#include "devices/emu/shadow.h"

namespace moert::emu {
namespace {

// Accesses that are ordered with each other in any case, as atomics are.
bool areBothStrong(const PastAccess &a, const PastAccess &b, bool isSameBlock) {
  const auto isStrong = [&](const PastAccess &access) {
    return access.getStrength() == PastAccess::strong ||
           (access.getStrength() == PastAccess::strongInBlock && isSameBlock);
  };
  return isStrong(a) && isStrong(b);
}

bool isOrdered(const PastAccess &past, const PastAccess &now, const Knowledge &knowledge, const WarpRange &block) {
  if (past.getStrength() == PastAccess::nonCoherent || now.getStrength() == PastAccess::nonCoherent)
    return false;
  if (areBothStrong(past, now, block.contains(past.warp)))
    return true;
  if (past.warp != now.warp || past.clock == unfinished)
    return knowledge.covers(past.warp, past.clock, block);
  // Lanes of a warp that have not met since. Of one instruction's writes to one place some lane's stays.
  const bool haveMet = knowledge.covers(past.warp, past.clock + 1, block);
  return haveMet || past.getLane() == now.getLane() || past.getLine() == now.getLine();
}

} // namespace

void Shadow::reset() {
  for (auto &[number, page] : pages)
    freePages.push_back(std::move(page));
  pages.clear();
  parts.clear();
  reads.clear();
  lastNumber = ~uint64_t(0);
}

Shadow::Page &Shadow::getPage(uint64_t number) {
  if (number == lastNumber)
    return *lastPage;
  std::unique_ptr<Page> &page = pages[number];
  if (!page) {
    if (freePages.empty()) {
      page = std::make_unique<Page>();
    } else {
      page = std::move(freePages.back());
      freePages.pop_back();
      *page = Page();
    }
  }
  lastNumber = number;
  lastPage = page.get();
  return *lastPage;
}

// Splits a record of `size` bytes.
uint32_t Shadow::split(Record &record, uint64_t size) {
  const auto first = static_cast<uint32_t>(std::max<size_t>(parts.size(), 1)); // 0 means none
  const Record whole = record;
  record.parts = first; // `record` may lie in `parts`, which grows
  parts.resize(first);
  for (uint32_t i = 0; i < fanOut; ++i) {
    Record part = whole;
    const uint64_t offset = i * (size / fanOut);
    part.write = whole.write.skip(offset);
    part.read = whole.read.skip(offset);
    if (whole.moreReads) {
      const size_t from = whole.moreReads - 1, to = reads.size();
      reads.resize(to + maxReaders - 1);
      for (size_t other = 0; other + 1 < maxReaders; ++other)
        reads[to + other] = reads[from + other].skip(offset);
      part.moreReads = static_cast<uint32_t>(to + 1);
    }
    parts.push_back(part);
  }
  return first;
}

// Visits the parts of a record of `size` bytes at `first` that lie between `begin` and `end`. Visitors may not split.
template <typename Visitor>
bool Shadow::visit(Record &record, uint64_t begin, uint64_t end, uint64_t first, uint64_t size, Visitor visitor) {
  const bool isWhole = begin <= first && first + size <= end;
  if (record.parts == 0 && (isWhole || size == 1))
    return visitor(record, first);
  const uint32_t firstPart = record.parts ? record.parts : split(record, size);
  const uint64_t partSize = size / fanOut;
  for (uint32_t i = 0; i < fanOut; ++i) {
    const uint64_t address = first + i * partSize;
    if (address < end && begin < address + partSize &&
        !visit(parts[firstPart + i], begin, end, address, partSize, visitor))
      return false;
  }
  return true;
}

template <typename Visitor> bool Shadow::visitRecords(uint64_t address, uint64_t size, Visitor visitor) {
  const uint64_t end = address + size;
  for (uint64_t first = address / recordSize * recordSize; first < end; first += recordSize) {
    Record &record = getPage(first / pageSize).records[first % pageSize / recordSize];
    const bool isWhole = record.parts == 0 && address <= first && first + recordSize <= end;
    if (!(isWhole ? visitor(record, first) : visit(record, address, end, first, recordSize, visitor)))
      return false;
  }
  return true;
}

bool Shadow::access(const AccessSpan &span, bool isWrite, const PastAccess &now, const Knowledge &knowledge,
                    const WarpRange &block, Conflict &conflict) {
  const Visit current = {span.address, isWrite, now, knowledge, block, conflict};
  return visitRecords(span.address, span.size, [&](Record &record, uint64_t at) { return check(record, at, current); });
}

bool Shadow::check(Record &record, uint64_t address, const Visit &visit) {
  const PastAccess now = visit.now.skip(address > visit.begin ? address - visit.begin : 0);
  const auto conflicts = [&](const PastAccess &past, bool wasWrite) {
    if (past.clock == 0 || isOrdered(past, now, visit.knowledge, visit.block))
      return false;
    visit.conflict = {past, wasWrite, address};
    return true;
  };
  if (conflicts(record.write, true))
    return false;
  if (!visit.isWrite) {
    addRead(record, now, visit);
    return true;
  }
  if (conflicts(record.read, false))
    return false;
  for (uint32_t i = 0; record.moreReads && i + 1 < maxReaders; ++i)
    if (conflicts(reads[record.moreReads - 1 + i], false))
      return false;
  record.write = now;
  return true;
}

// Replaces a read by the same warp, or one that comes before this one anyway.
void Shadow::addRead(Record &record, const PastAccess &now, const Visit &visit) {
  const auto isReplaceable = [&](const PastAccess &past) {
    return past.clock == 0 || past.warp == now.warp || visit.knowledge.covers(past.warp, past.clock, visit.block);
  };
  if (isReplaceable(record.read)) {
    record.read = now;
    return;
  }
  if (maxReaders == 1)
    return;
  if (record.moreReads == 0) {
    record.moreReads = static_cast<uint32_t>(reads.size() + 1);
    reads.resize(reads.size() + maxReaders - 1);
  }
  const auto begin = reads.begin() + static_cast<ptrdiff_t>(record.moreReads - 1);
  const auto end = begin + static_cast<ptrdiff_t>(maxReaders - 1);
  const auto found = std::find_if(begin, end, isReplaceable);
  *(found == end ? begin + now.warp % (maxReaders - 1) : found) = now;
}

void Shadow::finish(uint64_t address, uint64_t size, const PastAccess &now) {
  visitRecords(address, size, [&](Record &record, uint64_t) {
    if (record.write.warp == now.warp && record.write.clock == unfinished)
      record.write.clock = now.clock;
    return true;
  });
}

bool Shadow::compare(const Record &mine, const Shadow &other, const Record &others, uint64_t address, uint64_t size,
                     Conflict &first, Conflict &second) const {
  if (mine.parts || others.parts) {
    for (uint32_t i = 0; i < fanOut; ++i)
      if (compare(mine.parts ? parts[mine.parts + i] : mine, other,
                  others.parts ? other.parts[others.parts + i] : others, address + i * (size / fanOut), size / fanOut,
                  first, second))
        return true;
    return false;
  }
  const auto conflict = [&](const PastAccess &a, bool aWrites, const PastAccess &b, bool bWrites) {
    if (a.clock == 0 || b.clock == 0 || areBothStrong(a, b, /*isSameBlock=*/false))
      return false;
    first = {a, aWrites, address};
    second = {b, bWrites, address};
    return true;
  };
  return conflict(mine.write, true, others.write, true) || conflict(mine.write, true, others.read, false) ||
         conflict(mine.read, false, others.write, true);
}

bool Shadow::conflictsWith(const Shadow &other, Conflict &mine, Conflict &others) const {
  std::vector<uint64_t> common;
  for (const auto &[number, page] : pages)
    if (other.pages.contains(number))
      common.push_back(number);
  std::sort(common.begin(), common.end());
  for (const uint64_t number : common) {
    const Page &left = *pages.at(number), &right = *other.pages.at(number);
    for (uint32_t i = 0; i < left.records.size(); ++i)
      if (compare(left.records[i], other, right.records[i], number * pageSize + i * recordSize, recordSize, mine,
                  others))
        return true;
  }
  return false;
}

} // namespace moert::emu
