// Which bytes of weights a dispatch needs: of a weight of experts, those of the experts that its layer has chosen.
#pragma once
#include "moert/moert.h"

#include <functional>
#include <map>
#include <vector>

namespace moert::tools {

class WeightUse {
public:
  explicit WeightUse(const moert_program_t *program);

  // Has sessions created with these options report their routing here; it goes on to whom it went before.
  void attach(moert_session_options_t &options);

  // `layer` and `expert` are of a weight of experts, else MOERT_NO_EXPERT.
  struct Range {
    const char *weight;
    uint64_t offset, bytes;
    size_t layer;
    uint32_t expert;
  };
  void visit(const moert_trace_dispatch_t &dispatch, const std::function<void(const Range &)> &visitor) const;

private:
  struct ExpertWeight {
    size_t layer;
    std::vector<moert_expert_range_t> ranges;
  };

  void recordRouting(size_t layer, int64_t choices, const int32_t *experts);

  const moert_program_t *program;
  std::map<uint32_t, ExpertWeight> expertWeights; // by weight
  std::vector<std::vector<bool>> activeExperts;   // by layer, as routed last
  moert_routing_fn nextRouting = nullptr;
  void *nextRoutingContext = nullptr;
};

} // namespace moert::tools
