// Programs with kernels in PTX, through the C API.
#include "fake_cuda.h"
#include "gpu_kernels.h"
#include "runtime_fixture.h"

#include <optional>

using namespace moert::test;

namespace {

SessionPtr makeSessionOn(const ProgramPtr &program, const char *device) {
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.device = device;
  return makeSession(program.get(), options);
}

moert_status_t tryDevice(const ProgramPtr &program, const char *device) {
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.device = device;
  moert_session_t *session = nullptr;
  const moert_status_t status = moert_session_create(program.get(), &options, &session);
  moert_session_destroy(session);
  return status;
}

class Gpu : public testing::TestWithParam<const char *> {
protected:
  Gpu() {
    if (std::string(GetParam()).starts_with("cuda"))
      driver.emplace();
  }

  // Runs a program without inputs.
  moert_status_t run(const ArtifactBuilder &builder, const char *device = GetParam()) {
    program = open(builder.build());
    session = makeSessionOn(program, device);
    return moert_session_run(session.get(), nullptr, 0, nullptr, 0);
  }

  std::optional<FakeCuda> driver;
  ProgramPtr program;
  SessionPtr session;
};

TEST_P(Gpu, AddsVectorsOfAnySize) {
  const ProgramPtr program = open(makeVectorAdd().build());
  const SessionPtr session = makeSessionOn(program, GetParam());
  for (int64_t n : {1000, 1, 0, 129}) {
    std::vector<float> a(static_cast<size_t>(n)), b(a.size(), 0.5f), expected(a.size()), own(a.size() + 1);
    for (size_t i = 0; i < a.size(); ++i)
      expected[i] = 0.5f + (a[i] = static_cast<float>(i));
    const std::vector<int64_t> dims = {n};
    const moert_tensor_view_t inputs[] = {viewOf(a, dims), viewOf(b, dims)};
    moert_tensor_view_t output = {};
    ASSERT_EQ(moert_session_run(session.get(), inputs, 2, &output, 1), MOERT_OK) << moert_last_error();
    EXPECT_EQ(elementsOf<float>(output), expected);
    // The caller's buffer.
    output = {0, 0, nullptr, own.data(), own.size() * sizeof(float)};
    ASSERT_EQ(moert_session_run(session.get(), inputs, 2, &output, 1), MOERT_OK) << moert_last_error();
    EXPECT_EQ(output.data, own.data());
    EXPECT_EQ(elementsOf<float>(output), expected);
  }
}

TEST_P(Gpu, ReportsAnIndexOutOfRange) {
  const ProgramPtr program = open(makeGather(4).build());
  const SessionPtr session = makeSessionOn(program, GetParam());
  std::vector<float> table = {10, 11, 12, 13};
  const std::vector<int64_t> four = {4}, three = {3};
  for (int64_t index : {int64_t(3), int64_t(4), int64_t(-1), int64_t(2)}) {
    std::vector<int64_t> indices = {0, index, 1};
    const moert_tensor_view_t inputs[] = {viewOf(table, four), viewOf(indices, three)};
    moert_tensor_view_t output = {};
    if (index < 0 || index > 3) {
      EXPECT_FAILS(moert_session_run(session.get(), inputs, 2, &output, 1), MOERT_RUN_FAILED,
                   "node '/embed/Gather', kernel 'gather': an index lies outside the tensor it indexes");
      continue;
    }
    ASSERT_EQ(moert_session_run(session.get(), inputs, 2, &output, 1), MOERT_OK) << moert_last_error();
    EXPECT_EQ(elementsOf<float>(output), (std::vector<float>{10, table[static_cast<size_t>(index)], 11}));
  }
}

TEST_P(Gpu, LaunchHasItsWorkspaceFlagsAndTasks) {
  ASSERT_EQ(run(makeSingleLaunch("shl.b64 %d1, %thread, 2; add.s64 %d2, %workspace, %d1; add.s64 %d3, %in1, %d1;\n"
                                 "add.s64 %d4, %flags, %d1; ld.global.u32 %r4, [%d4]; cvt.rn.f32.u32 %f1, %r4;\n"
                                 "cvt.rn.f32.u64 %f2, %tasks; add.rn.f32 %f1, %f1, %f2;\n"
                                 "st.global.f32 [%d2], %f1; ld.global.f32 %f3, [%d2]; st.global.f32 [%d3], %f3;",
                                 128)),
            MOERT_OK)
      << moert_last_error();
  moert_tensor_view_t output;
  ASSERT_EQ(moert_session_output(session.get(), 0, &output), MOERT_OK);
  EXPECT_EQ(elementsOf<float>(output), std::vector<float>(32, 1.0f));
  uint64_t bytes = 0;
  ASSERT_EQ(moert_session_estimate(session.get(), nullptr, 0, &bytes), MOERT_OK) << moert_last_error();
  EXPECT_GE(bytes, 256u + 128u);
  EXPECT_GE(moert_session_memory(session.get()), bytes);
}

TEST_P(Gpu, TracesLaunches) {
  const ProgramPtr program = open(makeSingleLaunch("shl.b64 %d1, %thread, 2; add.s64 %d2, %in1, %d1;\n"
                                                   "mov.f32 %f1, 0f3F800000; st.global.f32 [%d2], %f1;")
                                      .build());
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.device = GetParam();
  int launches = 0;
  options.trace_context = &launches;
  options.trace = [](void *context, const moert_trace_dispatch_t *dispatch) {
    ++*static_cast<int *>(context);
    EXPECT_STREQ(dispatch->node, "/layer/MatMul");
    EXPECT_STREQ(dispatch->kernel, "single");
    EXPECT_EQ(dispatch->blocks, 1);
    EXPECT_EQ(dispatch->task_count, 0u);
    EXPECT_EQ(dispatch->weight_count, 1u);
    EXPECT_LE(dispatch->begin_ns, dispatch->end_ns);
  };
  const SessionPtr session = makeSession(program.get(), options);
  EXPECT_EQ(moert_session_run(session.get(), nullptr, 0, nullptr, 0), MOERT_OK) << moert_last_error();
  EXPECT_EQ(launches, 1);
}

INSTANTIATE_TEST_SUITE_P(Devices, Gpu, testing::Values("emu:sm_80", "emu:sm_80,seed=7", "cuda", "cuda:0"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
                           return name;
                         });

// What only the emulated GPU notices.
class Emu : public Gpu {};
INSTANTIATE_TEST_SUITE_P(Devices, Emu, testing::Values("emu:sm_80"), [](const auto &) { return "sm_80"; });

TEST_P(Emu, FaultsNameNodeAndKernel) {
  const std::string where = "node '/layer/MatMul', kernel 'single': ";
  struct Case {
    const char *body, *message;
    uint32_t workspaceBytes = 0;
  };
  const Case cases[] = {
      {"shl.b64 %d1, %thread, 3; add.s64 %d2, %in0, %d1; ld.global.f32 %f1, [%d2];", "access to 4 bytes at global"},
      {"shl.b64 %d1, %thread, 2; add.s64 %d2, %in0, %d1; mov.b32 %r4, 0; st.global.u32 [%d2], %r4;",
       "memory that can only be read"},
      {"shl.b64 %d1, %thread, 2; add.s64 %d2, %workspace, %d1; mov.b32 %r4, 0; st.global.u32 [%d2], %r4;",
       "access to 4 bytes at global", 124},
      {"mov.b32 %r4, 3; add.s64 %d1, %flags, 400; st.global.u32 [%d1], %r4;",
       "the kernel left flag 100 at 3, expected 0"},
      {"mov.b32 %r4, 2; st.global.u32 [%status], %r4;", "a value for which the operator is undefined"},
  };
  for (const Case &entry : cases) {
    EXPECT_FAILS(run(makeSingleLaunch(entry.body, entry.workspaceBytes)), MOERT_RUN_FAILED, where);
    EXPECT_FAILS(moert_session_run(session.get(), nullptr, 0, nullptr, 0), MOERT_RUN_FAILED, entry.message);
  }
}

TEST_P(Emu, EndsBlocksBeyondTheLimit) {
  const char *body = "mov.b32 %r4, 0;\nagain: add.s32 %r4, %r4, 1; setp.lt.u32 %p1, %r4, 100;\n@%p1 bra again;\n"
                     "shl.b64 %d1, %thread, 2; add.s64 %d2, %in1, %d1; st.global.u32 [%d2], %r4;";
  EXPECT_EQ(run(makeSingleLaunch(body), "emu:sm_80,limit=1000"), MOERT_OK) << moert_last_error();
  EXPECT_FAILS(run(makeSingleLaunch(body), "emu:sm_80,limit=200"), MOERT_RUN_FAILED, "no end after 200 instructions");
}

TEST_P(Emu, OutputsMustBeWritten) {
  EXPECT_FAILS(run(makeSingleLaunch("setp.eq.u64 %p1, %thread, 5; @%p1 bra done; shl.b64 %d1, %thread, 2;\n"
                                    "add.s64 %d2, %in1, %d1; mov.b32 %r4, 0; st.global.u32 [%d2], %r4;")),
               MOERT_RUN_FAILED, "output 'y': byte 20 of the 128 at address");
}

TEST(DeviceChoice, NamesWhatIsWrong) {
  const ProgramPtr gpuOnly = open(makeVectorAdd().build()), cpuOnly = open(makeIncrementProgram().build());
  EXPECT_STREQ(moert_program_variant(gpuOnly.get()), "sm_80");
  EXPECT_FAILS(tryDevice(gpuOnly, nullptr), MOERT_UNSUPPORTED, "the file has code for GPUs only");
  EXPECT_FAILS(tryDevice(cpuOnly, "tpu"), MOERT_INVALID_ARGUMENT, "unknown device 'tpu', this build has: cpu, cuda");
  EXPECT_FAILS(tryDevice(cpuOnly, "cpu:1"), MOERT_INVALID_ARGUMENT, "device 'cpu:1': expected nothing behind 'cpu'");
  EXPECT_EQ(tryDevice(cpuOnly, "cpu"), MOERT_OK);
  EXPECT_FAILS(tryDevice(cpuOnly, "emu:sm_80"), MOERT_UNSUPPORTED, "the file has no code for GPUs");
  EXPECT_FAILS(tryDevice(gpuOnly, "emu:sm_10"), MOERT_INVALID_ARGUMENT, "unknown emulated GPU 'sm_10', expected sm_80");
  EXPECT_FAILS(tryDevice(gpuOnly, "emu:sm_80,speed=1"), MOERT_INVALID_ARGUMENT,
               "'speed=1', expected seed=NUMBER or limit=NUMBER");
  EXPECT_FAILS(tryDevice(gpuOnly, "emu:sm_80,seed=1,limit=1x"), MOERT_INVALID_ARGUMENT, "'limit=1x', expected");
}

TEST(DeviceChoice, ChecksTheCode) {
  ArtifactBuilder builder = makeVectorAdd();
  auto tryCode = [&](const char *variant, uint32_t capability, const std::string &ptx, uint32_t sharedBytes) {
    builder.gpuVariant(variant, capability, ptx, {builder.gpuEntry("add", 128, sharedBytes)});
    return tryDevice(open(builder.build()), "emu:sm_80");
  };
  const std::string good = makeModule({makeEntry("add", 3, 1, "")});
  EXPECT_EQ(tryCode("sm_80", 80, good, 0), MOERT_OK) << moert_last_error();
  EXPECT_FAILS(tryCode("sm_90a", 90, good, 0), MOERT_UNSUPPORTED,
               "a GPU of compute capability 8.0 cannot run any GPU variant of the file: sm_90a");
  EXPECT_FAILS(tryCode("sm_80a", 75, good, 0), MOERT_UNSUPPORTED, "cannot run any GPU variant");
  EXPECT_FAILS(tryCode("sm_80", 80, ".version 7.0 nonsense", 0), MOERT_UNSUPPORTED, "PTX of sm_80: ");
  EXPECT_FAILS(tryCode("sm_80", 80, makeModule({makeEntry("sub", 3, 1, "")}), 0), MOERT_INVALID_FILE,
               "PTX of sm_80: no entry 'add' for kernel 'add'");
  EXPECT_FAILS(tryCode("sm_80", 80, makeModule({makeEntry("add", 3, 0, "")}), 0), MOERT_INVALID_FILE,
               "entry 'add' has 7 parameters, expected 8");
  EXPECT_FAILS(tryCode("sm_80", 80, good, 200 << 10), MOERT_UNSUPPORTED,
               "entry 'add' needs 204800 bytes of shared memory, sm_80 has 166912");
}

} // namespace
