// Which experts the layers of a program chose, gathered over any number of runs.
#pragma once
#include "moert/moert.h"

#include <string>
#include <vector>

namespace moert::tools {

class RoutingReport {
public:
  explicit RoutingReport(const moert_program_t *program);

  // Has sessions created with these options report here.
  void attach(moert_session_options_t &options);
  void record(size_t layer, int64_t tokens, uint32_t selected, const int32_t *experts, const float *gates);

  struct LayerCounts {
    moert_layer_info_t info;
    int64_t tokens = 0;
    std::vector<int64_t> counts; // by expert
    std::vector<double> gateSums;
  };
  const std::vector<LayerCounts> &getLayers() const { return layers; }
  // Forgets what was recorded.
  void clear();
  std::string toJson() const;

private:
  std::vector<LayerCounts> layers;
};

// Throws ToolError if the file cannot be written.
void writeFile(const std::string &path, const std::string &text);

} // namespace moert::tools
