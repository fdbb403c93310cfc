// A layer that has not routed yet counts as if it had chosen all its experts.
#include "weight_use.h"

#include "tool_error.h"

#include <algorithm>

namespace moert::tools {

WeightUse::WeightUse(const moert_program_t *program)
    : program(program), activeExperts(moert_program_layer_count(program)) {
  for (size_t layer = 0; layer < activeExperts.size(); ++layer) {
    moert_layer_info_t info = {sizeof(info), nullptr, nullptr, nullptr, 0, 0, 0};
    check(moert_program_layer(program, layer, &info));
    activeExperts[layer].assign(info.experts, true);
    for (size_t i = 0; i < info.range_count; ++i) {
      moert_expert_range_t range;
      check(moert_program_expert_range(program, layer, i, &range));
      expertWeights.try_emplace(range.weight, ExpertWeight{layer, {}}).first->second.ranges.push_back(range);
    }
  }
}

void WeightUse::attach(moert_session_options_t &options) {
  nextRouting = options.routing;
  nextRoutingContext = options.routing_context;
  options.routing_context = this;
  options.routing = [](void *context, size_t layer, int64_t tokens, uint32_t selected, const int32_t *experts,
                       const float *gates) {
    WeightUse &use = *static_cast<WeightUse *>(context);
    use.recordRouting(layer, tokens * selected, experts);
    if (use.nextRouting)
      use.nextRouting(use.nextRoutingContext, layer, tokens, selected, experts, gates);
  };
}

void WeightUse::recordRouting(size_t layer, int64_t choices, const int32_t *experts) {
  std::vector<bool> &active = activeExperts[layer];
  std::fill(active.begin(), active.end(), false);
  for (int64_t i = 0; i < choices; ++i)
    if (experts[i] >= 0 && static_cast<size_t>(experts[i]) < active.size())
      active[static_cast<size_t>(experts[i])] = true;
}

void WeightUse::visit(const moert_trace_dispatch_t &dispatch, const std::function<void(const Range &)> &visitor) const {
  for (size_t i = 0; i < dispatch.weight_count; ++i) {
    moert_weight_info_t weight = {sizeof(weight), nullptr, 0, 0, 0, nullptr, 0, 0};
    check(moert_program_weight(program, dispatch.weights[i], &weight));
    const auto experts = expertWeights.find(dispatch.weights[i]);
    if (experts == expertWeights.end()) {
      visitor({weight.name, weight.offset, weight.byte_size, 0, MOERT_NO_EXPERT});
      continue;
    }
    const auto &[layer, ranges] = experts->second;
    for (const moert_expert_range_t &range : ranges)
      if (activeExperts[layer][range.expert])
        visitor({weight.name, range.offset, range.size, layer, range.expert});
  }
}

} // namespace moert::tools
