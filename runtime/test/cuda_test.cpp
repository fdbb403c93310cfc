// The CUDA device against a driver whose GPU is emulated: what it calls, and what it makes of every failure.
#include "fake_cuda.h"
#include "gpu_kernels.h"
#include "runtime_fixture.h"

using namespace moert::test;
namespace cuda = moert::cuda;

namespace {

class CudaTest : public testing::Test {
protected:
  ~CudaTest() override {
    session.reset();
    EXPECT_EQ(driver.getLeaks(), std::vector<std::string>());
  }

  moert_status_t openSession(const ArtifactBuilder &builder, const char *device = "cuda") {
    session.reset();
    program = open(builder.build());
    moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
    options.device = device;
    moert_session_t *created = nullptr;
    const moert_status_t status = moert_session_create(program.get(), &options, &created);
    session.reset(created);
    return status;
  }
  moert_status_t run() { return moert_session_run(session.get(), nullptr, 0, nullptr, 0); }

  FakeCuda driver;
  ProgramPtr program;
  SessionPtr session;
};

// y[i] = w[i], and `launches` times y[i] = y[i] + `addend` input.
ArtifactBuilder makeChain(int launches) {
  ArtifactBuilder builder;
  builder.input("addend", MOERT_I64, {1});
  builder.weight("w", MOERT_F32, {32}, toBytes(std::vector<float>(32, 1.0f)));
  builder.output("y", MOERT_F32, {32});
  const uint32_t copy = builder.gpuKernel("copy", 2, 0), add = builder.gpuKernel("add", 1, 1);
  const char *copyBody = "shl.b64 %d1, %thread, 2; add.s64 %d2, %in0, %d1; add.s64 %d3, %in1, %d1;\n"
                         "ld.global.f32 %f1, [%d2]; st.global.f32 [%d3], %f1;";
  const char *addBody = "shl.b64 %d1, %thread, 2; add.s64 %d2, %in0, %d1; cvt.rn.f32.s64 %f2, %in1;\n"
                        "ld.global.f32 %f1, [%d2]; add.rn.f32 %f1, %f1, %f2; st.global.f32 [%d2], %f1;";
  builder.gpuVariant("sm_80", 80, makeModule({makeEntry("copy", 2, 0, copyBody), makeEntry("add", 1, 1, addBody)}),
                     {builder.gpuEntry("copy", 32), builder.gpuEntry("add", 32)});
  enum { one, extent, zero, addend, workspace };
  builder.steps.constant(one, 1);
  builder.steps.constant(extent, 32);
  builder.steps.constant(workspace, 1000);
  builder.steps.step(MOERT_STEP_LOAD, {addend, builder.inputSlot(0), zero, MOERT_I64});
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, extent});
  builder.dispatch(copy, one, zero, zero, "copy", {builder.weightSlot(0), builder.slot(0)}, {}, one, workspace);
  for (int i = 0; i < launches; ++i)
    builder.dispatch(add, one, zero, zero, "add_" + std::to_string(i), {builder.slot(0)}, {addend}, one, zero);
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

moert_status_t runChain(moert_session_t *session, int64_t addend, std::vector<float> &result) {
  std::vector<int64_t> value = {addend};
  const std::vector<int64_t> dims = {1};
  const moert_tensor_view_t input = viewOf(value, dims);
  moert_tensor_view_t output = {};
  const moert_status_t status = moert_session_run(session, &input, 1, &output, 1);
  if (status == MOERT_OK)
    result = elementsOf<float>(output);
  return status;
}

TEST_F(CudaTest, NeedsADriverAndADevice) {
  driver.devices = 0;
  EXPECT_FAILS(openSession(makeVectorAdd()), MOERT_UNSUPPORTED,
               "the CUDA driver cannot be initialised: no CUDA-capable device is detected (CUDA error 100)");
  driver.devices = 1;
  EXPECT_FAILS(openSession(makeVectorAdd(), "cuda:1"), MOERT_UNSUPPORTED, "no GPU 1: the CUDA driver sees 1");
  EXPECT_FAILS(openSession(makeVectorAdd(), "cuda:first"), MOERT_INVALID_ARGUMENT,
               "device 'cuda:first': expected the number of a GPU");
  driver.devices = 2;
  EXPECT_EQ(openSession(makeVectorAdd(), "cuda:1"), MOERT_OK) << moert_last_error();
}

TEST_F(CudaTest, RefusesAnOldDriver) {
  driver.version = 10020;
  EXPECT_FAILS(openSession(makeVectorAdd()), MOERT_UNSUPPORTED,
               "the CUDA driver is for CUDA 10.2, expected at least 11.0");
}

TEST_F(CudaTest, NamesAMissingSymbol) {
  driver.missing = {"cuMemcpy2DAsync_v2"};
  EXPECT_FAILS(openSession(makeVectorAdd()), MOERT_UNSUPPORTED, "the CUDA driver has no cuMemcpy2DAsync_v2");
}

TEST(Cuda, NeedsALibrary) {
  moert::cuda::replaceDriver(nullptr);
  const ProgramPtr program = open(makeVectorAdd().build());
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.device = "cuda";
  moert_session_t *session = nullptr;
  if (moert_session_create(program.get(), &options, &session) == MOERT_OK) {
    moert_session_destroy(session);
    GTEST_SKIP() << "this system has a GPU";
  }
  EXPECT_NE(std::string(moert_last_error()).find("CUDA driver"), std::string::npos) << moert_last_error();
}

TEST_F(CudaTest, DoesWithoutPoolsAndGraphs) {
  driver.missing = {"cuMemAllocAsync", "cuGraphLaunch"};
  ASSERT_EQ(openSession(makeChain(5)), MOERT_OK) << moert_last_error();
  std::vector<float> result;
  for (int64_t addend : {1, 2}) {
    ASSERT_EQ(runChain(session.get(), addend, result), MOERT_OK) << moert_last_error();
    EXPECT_EQ(result, std::vector<float>(32, 1.0f + 5.0f * static_cast<float>(addend)));
  }
  EXPECT_EQ(driver.count("cuLaunchKernel"), 12);
  EXPECT_EQ(driver.count("cuMemAllocAsync") + driver.count("cuMemFreeAsync") + driver.count("cuGraphCreate"), 0);
}

TEST_F(CudaTest, ChoosesTheCode) {
  driver.capability = 75;
  EXPECT_FAILS(openSession(makeVectorAdd()), MOERT_UNSUPPORTED,
               "a GPU of compute capability 7.5 cannot run any GPU variant of the file: sm_80");
  driver.capability = 80;
  ArtifactBuilder builder = makeVectorAdd();
  const std::string ptx = makeModule({makeEntry("add", 3, 1, "")});
  const std::vector<char> cubin = {'\x7f', 'E', 'L', 'F'};
  builder.gpuVariant("sm_80", 80, ptx, {builder.gpuEntry("add", 128)}, toBytes(cubin));
  EXPECT_EQ(openSession(builder), MOERT_OK) << moert_last_error();
  EXPECT_EQ(driver.count("cuModuleLoadDataEx"), 2); // the driver does not take the cubin
  driver.capability = 90;
  EXPECT_EQ(openSession(builder), MOERT_OK) << moert_last_error();
  EXPECT_EQ(driver.count("cuModuleLoadDataEx"), 3); // the cubin is for another GPU
  builder.gpuVariant("sm_80", 80, ".version 7.0 nonsense", {builder.gpuEntry("add", 128)});
  EXPECT_FAILS(openSession(builder), MOERT_UNSUPPORTED,
               "PTX of the file: a PTX JIT compilation failed (CUDA error 218)\nline 1: ");
  builder.gpuVariant("sm_80", 80, ptx, {builder.gpuEntry("sub", 128)});
  EXPECT_FAILS(openSession(builder), MOERT_INVALID_FILE, "GPU variant sm_80 has no entry 'sub'");
  builder.gpuVariant("sm_80", 80, ptx, {builder.gpuEntry("add", 128, 200 << 10)});
  EXPECT_FAILS(openSession(builder), MOERT_UNSUPPORTED, "entry 'add' needs 204800 bytes of shared memory, the GPU has");
}

TEST_F(CudaTest, SessionsShareWeights) {
  ASSERT_EQ(openSession(makeChain(1)), MOERT_OK) << moert_last_error();
  const int uploads = driver.count("cuMemcpyHtoDAsync_v2");
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.device = "cuda:0";
  {
    const SessionPtr other = makeSession(program.get(), options);
    EXPECT_EQ(driver.count("cuMemcpyHtoDAsync_v2"), uploads);
    EXPECT_EQ(driver.count("cuModuleLoadDataEx"), 1);
    session.reset();
    std::vector<float> result;
    EXPECT_EQ(runChain(other.get(), 3, result), MOERT_OK) << moert_last_error();
    EXPECT_EQ(result, std::vector<float>(32, 4.0f));
  }
  const SessionPtr again = makeSession(program.get(), options); // all was given back
  EXPECT_EQ(driver.count("cuModuleLoadDataEx"), 2);
}

TEST_F(CudaTest, RepeatedRunsAreAGraph) {
  ASSERT_EQ(openSession(makeChain(5)), MOERT_OK) << moert_last_error();
  std::vector<float> result;
  struct Case {
    int64_t addend;
    int launches, graphs, changes, graphLaunches;
  };
  // The first run launches, the second makes the graph, the others set what is different.
  for (const Case &expected : {Case{1, 6, 0, 0, 0}, {1, 6, 1, 0, 1}, {1, 6, 1, 0, 2}, {7, 6, 1, 5, 3}}) {
    ASSERT_EQ(runChain(session.get(), expected.addend, result), MOERT_OK) << moert_last_error();
    EXPECT_EQ(result, std::vector<float>(32, 1.0f + 5.0f * static_cast<float>(expected.addend)));
    EXPECT_EQ(driver.count("cuLaunchKernel"), expected.launches);
    EXPECT_EQ(driver.count("cuGraphInstantiateWithFlags"), expected.graphs);
    EXPECT_EQ(driver.count("cuGraphExecKernelNodeSetParams"), expected.changes);
    EXPECT_EQ(driver.count("cuGraphLaunch"), expected.graphLaunches);
  }
}

TEST_F(CudaTest, FailuresNameTheLaunch) {
  ASSERT_EQ(openSession(makeChain(2)), MOERT_OK) << moert_last_error();
  std::vector<float> result;
  driver.fail("cuLaunchKernel", cuda::errorLaunchOutOfResources, 1);
  EXPECT_FAILS(runChain(session.get(), 1, result), MOERT_RUN_FAILED,
               "launch: too many resources requested for launch (CUDA error 701)");
  EXPECT_NE(std::string(moert_last_error()).find("node 'add_1', kernel 'add'"), std::string::npos)
      << moert_last_error();
  // The session goes on.
  EXPECT_EQ(runChain(session.get(), 1, result), MOERT_OK) << moert_last_error();
  EXPECT_EQ(result, std::vector<float>(32, 3.0f));
}

TEST_F(CudaTest, IllegalAccessIsAStatus) {
  ASSERT_EQ(openSession(makeSingleLaunch("mov.b32 %r4, 0; mov.b64 %d1, 16; st.global.u32 [%d1], %r4;")), MOERT_OK)
      << moert_last_error();
  EXPECT_FAILS(run(), MOERT_RUN_FAILED,
               "at or before node '/layer/MatMul', kernel 'single': results of launches: an illegal memory access was "
               "encountered (CUDA error 700)");
  EXPECT_FAILS(run(), MOERT_RUN_FAILED, "an illegal memory access"); // such a context is lost
}

TEST_F(CudaTest, OutOfMemoryIsAStatus) {
  driver.fail("cuMemAlloc_v2", cuda::errorOutOfMemory);
  EXPECT_FAILS(openSession(makeChain(1)), MOERT_OUT_OF_MEMORY, "memory for 128 bytes of weights: out of memory");
  ASSERT_EQ(openSession(makeChain(1)), MOERT_OK) << moert_last_error();
  std::vector<float> result;
  driver.fail("cuMemAllocAsync", cuda::errorOutOfMemory, 1);
  EXPECT_FAILS(runChain(session.get(), 1, result), MOERT_OUT_OF_MEMORY,
               "node 'copy': cannot allocate 1024 bytes of workspace");
  EXPECT_EQ(runChain(session.get(), 1, result), MOERT_OK) << moert_last_error();
}

// Each call of each symbol fails once, from opening to the end of a second run.
TEST_F(CudaTest, EveryFailureIsAStatus) {
  const ArtifactBuilder builder = makeChain(5);
#define SYMBOL_NAME(member, name, isRequired, ...) name,
  const char *symbols[] = {MOERT_CUDA_SYMBOLS(SYMBOL_NAME)};
#undef SYMBOL_NAME
  int failures = 0;
  for (const char *symbol : symbols) {
    if (std::string(symbol).find("Destroy") != std::string::npos || std::string(symbol) == "cuModuleUnload" ||
        std::string(symbol) == "cuMemFree_v2" || std::string(symbol) == "cuMemFreeAsync" ||
        std::string(symbol) == "cuCtxPushCurrent_v2")
      continue; // nobody could be told, or nothing be given back
    for (int successes = 0;; ++successes) {
      const int before = driver.count(symbol);
      driver.fail(symbol, cuda::errorLaunchFailed, successes);
      moert_status_t status = openSession(builder);
      std::vector<float> result;
      for (int64_t addend = 0; addend < 3 && status == MOERT_OK; ++addend)
        status = runChain(session.get(), addend, result);
      session.reset();
      program.reset();
      ASSERT_EQ(driver.getLeaks(), std::vector<std::string>()) << symbol << " after " << successes;
      if (driver.count(symbol) - before <= successes)
        break; // it was not called that often
      ++failures;
      const std::string name = symbol;
      // Pools are not needed, an arena asks again for less, and nobody hears the last words of a session.
      const bool isLast = driver.count(symbol) - before == successes + 1;
      const bool mayBeIgnored =
          name == "cuDeviceGetAttribute" || name == "cuMemAllocAsync" || (name == "cuStreamSynchronize" && isLast);
      if (status == MOERT_OK)
        EXPECT_TRUE(mayBeIgnored) << symbol << " after " << successes;
      else
        EXPECT_NE(std::string(moert_last_error()), "") << symbol;
    }
    driver.fail(symbol, cuda::success, 0);
  }
  EXPECT_GT(failures, 60);
}

} // namespace
