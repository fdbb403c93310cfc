// Counting of routed tokens.
#include "routing_report.h"

#include "json.h"
#include "tool_error.h"

#include <fstream>

namespace moert::tools {

RoutingReport::RoutingReport(const moert_program_t *program) : layers(moert_program_layer_count(program)) {
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i].info.size = sizeof(moert_layer_info_t);
    check(moert_program_layer(program, i, &layers[i].info));
  }
  clear();
}

void RoutingReport::clear() {
  for (LayerCounts &layer : layers) {
    layer.tokens = 0;
    layer.counts.assign(layer.info.experts, 0);
    layer.gateSums.assign(layer.info.experts, 0);
  }
}

void RoutingReport::attach(moert_session_options_t &options) {
  options.routing_context = this;
  options.routing = [](void *context, size_t layer, int64_t tokens, uint32_t selected, const int32_t *experts,
                       const float *gates) {
    static_cast<RoutingReport *>(context)->record(layer, tokens, selected, experts, gates);
  };
}

void RoutingReport::record(size_t index, int64_t tokens, uint32_t selected, const int32_t *experts,
                           const float *gates) {
  LayerCounts &layer = layers[index];
  layer.tokens += tokens;
  for (int64_t i = 0; i < tokens * selected; ++i) {
    const int32_t expert = experts[i];
    if (expert < 0 || static_cast<uint32_t>(expert) >= layer.info.experts)
      continue;
    ++layer.counts[static_cast<size_t>(expert)];
    layer.gateSums[static_cast<size_t>(expert)] += gates[i];
  }
}

std::string RoutingReport::toJson() const {
  JsonWriter json;
  json.beginObject().key("layers").beginArray();
  for (const LayerCounts &layer : layers) {
    json.newLine().beginObject();
    json.member("name", layer.info.name).member("form", layer.info.form).member("router", layer.info.router);
    json.member("experts", layer.info.experts).member("selected", layer.info.selected).member("tokens", layer.tokens);
    json.key("counts").beginArray();
    for (int64_t count : layer.counts)
      json.value(count);
    json.endArray().key("gate_sums").beginArray();
    for (double sum : layer.gateSums)
      json.value(sum);
    json.endArray().endObject();
  }
  json.newLine().endArray().endObject();
  return json.getText() + "\n";
}

void writeFile(const std::string &path, const std::string &text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file)
    throw ToolError("cannot write '" + path + "'");
}

} // namespace moert::tools
