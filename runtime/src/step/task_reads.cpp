// Replays the way from a task to its expert that the kernel takes on its own.
#include "step/task_reads.h"

#include <algorithm>
#include <cstring>

namespace moert {

// The expert of each slot, for at most `limit` slots.
static std::vector<uint32_t> findExperts(const moert_task_reads_t &facts, const std::byte *offsets, int64_t limit) {
  std::vector<uint32_t> experts;
  for (uint32_t expert = 0; expert < facts.experts; ++expert) {
    int32_t bounds[2];
    std::memcpy(bounds, offsets + expert * sizeof(int32_t), sizeof(bounds));
    const int64_t rows = std::max<int64_t>(int64_t(bounds[1]) - bounds[0], 0);
    const int64_t slots = (rows + facts.rows_per_slot - 1) / facts.rows_per_slot;
    experts.insert(experts.end(), std::min<int64_t>(slots, limit - static_cast<int64_t>(experts.size())), expert);
  }
  return experts;
}

void appendTaskReads(const moert_task_reads_t &facts, std::span<const ReadBuffer> buffers,
                     std::span<const moert_trace_task_t> claims, std::vector<moert_trace_read_t> &reads) {
  const ReadBuffer &buffer = buffers[facts.buffer];
  if (buffer.weight == MOERT_NO_BUFFER || buffer.size < facts.expert_bytes * facts.experts)
    return;
  const int64_t blocks = facts.blocks;
  int64_t slotCount = 0;
  for (const moert_trace_task_t &claim : claims)
    slotCount = std::max(slotCount, (claim.end + blocks - 1) / blocks);
  std::vector<uint32_t> experts;
  if (facts.offsets == MOERT_NO_BUFFER)
    experts.assign(slotCount, MOERT_NO_EXPERT);
  else if (buffers[facts.offsets].size >= (uint64_t(facts.experts) + 1) * sizeof(int32_t))
    experts = findExperts(facts, buffers[facts.offsets].data, slotCount);

  for (size_t i = 0; i < claims.size(); ++i)
    for (int64_t task = claims[i].begin; task < claims[i].end;) {
      const int64_t slot = task / blocks, next = std::min(claims[i].end, (slot + 1) * blocks);
      const uint64_t begin = std::min(facts.first + (task - slot * blocks) * facts.block_bytes, facts.end);
      const uint64_t end = std::min(facts.first + (next - slot * blocks) * facts.block_bytes, facts.end);
      // The grid has room for slots that need not exist.
      if (slot < static_cast<int64_t>(experts.size()) && begin < end) {
        const uint32_t expert = experts[slot];
        const uint64_t expertBegin = expert == MOERT_NO_EXPERT ? 0 : expert * facts.expert_bytes;
        reads.push_back({i, buffer.weight, expert, buffer.offset + expertBegin + begin, end - begin});
      }
      task = next;
    }
}

} // namespace moert
