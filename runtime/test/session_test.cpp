// Runs: inputs, outputs, threads, callbacks, and what goes wrong.
#include "runtime_fixture.h"

#include <atomic>
#include <sched.h>
#include <thread>

using namespace moert::test;

namespace {

std::vector<float> runRows(moert_session_t *session, std::vector<float> elements) {
  const std::vector<int64_t> dims = {static_cast<int64_t>(elements.size() / 3), 3};
  const moert_tensor_view_t input = viewOf(elements, dims);
  EXPECT_EQ(moert_session_run(session, &input, 1, nullptr, 0), MOERT_OK) << moert_last_error();
  moert_tensor_view_t output;
  EXPECT_EQ(moert_session_output(session, 0, &output), MOERT_OK) << moert_last_error();
  EXPECT_EQ(output.rank, 2u);
  EXPECT_EQ(output.dims[0], dims[0]);
  return elementsOf<float>(output);
}

TEST(Session, RunsAKernelOnAnyNumberOfThreads) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  for (uint32_t threads : {1u, 2u, 5u}) {
    const SessionPtr session = makeSession(program.get(), threads);
    for (size_t rows : {1u, 2u, 7u, 1000u, 0u, 3u}) {
      std::vector<float> expected(rows * 3, 3.0f);
      EXPECT_EQ(runRows(session.get(), std::vector<float>(rows * 3, 2.0f)), expected);
    }
  }
}

TEST(Session, KeepsItsProgramAlive) {
  ProgramPtr program = open(makeIncrementProgram().build());
  const SessionPtr session = makeSession(program.get());
  program.reset();
  EXPECT_EQ(runRows(session.get(), {1, 2, 3}), (std::vector<float>{2, 3, 4}));
}

TEST(Session, WritesToTheCallersBuffer) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  const SessionPtr session = makeSession(program.get());
  std::vector<float> elements = {1, 2, 3};
  const std::vector<int64_t> dims = {1, 3};
  const moert_tensor_view_t input = viewOf(elements, dims);
  alignas(64) float memory[32];
  for (size_t shift : {0, 1}) { // aligned, and not
    moert_tensor_view_t output = {0, 0, nullptr, memory + shift, 3 * sizeof(float)};
    ASSERT_EQ(moert_session_run(session.get(), &input, 1, &output, 1), MOERT_OK) << moert_last_error();
    EXPECT_EQ(output.data, memory + shift);
    EXPECT_EQ(elementsOf<float>(output), (std::vector<float>{2, 3, 4}));
    EXPECT_EQ(output.rank, 2u);
  }
  moert_tensor_view_t output = {0, 0, nullptr, memory, 11};
  EXPECT_FAILS(moert_session_run(session.get(), &input, 1, &output, 1), MOERT_BUFFER_TOO_SMALL,
               "output 'y' of extents 1x3 needs 12 bytes, the buffer has 11");
}

TEST(Session, AcceptsUnalignedInputs) {
  const ProgramPtr program = open(makeCopyProgram().build());
  const SessionPtr session = makeSession(program.get());
  std::vector<float> elements = {0, 1, 2, 3};
  const std::vector<int64_t> dims = {1, 3};
  moert_tensor_view_t input = {MOERT_F32, 2, dims.data(), elements.data() + 1, 12};
  ASSERT_EQ(moert_session_run(session.get(), &input, 1, nullptr, 0), MOERT_OK) << moert_last_error();
  moert_tensor_view_t output;
  ASSERT_EQ(moert_session_output(session.get(), 0, &output), MOERT_OK);
  EXPECT_EQ(elementsOf<float>(output), (std::vector<float>{1, 2, 3}));
}

TEST(Session, RefusesWrongInputs) {
  ArtifactBuilder builder;
  const int64_t batch = -1 - int64_t(builder.symbol("batch"));
  builder.input("a", MOERT_F32, {batch, 2});
  builder.input("b", MOERT_F32, {3, batch});
  builder.steps.step(MOERT_STEP_RETURN, {});
  const ProgramPtr program = open(builder.build());
  const SessionPtr session = makeSession(program.get());
  std::vector<float> four(4), twelve(12), nine(9);
  const std::vector<int64_t> a = {2, 2}, b = {3, 4}, line = {4}, negative = {-2, 2};
  std::vector<int64_t> integers(4);
  auto run = [&](moert_tensor_view_t first, moert_tensor_view_t second) {
    const moert_tensor_view_t inputs[] = {first, second};
    return moert_session_run(session.get(), inputs, 2, nullptr, 0);
  };
  EXPECT_FAILS(run(viewOf(four, a), viewOf(twelve, b)), MOERT_BAD_INPUT,
               "input 'b' axis 1: extent 4 for 'batch', expected 2 as in input 'a' axis 0");
  EXPECT_FAILS(run(viewOf(four, a), viewOf(four, a)), MOERT_BAD_INPUT, "input 'b' axis 0: extent 2, expected 3");
  EXPECT_FAILS(run(viewOf(four, line), viewOf(twelve, b)), MOERT_BAD_INPUT, "input 'a': rank 1, expected 2");
  EXPECT_FAILS(run(viewOf(integers, a), viewOf(twelve, b)), MOERT_BAD_INPUT,
               "input 'a': element type i64, expected f32");
  EXPECT_FAILS(run(viewOf(four, negative), viewOf(twelve, b)), MOERT_BAD_INPUT, "extent -2 is negative");
  EXPECT_FAILS(run(viewOf(nine, a), viewOf(twelve, b)), MOERT_BAD_INPUT,
               "input 'a': 36 bytes, expected 16 for extents 2x2");
  moert_tensor_view_t null = viewOf(four, a);
  null.data = nullptr;
  EXPECT_FAILS(run(null, viewOf(twelve, b)), MOERT_INVALID_ARGUMENT, "input 'a': data is null");
  null.dims = nullptr;
  EXPECT_FAILS(run(null, viewOf(twelve, b)), MOERT_INVALID_ARGUMENT, "input 'a': dims are null");
  const moert_tensor_view_t one = viewOf(four, a);
  EXPECT_FAILS(moert_session_run(session.get(), &one, 1, nullptr, 0), MOERT_BAD_INPUT, "1 inputs, expected 2");
  EXPECT_FAILS(moert_session_run(session.get(), nullptr, 2, nullptr, 0), MOERT_INVALID_ARGUMENT, "inputs is null");
}

TEST(Session, CanBeCancelled) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  uint64_t calls = 0;
  options.progress_context = &calls;
  options.progress = [](void *context, uint64_t) { return int(++*static_cast<uint64_t *>(context) == 1); };
  const SessionPtr session = makeSession(program.get(), options);
  std::vector<float> elements(3);
  const std::vector<int64_t> dims = {1, 3};
  const moert_tensor_view_t input = viewOf(elements, dims);
  EXPECT_FAILS(moert_session_run(session.get(), &input, 1, nullptr, 0), MOERT_CANCELLED, "the run was cancelled");
  moert_tensor_view_t output;
  EXPECT_FAILS(moert_session_output(session.get(), 0, &output), MOERT_INVALID_ARGUMENT, "output 'y' is not available");
  EXPECT_EQ(runRows(session.get(), {1, 2, 3}), (std::vector<float>{2, 3, 4})); // the next run is not affected
}

TEST(Session, CancelStopsAnEndlessLoop) {
  ArtifactBuilder builder;
  builder.steps.step(MOERT_STEP_JUMP, {0});
  const ProgramPtr program = open(builder.build());
  const SessionPtr session = makeSession(program.get());
  std::atomic<bool> isDone = false;
  std::thread canceller([&] {
    while (!isDone) {
      moert_session_cancel(session.get());
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(moert_session_run(session.get(), nullptr, 0, nullptr, 0), MOERT_CANCELLED);
  isDone = true;
  canceller.join();
}

TEST(Session, ServesOneCallerAtATime) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  struct Context {
    moert_session_t *session = nullptr;
    moert_status_t inner = MOERT_OK;
  } context;
  options.progress_context = &context;
  options.progress = [](void *opaque, uint64_t) {
    auto *known = static_cast<Context *>(opaque);
    known->inner = moert_session_run(known->session, nullptr, 0, nullptr, 0);
    return 0;
  };
  const SessionPtr session = makeSession(program.get(), options);
  context.session = session.get();
  runRows(session.get(), {1, 2, 3});
  EXPECT_EQ(context.inner, MOERT_BUSY);
}

TEST(Session, SessionsShareAProgram) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      const SessionPtr session = makeSession(program.get(), 2);
      for (int round = 0; round < 50; ++round) {
        const auto value = static_cast<float>(i * 100 + round);
        EXPECT_EQ(runRows(session.get(), std::vector<float>(300, value)), std::vector<float>(300, value + 1));
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(Session, UsesTheHostsThreads) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.thread_count = 3;
  int64_t asked = 0;
  options.parallel_for_context = &asked;
  options.parallel_for = [](void *context, int64_t count, void (*body)(void *, int64_t), void *bodyContext) {
    *static_cast<int64_t *>(context) = count;
    for (int64_t i = count; i-- > 0;)
      body(bodyContext, i);
  };
  const SessionPtr session = makeSession(program.get(), options);
  EXPECT_EQ(runRows(session.get(), std::vector<float>(30, 1.0f)), std::vector<float>(30, 2.0f));
  EXPECT_EQ(asked, 3);
}

TEST(Session, TracesEveryTaskOnce) {
  ArtifactBuilder builder = makeIncrementProgram();
  const ProgramPtr program = open(builder.build());
  std::vector<int> claims(1000);
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.thread_count = 3;
  options.trace_context = &claims;
  options.trace = [](void *context, const moert_trace_dispatch_t *dispatch) {
    EXPECT_STREQ(dispatch->node, "add_one");
    EXPECT_STREQ(dispatch->kernel, "increment");
    EXPECT_EQ(dispatch->grid, 1000);
    EXPECT_LE(dispatch->begin_ns, dispatch->end_ns);
    for (size_t i = 0; i < dispatch->task_count; ++i)
      for (int64_t task = dispatch->tasks[i].begin; task < dispatch->tasks[i].end; ++task)
        ++(*static_cast<std::vector<int> *>(context))[static_cast<size_t>(task)];
  };
  const SessionPtr session = makeSession(program.get(), options);
  runRows(session.get(), std::vector<float>(3000));
  EXPECT_EQ(claims, std::vector<int>(1000, 1));
}

TEST(Session, EstimatesItsMemory) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  const SessionPtr session = makeSession(program.get());
  const std::vector<int64_t> dims = {int64_t(1) << 40, 3}; // more than any machine has
  const moert_tensor_view_t input = {MOERT_F32, 2, dims.data(), nullptr, uint64_t(12) << 40};
  uint64_t bytes = 0;
  ASSERT_EQ(moert_session_estimate(session.get(), &input, 1, &bytes), MOERT_OK) << moert_last_error();
  EXPECT_EQ(bytes, uint64_t(12) << 40);

  const ProgramPtr model = open(makeSuccessorModel().build());
  const SessionPtr other = makeSession(model.get());
  const std::vector<int64_t> one = {1, 1};
  const moert_tensor_view_t tokens[] = {{MOERT_I64, 2, one.data(), nullptr, 8}, {MOERT_I64, 2, one.data(), nullptr, 8}};
  EXPECT_FAILS(moert_session_estimate(other.get(), tokens, 2, &bytes), MOERT_UNSUPPORTED,
               "sizes depend on values that only a run computes");
}

TEST(Session, TakesOneThreadForEachProcessorItMayUse) {
  const ProgramPtr program = open(makeCopyProgram().build());
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before))
      CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  const SessionPtr session = makeSession(program.get(), uint32_t(0));
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(moert_session_thread_count(session.get()), 1u);
  EXPECT_EQ(moert_session_thread_count(makeSession(program.get(), 3).get()), 3u);
}

TEST(Session, LimitsThreads) {
  const ProgramPtr program = open(makeCopyProgram().build());
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.thread_count = 5000;
  moert_session_t *session = nullptr;
  EXPECT_FAILS(moert_session_create(program.get(), &options, &session), MOERT_INVALID_ARGUMENT,
               "5000 threads, expected at most 4096");
}

} // namespace
