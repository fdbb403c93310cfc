// Which bytes of weights the tasks of a dispatch read: for traces alone.
#pragma once
#include "moert/moert.h"

#include <cstddef>
#include <span>
#include <vector>

namespace moert {

// A buffer of the dispatch as the host sees it. `weight` is MOERT_NO_BUFFER where its bytes are not those of a weight;
// else they start at `offset` of the weight data.
struct ReadBuffer {
  const std::byte *data;
  uint64_t size;
  uint32_t weight;
  uint64_t offset;
};

// Appends what `claims` read of one buffer. Neighbouring blocks of one slot are one range. Facts that do not fit the
// buffers say nothing.
void appendTaskReads(const moert_task_reads_t &facts, std::span<const ReadBuffer> buffers,
                     std::span<const moert_trace_task_t> claims, std::vector<moert_trace_read_t> &reads);

} // namespace moert
