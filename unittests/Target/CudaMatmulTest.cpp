//===- CudaMatmulTest.cpp - a bf16 matrix product from MLIR on the emulated GPU -===//
//
// The kernel multiplies with mma.sync, feeds it by cp.async and ldmatrix through two stages of shared memory, and masks
// sizes that are no multiples of its tiles. Broken copies of it show that the emulator would notice.
//
//===----------------------------------------------------------------------===//

#include "NvvmModule.h"

#include "devices/emu/emulator.h"
#include "devices/emu/float_bits.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace moert;
using namespace moert::emu;

namespace {

constexpr uint32_t tile = 32, threads = 128;

const std::string &getPtx() {
  static const std::string ptx = [] {
    llvm::Expected<std::string> compiled = moec::test::compileToPtx(MOEC_TEST_INPUTS "/matmul-bf16.mlir", "sm_80");
    if (compiled)
      return *compiled;
    ADD_FAILURE() << llvm::toString(compiled.takeError());
    return std::string();
  }();
  return ptx;
}

struct Problem {
  int32_t rows, columns, depth;
};

/// Random operands of a product, and the product itself in double precision.
struct Operands {
  explicit Operands(Problem problem)
      : problem(problem), pitch((problem.depth + 7) / 8 * 8), a(size_t(problem.rows) * pitch),
        b(size_t(problem.columns) * pitch) {
    std::mt19937 random(problem.rows * 31 + problem.columns * 7 + problem.depth);
    std::normal_distribution<float> normal;
    // Between the rows lie NaNs that nothing may read.
    for (std::vector<uint16_t> *matrix : {&a, &b})
      for (size_t i = 0; i < matrix->size(); ++i)
        (*matrix)[i] = int32_t(i % pitch) < problem.depth ? toBf16(normal(random)) : 0x7fff;
  }

  /// The sum, and the sum of magnitudes that its rounding errors are measured by.
  std::pair<double, double> compute(int32_t row, int32_t column) const {
    double sum = 0, magnitude = 0;
    for (int32_t k = 0; k < problem.depth; ++k) {
      const double product = double(fromBf16(a[size_t(row) * pitch + k])) * fromBf16(b[size_t(column) * pitch + k]);
      sum += product;
      magnitude += std::fabs(product);
    }
    return {sum, magnitude};
  }

  Problem problem;
  int32_t pitch;
  std::vector<uint16_t> a, b;
};

class Device {
public:
  Status run(llvm::StringRef ptx, const Operands &operands, uint64_t seed, std::vector<float> &result) {
    Module module;
    MOERT_TRY(Module::load(ptx, module));
    const Kernel *kernel = module.findKernel("matmul");
    EXPECT_NE(kernel, nullptr);
    const Problem &problem = operands.problem;
    GlobalMemory &memory = emulator.getMemory();
    result.resize(size_t(problem.rows) * problem.columns);
    const uint64_t a = memory.allocate(operands.a.size() * 2), b = memory.allocate(operands.b.size() * 2);
    const uint64_t c = memory.allocate(result.size() * 4);
    MOERT_TRY(memory.write(a, std::as_bytes(std::span(operands.a))));
    MOERT_TRY(memory.write(b, std::as_bytes(std::span(operands.b))));
    const void *arguments[] = {&a, &b, &c, &problem.rows, &problem.columns, &problem.depth, &operands.pitch};
    const LaunchShape shape = {
        {(problem.columns + tile - 1) / tile, (problem.rows + tile - 1) / tile, 1}, {threads, 1, 1}, 0};
    MOERT_TRY(emulator.launch(*kernel, shape, arguments, {.seed = seed}, report));
    return memory.read(c, std::as_writable_bytes(std::span(result)));
  }

  LaunchReport report;

private:
  Emulator emulator;
};

/// Largest error in units of the bound for sums of `depth` products in f32, in any order; infinite if a NaN came out.
double findError(const Operands &operands, const std::vector<float> &result) {
  double worst = 0;
  const double unit = std::ldexp(1.0, -24) * (operands.problem.depth + 1);
  for (int32_t row = 0; row < operands.problem.rows; ++row)
    for (int32_t column = 0; column < operands.problem.columns; ++column) {
      const auto [sum, magnitude] = operands.compute(row, column);
      const double error = std::fabs(result[size_t(row) * operands.problem.columns + column] - sum);
      if (std::isnan(error))
        return HUGE_VAL;
      if (error > 0)
        worst = std::max(worst, error / (magnitude * unit));
    }
  return worst;
}

class CudaMatmulTest : public testing::TestWithParam<Problem> {};

TEST_P(CudaMatmulTest, EqualsReference) {
  const Operands operands(GetParam());
  for (const uint64_t seed : {0, 1, 2}) {
    std::vector<float> result;
    Device device;
    const auto begin = std::chrono::steady_clock::now();
    const Status status = device.run(getPtx(), operands, seed, result);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    ASSERT_TRUE(status.ok()) << status.getMessage();
    const double error = findError(operands, result);
    EXPECT_LE(error, 1.0);
    RecordProperty("error_of_bound_" + std::to_string(seed), std::to_string(error));
    RecordProperty("instructions_" + std::to_string(seed), std::to_string(device.report.instructions));
    RecordProperty("seconds_" + std::to_string(seed), std::to_string(seconds.count()));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CudaMatmulTest,
                         testing::Values(Problem{1, 1, 1}, Problem{16, 8, 16}, Problem{32, 32, 32}, Problem{33, 31, 40},
                                         Problem{7, 100, 0}, Problem{64, 96, 129}, Problem{17, 65, 500},
                                         Problem{128, 128, 256}),
                         [](const auto &info) {
                           return std::to_string(info.param.rows) + "x" + std::to_string(info.param.columns) + "x" +
                                  std::to_string(info.param.depth);
                         });

TEST(CudaMatmulPtx, HasTheVersionAndAlignmentAskedFor) {
  EXPECT_NE(getPtx().find(".version 7.0"), std::string::npos);
  EXPECT_NE(getPtx().find(".target sm_80"), std::string::npos);
  EXPECT_NE(getPtx().find(".shared .align 16 .b8 tile_a"), std::string::npos);
  EXPECT_NE(getPtx().find("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"), std::string::npos);
}

struct Mutation {
  const char *name, *from, *to;
  size_t occurrence;
};

class CudaMatmulMutationTest : public testing::TestWithParam<Mutation> {};

/// A mutation counts as seen if some order of the warps reports a fault or a wrong result.
TEST_P(CudaMatmulMutationTest, IsNoticed) {
  const auto [name, from, to, occurrence] = GetParam();
  std::string ptx = getPtx();
  size_t at = ptx.find(from);
  for (size_t i = 0; i < occurrence && at != std::string::npos; ++i)
    at = ptx.find(from, at + 1);
  ASSERT_NE(at, std::string::npos);
  ptx.replace(at, std::string(from).size(), to);
  const Operands operands({40, 40, 100});
  for (uint64_t seed = 0; seed < 8; ++seed) {
    std::vector<float> result;
    const Status status = Device().run(ptx, operands, seed, result);
    if (!status.ok() || findError(operands, result) > 1.0) {
      RecordProperty("seen_as", status.ok() ? "wrong result" : status.getMessage());
      return;
    }
  }
  FAIL() << "nobody noticed";
}

INSTANTIATE_TEST_SUITE_P(
    Ptx, CudaMatmulMutationTest,
    testing::Values(
        Mutation{"NoWait", "cp.async.wait_group \t1;", "", 0},
        Mutation{"WaitForTooLittle", "cp.async.wait_group \t1;", "cp.async.wait_group 2;", 0},
        Mutation{"NoCommit", "cp.async.commit_group;", "", 1}, Mutation{"NoBarrierBeforeUse", "bar.sync \t0;", "", 0},
        Mutation{"NoBarrierBehindUse", "bar.sync \t0;", "", 1},
        Mutation{"BarrierOfHalfTheWarps", "bar.sync \t0;", "bar.sync 0, 64;", 0},
        Mutation{"LessAlignment", ".shared .align 16 .b8 tile_b", ".shared .align 8 .b8 tile_b", 0},
        Mutation{"SmallerTile", "tile_b[5120]", "tile_b[5088]", 0}, Mutation{"OtherStage", "xor.b32", "or.b32", 0},
        Mutation{"LongerCopy", ", 16, %r", ", 16, 16; //", 2},
        Mutation{"ShorterLoop", "setp.lt.s32 \t%p8", "setp.gt.s32 %p8", 0}, Mutation{"OtherHalfOfK", "+32];", "];", 0}),
    [](const auto &info) { return info.param.name; });

#ifdef MOEC_PTXAS
TEST(CudaMatmulPtx, AssemblesWithoutSpills) {
  llvm::SmallString<128> ptx, log;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("matmul", "ptx", ptx));
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("matmul", "log", log));
  std::error_code error;
  llvm::raw_fd_ostream(ptx, error) << getPtx();
  const std::optional<llvm::StringRef> redirects[] = {std::nullopt, log.str(), log.str()};
  const int exitCode = llvm::sys::ExecuteAndWait(MOEC_PTXAS, {MOEC_PTXAS, "-v", "-arch=sm_80", ptx, "-o", "/dev/null"},
                                                 std::nullopt, redirects);
  auto text = llvm::MemoryBuffer::getFile(log);
  llvm::sys::fs::remove(ptx);
  llvm::sys::fs::remove(log);
  ASSERT_TRUE(text);
  EXPECT_EQ(exitCode, 0) << (*text)->getBuffer().str();
  EXPECT_TRUE((*text)->getBuffer().contains("0 bytes spill stores, 0 bytes spill loads")) << (*text)->getBuffer().str();
}
#else
TEST(CudaMatmulPtx, AssemblesWithoutSpills) { GTEST_SKIP() << "ptxas not found"; }
#endif

} // namespace
