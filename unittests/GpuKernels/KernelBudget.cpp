//===- KernelBudget.cpp - what ptxas may make of a kernel -------------------===//
//
// A cubin is an ELF file with a section of code for each entry. NVIDIA does not document the encoding; opcodes and the
// displacement of branches were found by comparing what ptxas makes of small kernels.
//
//===----------------------------------------------------------------------===//

#include "KernelBudget.h"

#include "moec/Target/Cuda/CudaTarget.h"
#include "llvm/Object/ELFObjectFile.h"
#include "gtest/gtest.h"

using namespace moec::test;

static constexpr uint32_t matrixProduct = 0x23c, loadMatrix = 0x83b, loadShared = 0x984, loadLocal = 0x983,
                          storeLocal = 0x387, copyAsync = 0xfae, branch = 0x947;
static constexpr int64_t instructionBytes = 16;

static uint32_t opcodeAt(llvm::StringRef code, int64_t at) {
  return llvm::support::endian::read32le(code.data() + at) & 0xfff;
}

/// The loops of one function: from the target of each branch back to the branch, without those around others.
static void findLoops(llvm::StringRef code, std::vector<LoopOpcodes> &loops) {
  std::vector<std::pair<int64_t, int64_t>> found;
  for (int64_t at = 0; at + instructionBytes <= int64_t(code.size()); at += instructionBytes) {
    auto displacement = int32_t(llvm::support::endian::read32le(code.data() + at + 4));
    // The last instruction of a function branches to itself.
    if (opcodeAt(code, at) == branch && displacement < -instructionBytes && at + instructionBytes + displacement >= 0)
      found.push_back({at + instructionBytes + displacement, at + instructionBytes});
  }
  for (auto [begin, end] : found) {
    bool isInnermost = llvm::none_of(found, [&, begin = begin, end = end](auto other) {
      return other != std::pair(begin, end) && other.first >= begin && other.second <= end;
    });
    if (!isInnermost)
      continue;
    LoopOpcodes &opcodes = loops.emplace_back();
    for (int64_t at = begin; at < end; at += instructionBytes)
      ++opcodes[opcodeAt(code, at)];
  }
}

std::vector<LoopOpcodes> moec::test::findInnermostLoops(llvm::StringRef cubin) {
  std::vector<LoopOpcodes> loops;
  auto object = llvm::object::ELFFile<llvm::object::ELF64LE>::create(cubin);
  if (!object) {
    llvm::consumeError(object.takeError());
    return loops;
  }
  auto sections = object->sections();
  if (!sections) {
    llvm::consumeError(sections.takeError());
    return loops;
  }
  for (const auto &section : *sections) {
    auto name = object->getSectionName(section);
    auto bytes = object->getSectionContents(section);
    if (!name || !bytes) {
      llvm::consumeError(name.takeError());
      llvm::consumeError(bytes.takeError());
    } else if (name->starts_with(".text.")) {
      findLoops(llvm::toStringRef(*bytes), loops);
    }
  }
  return loops;
}

/// The loop that multiplies most in one round, as its opcodes.
static LoopOpcodes findTallestLoop(const AssemblerReport &report) {
  LoopOpcodes tallest;
  for (LoopOpcodes &loop : findInnermostLoops(report.cubin))
    if (loop[matrixProduct] > tallest[matrixProduct])
      tallest = loop;
  return tallest;
}

void moec::test::checkBudget(const GpuKernelRunner &runner, const KernelBudget &budget) {
  if (moec::findPtxAssembler().empty())
    GTEST_SKIP() << "ptxas not found";
  EXPECT_LE(runner.getSharedBytes(), budget.sharedBytes);
  for (const char *chip : {"sm_80", "sm_90", "sm_100"}) {
    AssemblerReport report = runner.assemble(chip);
    ASSERT_TRUE(report.assembled) << report.log;
    EXPECT_EQ(report.spillBytes, 0) << chip << ", " << report.registers << " registers";
    testing::Test::RecordProperty(std::string("registers_") + chip, static_cast<int>(report.registers));
    if (llvm::StringRef(chip) != "sm_80")
      continue;
    EXPECT_LE(report.registers, budget.registers);
    if (budget.productsPerLoad == 0)
      continue;
    LoopOpcodes loop = findTallestLoop(report);
    int64_t loads = loop[loadMatrix] + loop[loadShared];
    EXPECT_GT(loop[copyAsync], 0) << "the loop copies nothing ahead";
    EXPECT_EQ(loop[loadLocal] + loop[storeLocal], 0);
    EXPECT_GE(loop[matrixProduct], budget.productsPerLoad * loads) << loop[matrixProduct] << " products, " << loads;
  }
}
