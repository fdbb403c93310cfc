//===- CudaAssemblerTest.cpp - PTX to cubins, and what the assembler reports -===//

#include "moec/Target/Cuda/CudaTarget.h"

#include <gtest/gtest.h>

using namespace moec;

namespace {

TEST(CudaAssemblerLog, GivesRegistersAndSpillsToEachKernel) {
  llvm::StringMap<GpuEntry> entries;
  entries["plain"];
  entries["spilling"];
  readAssemblerLog("ptxas info    : 0 bytes gmem\n"
                   "ptxas info    : Compiling entry function 'spilling' for 'sm_80'\n"
                   "ptxas info    : Function properties for spilling\n"
                   "    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n"
                   "ptxas info    : Used 255 registers, used 1 barriers, 448 bytes cmem[0]\n"
                   "ptxas info    : Compiling entry function 'other' for 'sm_80'\n"
                   "ptxas info    : Used 7 registers, used 0 barriers\n"
                   "ptxas info    : Compiling entry function 'plain' for 'sm_80'\n"
                   "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
                   "ptxas info    : Used 24 registers, used 0 barriers, 448 bytes cmem[0]\n",
                   entries);
  EXPECT_EQ(entries["spilling"].registers, 255u);
  EXPECT_EQ(entries["spilling"].spillBytes, 20u);
  EXPECT_EQ(entries["plain"].registers, 24u);
  EXPECT_EQ(entries["plain"].spillBytes, 0u);
  EXPECT_EQ(entries.size(), 2u);
}

constexpr char ptx[] = ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k()\n{\n\tret;\n}\n";

TEST(CudaAssembler, MakesAnElfFile) {
  const std::string assembler = findPtxAssembler();
  if (assembler.empty())
    GTEST_SKIP() << "ptxas not found";
  std::string log;
  const std::optional<GpuCubin> cubin = assemblePtx(assembler, ptx, 80, log);
  ASSERT_TRUE(cubin) << log;
  EXPECT_EQ(cubin->computeCapability, 80u);
  EXPECT_EQ(llvm::StringRef(cubin->bytes.data(), 4), "\x7f"
                                                     "ELF");
}

TEST(CudaAssembler, SaysWhatIsWrong) {
  const std::string assembler = findPtxAssembler();
  if (assembler.empty())
    GTEST_SKIP() << "ptxas not found";
  std::string log;
  EXPECT_FALSE(assemblePtx(assembler, ".version 7.0\n.target sm_80\nnonsense\n", 80, log));
  EXPECT_NE(log.find("nonsense"), std::string::npos) << log;
}

TEST(CudaAssembler, ReportsAnAssemblerThatIsMissing) {
  std::string log;
  EXPECT_FALSE(assemblePtx("no-such-ptxas", ptx, 80, log));
  EXPECT_FALSE(log.empty());
}

} // namespace
