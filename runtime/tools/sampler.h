// Choice of the next token from its scores.
#pragma once
#include <cstdint>
#include <random>
#include <vector>

namespace moert::tools {

struct SamplerOptions {
  double temperature = 0; // 0: always the best token
  int64_t topK = 0;       // 0: all
  double topP = 1;
  int64_t seed = 0;
};

class Sampler {
public:
  explicit Sampler(const SamplerOptions &options) : options(options), generator(static_cast<uint64_t>(options.seed)) {}

  // Equal scores go to the lower token.
  int64_t choose(const std::vector<double> &scores);

private:
  SamplerOptions options;
  std::mt19937_64 generator;
};

} // namespace moert::tools
