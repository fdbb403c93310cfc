//===- MatmulScheduleTest.cpp - what the cost model chooses -----------------===//

#include "GpuKernelRunner.h"
#include "MatmulCost.h"
#include "MatmulProducts.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace moec;

namespace {

/// A product by packed weights: one group, or so many experts with `perToken` rows each token.
struct Shape {
  int64_t experts, columns, inner, perToken;
  const char *x = "bf16", *w = "bf16";
};

class MatmulScheduleTest : public testing::Test {
protected:
  MatmulProblem problemOf(const Shape &shape, const step::GpuMachine &machine) {
    std::string x = llvm::formatv("tensor<?x{0}x{1}>", shape.inner, shape.x);
    std::string w = llvm::formatv("tensor<{0}x{1}x{2}x16x{3}>", shape.experts, llvm::divideCeil(shape.columns, 16),
                                  shape.inner, shape.w);
    std::string offsets = llvm::formatv("tensor<{0}xi32>", shape.experts + 1);
    bool isGrouped = shape.experts > 1;
    std::string text = "func.func @main(%x: " + x + ", %w: " + w + ", %o: " + offsets + ", %p: tensor<?xi32>) {\n" +
                       " %r = moe.grouped_matmul %x by %w " + (isGrouped ? "offsets %o order %p " : "") +
                       llvm::formatv("columns {0} activation(<kind = identity>) ", shape.columns).str() +
                       llvm::formatv("{{rows_per_token = {0} : i64} : (", shape.perToken).str() + x + ", " + w +
                       (isGrouped ? ", " + offsets + ", tensor<?xi32>" : "") +
                       llvm::formatv(") -> tensor<?x{0}x{1}>\n return\n}", shape.columns, shape.x).str();
    modules.push_back(parseSourceString<ModuleOp>(text, context.get()));
    moe::GroupedMatmulOp found;
    if (modules.back())
      modules.back()->walk([&](moe::GroupedMatmulOp op) { found = op; });
    EXPECT_TRUE(found) << text;
    return MatmulProblem(found, machine);
  }

  std::unique_ptr<MLIRContext> context = test::makeGpuContext();
  std::vector<OwningOpRef<ModuleOp>> modules;
  const step::GpuMachine &sm80 = *step::findGpuMachine("sm_80");
};

const Shape olmoeDown{64, 2048, 1024, 8}, dense{1, 2048, 2048, 1}, small{8, 128, 64, 2};

TEST_F(MatmulScheduleTest, SplitsSumsOnlyWhereTilesAreFew) {
  EXPECT_EQ(MatmulSchedule(problemOf(olmoeDown, sm80), sm80).chunks, 1);
  MatmulSchedule few(problemOf(dense, sm80), sm80);
  EXPECT_GT(few.chunks, 1);
  EXPECT_GE(2 * few.chunks * few.columnBlocks, sm80.processors);
  step::GpuMachine smaller = sm80;
  smaller.processors = 8;
  smaller.memoryBytesPerCycle = 100;
  EXPECT_EQ(MatmulSchedule(problemOf(dense, smaller), smaller).chunks, 1);
}

TEST_F(MatmulScheduleTest, CutIsTheCheapest) {
  for (const Shape &shape : {olmoeDown, dense, small, Shape{1, 50304, 2048, 1}, Shape{1, 256, 7168, 1}}) {
    MatmulProblem problem = problemOf(shape, sm80);
    MatmulCost cost(problem, sm80);
    MatmulCut chosen = cost.chooseCut();
    int64_t active = std::min<int64_t>(shape.experts, std::max<int64_t>(shape.experts >= 32 ? 6 : 2, shape.perToken));
    double cycles = cost.launchCycles(chosen, active, active, 32);
    for (int64_t panels : {4, 8})
      for (int64_t chunks = 1; chunks <= std::clamp<int64_t>(problem.steps() / 8, 1, 8); ++chunks)
        EXPECT_LE(0.97 * cycles, cost.launchCycles({panels, chunks}, active, active, 32)) << panels << " " << chunks;
  }
}

TEST_F(MatmulScheduleTest, TilesGrowWithRows) {
  for (const Shape &shape : {olmoeDown, dense, Shape{8, 14336, 4096, 2}}) {
    MatmulProblem problem = problemOf(shape, sm80);
    MatmulSchedule schedule(problem, sm80);
    MatmulCost cost(problem, sm80);
    EXPECT_EQ(schedule.heights.back().tokens, schedule.bodies.back().tokens);
    for (int64_t rows = 1; rows <= 1 << 16; rows *= 2) {
      auto height = llvm::find_if(schedule.heights, [&](const auto &height) { return rows <= height.rows; });
      auto cycles = [&](int64_t tokens) {
        return cost.launchCycles({schedule.panelsPerBlock, 1}, rows, std::min(rows, shape.experts), tokens);
      };
      for (const MatmulBody &body : schedule.bodies)
        if (body.tokens >= height->tokens) {
          EXPECT_LE(cycles(height->tokens), cycles(body.tokens)) << rows << " rows, " << body.tokens;
        }
    }
  }
}

/// Experts with more rows than others read their weights once as well, where that costs nothing.
TEST_F(MatmulScheduleTest, TilesHoldMoreThanTheAverage) {
  MatmulSchedule schedule(problemOf(olmoeDown, sm80), sm80);
  for (int64_t rows : {512, 1024, 2048, 4096}) {
    auto height = llvm::find_if(schedule.heights, [&](const auto &height) { return rows <= height.rows; });
    EXPECT_GE(height->tokens, 2 * rows / olmoeDown.experts) << rows;
  }
}

/// For each number of rows the smallest body has code for the octets of each warp, and they are all that there are.
TEST_F(MatmulScheduleTest, WarpsShareTheOctetsThatHaveRows) {
  OpBuilder builder(context.get());
  GpuBlockBuilder block(builder, builder.getUnknownLoc());
  auto module = ModuleOp::create(builder, builder.getUnknownLoc());
  builder.setInsertionPointToStart(module.getBody());
  for (const Shape &shape : {olmoeDown, dense, small}) {
    MatmulSchedule schedule(problemOf(shape, sm80), sm80);
    for (int64_t rows = 1; rows <= schedule.bodies.back().tokens; ++rows) {
      const MatmulBody &body =
          *llvm::find_if(schedule.bodies, [&](const MatmulBody &body) { return body.tokens >= rows; });
      int64_t next = 0;
      for (int64_t warp = 0; warp < 4; warp += body.warpsAcrossColumns) {
        WarpPosition position = locateWarp(block, body, block.i32(32 * warp), block.i32(rows));
        EXPECT_EQ(getConstantIntValue(position.firstOctet), next) << rows << " rows, warp " << warp;
        int64_t octets = getConstantIntValue(position.octets).value_or(-1);
        EXPECT_GE(octets, body.fewestOctets) << rows << " rows, warp " << warp;
        EXPECT_LE(octets, body.octetsPerWarp) << rows << " rows, warp " << warp;
        next += octets;
      }
      EXPECT_EQ(next, int64_t(llvm::divideCeil(rows, 8)));
    }
  }
}

TEST_F(MatmulScheduleTest, RasterReadsLeastWhileAllProcessorsAreBusy) {
  MatmulProblem problem = problemOf(dense, sm80);
  MatmulCost cost(problem, sm80);
  int64_t resident = cost.residentBlocks(), chosen = cost.chooseTilesPerGroup(8, 128);
  auto bytes = [&](int64_t tiles) {
    return tiles * 128 * 64 + int64_t(llvm::divideCeil(resident, tiles)) * 8 * problem.panelStepBytes();
  };
  for (int64_t tiles : {1, 2, 4, 8, 16, 32})
    EXPECT_LE(bytes(chosen), bytes(tiles)) << tiles;
  // Rows of x and weights weigh the same here: nearly a square of tiles.
  EXPECT_EQ(chosen, 16);
}

TEST_F(MatmulScheduleTest, StagesCoverTheLatencyOfMemory) {
  for (const Shape &shape : {olmoeDown, dense, Shape{1, 2048, 2048, 1, "f32", "f32"}}) {
    MatmulProblem problem = problemOf(shape, sm80);
    MatmulSchedule schedule(problem, sm80);
    for (const MatmulBody &body : schedule.bodies) {
      EXPECT_GE(body.stages, MatmulCost(problem, sm80).fewestStages(schedule.panelsPerBlock)) << body.tokens;
      EXPECT_LE(body.stages * schedule.stageBytes(body.tokens), schedule.sharedBytes);
    }
    EXPECT_LE(2 * (schedule.sharedBytes + 1024), sm80.sharedBytesPerProcessor);
  }
}

TEST_F(MatmulScheduleTest, BlocksStayWhereTilesAreShort) {
  MatmulSchedule schedule(problemOf(small, sm80), sm80);
  EXPECT_EQ(schedule.persistentBlocks, 2 * sm80.processors);
  EXPECT_EQ(MatmulSchedule(problemOf(olmoeDown, sm80), sm80).persistentBlocks, 0);
}

TEST_F(MatmulScheduleTest, SinglePrecisionIsWhateverIsFaster) {
  Shape shape{4, 64, 64, 1, "f32", "f32"}, narrow{4, 64, 64, 1, "f32", "bf16"};
  EXPECT_EQ(problemOf(shape, sm80).arithmetic, MatmulArithmetic::Tf32);
  step::GpuMachine plain = sm80;
  plain.matrixProducts = 256;
  plain.plainProducts = 64;
  EXPECT_EQ(problemOf(shape, plain).arithmetic, MatmulArithmetic::Fma);
  plain.plainProducts = 48;
  EXPECT_EQ(problemOf(shape, plain).arithmetic, MatmulArithmetic::Fma);
  EXPECT_EQ(problemOf(narrow, plain).arithmetic, MatmulArithmetic::Tf32);
  step::GpuMachine wished = sm80;
  wished.plainF32 = true;
  EXPECT_EQ(problemOf(shape, wished).arithmetic, MatmulArithmetic::Fma);
  EXPECT_EQ(problemOf(olmoeDown, wished).arithmetic, MatmulArithmetic::Matrix16);
}

} // namespace
