// Temperature, then the k best, then the smallest set of them that holds the share p.
#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moert::tools {

int64_t Sampler::choose(const std::vector<double> &scores) {
  if (options.temperature <= 0)
    return std::max_element(scores.begin(), scores.end()) - scores.begin();
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  auto score = [&](int64_t token) { return scores[static_cast<size_t>(token)]; };
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
  if (options.topK > 0 && static_cast<size_t>(options.topK) < order.size())
    order.resize(static_cast<size_t>(options.topK));
  std::vector<double> shares;
  for (int64_t token : order)
    shares.push_back(std::exp((score(token) - score(order[0])) / options.temperature));
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  size_t kept = 0;
  double sum = 0;
  while (kept < shares.size() && (kept == 0 || sum < options.topP * total))
    sum += shares[kept++];
  // 53 bits, so that a seed gives the same text with every standard library.
  double rest = static_cast<double>(generator() >> 11) * 0x1p-53 * sum;
  for (size_t i = 0; i < kept; ++i)
    if ((rest -= shares[i]) < 0)
      return order[i];
  return order[kept - 1];
}

} // namespace moert::tools
