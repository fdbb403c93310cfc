// Names are those of the structures in counters.h, in words.
#include "devices/emu/counter_list.h"

namespace moert::emu {

static constexpr const char *classNames[instructionClassCount] = {
    "integer_instructions", "float_instructions",   "special_instructions", "memory_instructions",
    "tensor_instructions",  "control_instructions", "barrier_instructions"};
static constexpr const char *tensorNames[tensorTypeCount] = {
    "f16_tensor_operations",  "bf16_tensor_operations", "tf32_tensor_operations", "f64_tensor_operations",
    "int8_tensor_operations", "int4_tensor_operations", "other_tensor_operations"};

struct TagNames {
  const char *read, *written, *uniqueRead, *uniqueWritten;
};
static constexpr TagNames tagNames[memoryTagCount] = {
    {"other_read_bytes", "other_written_bytes", "other_unique_read_bytes", "other_unique_written_bytes"},
    {"weight_read_bytes", "weight_written_bytes", "weight_unique_read_bytes", "weight_unique_written_bytes"},
    {"activation_read_bytes", "activation_written_bytes", "activation_unique_read_bytes",
     "activation_unique_written_bytes"},
    {"state_read_bytes", "state_written_bytes", "state_unique_read_bytes", "state_unique_written_bytes"},
    {"workspace_read_bytes", "workspace_written_bytes", "workspace_unique_read_bytes",
     "workspace_unique_written_bytes"}};

static void listMemory(const LaunchCounters &launch, std::vector<moert_trace_counter_t> &counters) {
  counters.insert(counters.end(), {{"global_read_requests", launch.global.readRequests},
                                   {"global_write_requests", launch.global.writeRequests},
                                   {"global_read_bytes", launch.global.readBytes},
                                   {"global_written_bytes", launch.global.writtenBytes},
                                   {"global_read_sectors", launch.globalReadSectors},
                                   {"global_written_sectors", launch.globalWrittenSectors}});
  for (uint32_t i = 0; i < memoryTagCount; ++i)
    counters.insert(counters.end(), {{tagNames[i].read, launch.tags[i].readBytes},
                                     {tagNames[i].uniqueRead, launch.tags[i].uniqueReadBytes},
                                     {tagNames[i].written, launch.tags[i].writtenBytes},
                                     {tagNames[i].uniqueWritten, launch.tags[i].uniqueWrittenBytes}});
  counters.insert(counters.end(), {{"shared_read_requests", launch.shared.readRequests},
                                   {"shared_write_requests", launch.shared.writeRequests},
                                   {"shared_read_bytes", launch.shared.readBytes},
                                   {"shared_written_bytes", launch.shared.writtenBytes},
                                   {"shared_accesses", launch.sharedAccesses},
                                   {"shared_bank_conflicts", launch.sharedConflicts},
                                   {"local_read_bytes", launch.local.readBytes},
                                   {"local_written_bytes", launch.local.writtenBytes},
                                   {"atomic_requests", launch.atomicRequests}});
}

void listCounters(const LaunchReport &report, std::vector<moert_trace_counter_t> &counters) {
  const LaunchCounters &launch = report.counters;
  counters.clear();
  counters.push_back({"instructions", report.instructions});
  counters.push_back({"lane_instructions", report.laneInstructions});
  for (uint32_t i = 0; i < instructionClassCount; ++i)
    counters.push_back({classNames[i], launch.instructions[i]});
  for (uint32_t i = 0; i < tensorTypeCount; ++i)
    counters.push_back({tensorNames[i], launch.tensorOperations[i]});
  listMemory(launch, counters);
  counters.push_back({"barrier_waits", launch.barrierWaits});
}

} // namespace moert::emu
