//===- LinalgReductionTest.cpp - linalg ops with reductions against plain loops -===//

#include "TestValues.h"

#include <map>

using namespace moec::test;

namespace {

/// "mk,kn->mn": the loops that index each operand. The extent of `u` is 1 and known, the others are not.
struct Form {
  const char *lhs, *rhs, *out;
  std::map<char, int64_t> extents;

  std::vector<int64_t> shape(const std::string &loops) const {
    std::vector<int64_t> result;
    for (char loop : loops)
      result.push_back(extents.at(loop));
    return result;
  }
  int64_t position(const std::string &loops, const std::map<char, int64_t> &at) const {
    int64_t result = 0;
    for (char loop : loops)
      result = result * extents.at(loop) + at.at(loop);
    return result;
  }
  std::string type(const std::string &loops) const {
    std::string result = "tensor<";
    for (char loop : loops)
      result += loop == 'u' ? "1x" : "?x";
    return result + "f32>";
  }
  std::string map(const std::string &loops) const {
    std::string dims, results;
    for (auto [loop, extent] : extents)
      dims += std::string(dims.empty() ? "" : ",") + loop;
    for (char loop : loops)
      results += std::string(results.empty() ? "" : ",") + loop;
    return "affine_map<(" + dims + ") -> (" + results + ")>";
  }
  std::string text(const std::string &payload) const {
    std::string kinds;
    for (auto [loop, extent] : extents)
      kinds += std::string(kinds.empty() ? "" : ",") +
               (std::string(out).find(loop) == std::string::npos ? "\"reduction\"" : "\"parallel\"");
    return "func.func @f(%a: " + type(lhs) + ", %b: " + type(rhs) + ", %o: " + type(out) + ") -> " + type(out) +
           " {\n%r = linalg.generic {indexing_maps = [" + map(lhs) + ", " + map(rhs) + ", " + map(out) +
           "], iterator_types = [" + kinds + "]} ins(%a, %b : " + type(lhs) + ", " + type(rhs) +
           ") outs(%o : " + type(out) + ") {\n^bb0(%x: f32, %y: f32, %s: f32):\n" + payload + "} -> " + type(out) +
           "\nreturn %r : " + type(out) + "\n}";
  }
  void forEach(std::map<char, int64_t> at, std::map<char, int64_t>::const_iterator next,
               llvm::function_ref<void(const std::map<char, int64_t> &)> visit) const {
    if (next == extents.end())
      return visit(at);
    for (int64_t i = 0; i < next->second; ++i) {
      at[next->first] = i;
      forEach(at, std::next(next), visit);
    }
  }
};

const char *const sumOfProducts = "%p = arith.mulf %x, %y : f32\n%t = arith.addf %s, %p : f32\nlinalg.yield %t : f32\n";
const char *const largest = "%p = arith.subf %x, %y : f32\n%t = arith.maximumf %p, %s : f32\nlinalg.yield %t : f32\n";

std::ostream &operator<<(std::ostream &stream, const Form &form) {
  stream << form.lhs << "," << form.rhs << "->" << form.out;
  for (auto [loop, extent] : form.extents)
    stream << " " << loop << extent;
  return stream;
}

const Form forms[] = {{"mk", "kn", "mn", {{'m', 21}, {'k', 7}, {'n', 300}}},
                      {"mk", "nk", "mn", {{'m', 19}, {'k', 37}, {'n', 18}}},
                      {"mk", "kn", "mn", {{'m', 1}, {'k', 40}, {'n', 33}}},
                      {"bmk", "bkn", "bmn", {{'b', 3}, {'m', 5}, {'k', 17}, {'n', 70}}},
                      {"bmk", "bku", "bmu", {{'b', 2}, {'m', 23}, {'k', 50}, {'u', 1}}},
                      {"bhmk", "bhnk", "bmhn", {{'b', 2}, {'h', 3}, {'m', 9}, {'k', 16}, {'n', 11}}},
                      {"mk", "mk", "m", {{'m', 13}, {'k', 65}}},
                      {"mk", "km", "m", {{'m', 40}, {'k', 9}}},
                      {"jk", "jk", "", {{'j', 5}, {'k', 33}}},
                      {"mk", "kn", "mn", {{'m', 4}, {'k', 0}, {'n', 20}}},
                      {"mk", "kn", "mn", {{'m', 0}, {'k', 3}, {'n', 5}}}};

class LinalgReduction : public testing::TestWithParam<Machine> {
protected:
  std::unique_ptr<mlir::MLIRContext> context = makeKernelContext();
  std::mt19937 engine{7};
};

TEST_P(LinalgReduction, AgreesWithPlainLoopsForAnyTasks) {
  for (const Form &form : forms)
    for (const char *payload : {sumOfProducts, largest}) {
      SCOPED_TRACE(testing::Message() << form << "\n" << payload);
      CompiledKernel kernel(*context, form.text(payload), GetParam());
      ASSERT_TRUE(kernel.isValid());
      Floats a = Floats::random(engine, f32Storage, form.shape(form.lhs));
      Floats b = Floats::random(engine, f32Storage, form.shape(form.rhs));
      Floats start = Floats::random(engine, f32Storage, form.shape(form.out));
      std::vector<double> expected(start.values.begin(), start.values.end());
      form.forEach({}, form.extents.begin(), [&](const std::map<char, int64_t> &at) {
        double x = a.values[form.position(form.lhs, at)], y = b.values[form.position(form.rhs, at)];
        double &sum = expected[form.position(form.out, at)];
        sum = payload == largest ? std::max(sum, double(float(x) - float(y))) : sum + x * y;
      });
      std::vector<Buffer> buffers = {a.buffer(), b.buffer(), start.buffer(), start.result(form.shape(form.out))};
      ASSERT_EQ(kernel.runAll(buffers), 0);
      start.expectNear(buffers.back(), expected);
      std::vector<char> bits = buffers.back().bytes;
      ASSERT_EQ(kernel.runAll(buffers, 1), 0);
      EXPECT_EQ(buffers.back().bytes, bits);
    }
}

TEST_P(LinalgReduction, GivesARowTheSameBitsAloneAndAmongOthers) {
  for (const char *rhs : {"kn", "nk"}) {
    Form all{"mk", rhs, "mn", {{'m', 11}, {'k', 45}, {'n', 27}}}, one = all;
    one.extents['m'] = 1;
    CompiledKernel kernel(*context, all.text(sumOfProducts), GetParam());
    ASSERT_TRUE(kernel.isValid());
    Floats a = Floats::random(engine, f32Storage, {11, 45}), b = Floats::random(engine, f32Storage, all.shape(rhs));
    Floats zeros(f32Storage, {11, 27}, std::vector<float>(11 * 27));
    std::vector<Buffer> buffers = {a.buffer(), b.buffer(), zeros.buffer(), zeros.result({11, 27})};
    ASSERT_EQ(kernel.runAll(buffers), 0);
    std::vector<float> together = buffers.back().as<float>();
    for (int64_t row = 0; row < 11; ++row) {
      Floats single(f32Storage, {1, 45}, {a.values.begin() + row * 45, a.values.begin() + (row + 1) * 45});
      Floats zero(f32Storage, {1, 27}, std::vector<float>(27));
      std::vector<Buffer> alone = {single.buffer(), b.buffer(), zero.buffer(), zero.result({1, 27})};
      ASSERT_EQ(kernel.runAll(alone), 0);
      EXPECT_EQ(alone.back().as<float>(),
                std::vector<float>(together.begin() + row * 27, together.begin() + (row + 1) * 27));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, LinalgReduction, testing::Values(avx2, avx512),
                         [](const auto &info) { return "Lanes" + std::to_string(info.param.lanes); });

} // namespace
