//===- RoutedRows.h - random routing for the tests of the moe kernels -------===//
#ifndef MOEC_UNITTESTS_CONVERSION_ROUTEDROWS_H
#define MOEC_UNITTESTS_CONVERSION_ROUTEDROWS_H

#include "KernelRunner.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace moec::test {

inline std::mt19937 randomEngine(7);

inline std::vector<float> randomFloats(int64_t count, float scale = 1.0f) {
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(randomEngine);
  return values;
}

inline void expectNear(const std::vector<float> &actual, const std::vector<float> &expected, float tolerance = 2e-4f) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance * std::max(1.0f, std::fabs(expected[i]))) << "at " << i;
}

/// Random rows of experts, [tokens, slots], distinct within a token, some -1; experts from `active` on stay empty.
inline std::vector<int32_t> randomExperts(int64_t tokens, int64_t slots, int64_t active) {
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<int32_t> all(active);
    for (int64_t e = 0; e < active; ++e)
      all[e] = static_cast<int32_t>(e);
    std::shuffle(all.begin(), all.end(), randomEngine);
    for (int64_t j = 0; j < slots; ++j)
      ids.push_back(randomEngine() % 8 ? all[j % active] : -1);
  }
  return ids;
}

struct Grouping {
  std::vector<int32_t> offsets, order, inverse;
};

inline Grouping group(const std::vector<int32_t> &ids, int64_t experts) {
  Grouping result;
  result.inverse.assign(ids.size(), -1);
  for (int64_t e = 0; e < experts; ++e) {
    result.offsets.push_back(static_cast<int32_t>(result.order.size()));
    for (size_t row = 0; row < ids.size(); ++row)
      if (ids[row] == e) {
        result.inverse[row] = static_cast<int32_t>(result.order.size());
        result.order.push_back(static_cast<int32_t>(row));
      }
  }
  result.offsets.push_back(static_cast<int32_t>(result.order.size()));
  result.order.resize(ids.size(), -1);
  return result;
}

class MoeKernels : public testing::Test {
protected:
  std::unique_ptr<mlir::MLIRContext> context = makeKernelContext();
};

} // namespace moec::test

#endif // MOEC_UNITTESTS_CONVERSION_ROUTEDROWS_H
