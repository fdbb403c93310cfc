// What each step does, and what it refuses when values are wrong.
#include "runtime_fixture.h"
#include "step/binary.h"

#include <functional>
#include <limits>

using namespace moert::test;

namespace {

// Runs a program without inputs whose first output is i64[n], and returns it.
std::vector<int64_t> runForIntegers(const ArtifactBuilder &builder) {
  const ProgramPtr program = open(builder.build());
  const SessionPtr session = makeSession(program.get());
  EXPECT_EQ(moert_session_run(session.get(), nullptr, 0, nullptr, 0), MOERT_OK) << moert_last_error();
  moert_tensor_view_t view;
  if (moert_session_output(session.get(), 0, &view) != MOERT_OK)
    return {};
  return elementsOf<int64_t>(view);
}

// Runs a program without inputs that must fail.
void expectFailure(const ArtifactBuilder &builder, const char *message, moert_status_t status = MOERT_RUN_FAILED) {
  const ProgramPtr program = open(builder.build());
  const SessionPtr session = makeSession(program.get());
  EXPECT_FAILS(moert_session_run(session.get(), nullptr, 0, nullptr, 0), status, message);
}

TEST(Interpreter, LoopsSelectsAndStores) {
  ArtifactBuilder builder;
  builder.output("y", MOERT_I64, {5});
  StepWriter &steps = builder.steps;
  const uint32_t y = builder.slot(0);
  steps.constant(0, 5);
  steps.constant(1, 1);
  steps.step(MOERT_STEP_OUTPUT, {y, 0, 0});
  const uint32_t loop = steps.here(); // y[i] = i < 2 ? -i : 5
  steps.step(MOERT_STEP_BINARY, {3, 4, 2, MOERT_BINARY_SUB});
  steps.constant(5, 2);
  steps.step(MOERT_STEP_BINARY, {6, 2, 5, MOERT_BINARY_LT});
  steps.step(MOERT_STEP_SELECT, {3, 6, 3, 0});
  steps.step(MOERT_STEP_STORE, {y, 2, 3, MOERT_I64});
  steps.step(MOERT_STEP_BINARY, {2, 2, 1, MOERT_BINARY_ADD});
  steps.step(MOERT_STEP_BINARY, {6, 2, 0, MOERT_BINARY_GE});
  steps.step(MOERT_STEP_JUMP_IF_ZERO, {6, loop});
  steps.step(MOERT_STEP_RETURN, {});
  EXPECT_EQ(runForIntegers(builder), (std::vector<int64_t>{0, -1, 5, 5, 5}));
}

TEST(Interpreter, LoadsExtendBySign) {
  const uint32_t types[] = {MOERT_U8, MOERT_I8, MOERT_U16, MOERT_I16, MOERT_U32, MOERT_I32, MOERT_I64, MOERT_BOOL};
  ArtifactBuilder builder;
  builder.output("y", MOERT_I64, {8});
  builder.weight("w", MOERT_U8, {8}, Bytes(8, std::byte(0xfe)));
  builder.steps.constant(0, 8);
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, 0});
  for (uint32_t i = 0; i < 8; ++i) {
    builder.steps.constant(1, i);
    builder.steps.step(MOERT_STEP_LOAD, {2, builder.weightSlot(0), 3, types[i]});
    builder.steps.step(MOERT_STEP_STORE, {builder.slot(0), 1, 2, MOERT_I64});
  }
  builder.steps.step(MOERT_STEP_RETURN, {});
  EXPECT_EQ(runForIntegers(builder),
            (std::vector<int64_t>{0xfe, -2, 0xfefe, -0x102, 0xfefefefe, -0x1010102, -0x101010101010102, 1}));
}

TEST(Interpreter, MovesAndAliasesBuffers) {
  ArtifactBuilder builder;
  builder.output("y", MOERT_I64, {2});
  StepWriter &steps = builder.steps;
  const uint32_t y = builder.slot(0), a = builder.slot(1), b = builder.slot(2), view = builder.slot(3);
  steps.constant(0, 16);
  steps.constant(1, 1);
  steps.constant(2, 2);
  steps.constant(3, 8);
  steps.step(MOERT_STEP_ALLOC, {a, 0});
  steps.step(MOERT_STEP_STORE, {a, 4, 3, MOERT_I64}); // a[0] = 8
  steps.step(MOERT_STEP_STORE, {a, 1, 2, MOERT_I64}); // a[1] = 2
  steps.step(MOERT_STEP_MOVE, {b, a});
  steps.step(MOERT_STEP_ALLOC, {a, 0}); // another buffer
  steps.step(MOERT_STEP_STORE, {a, 4, 4, MOERT_I64});
  steps.step(MOERT_STEP_ALIAS, {view, b, 3});
  steps.step(MOERT_STEP_STORE, {view, 4, 1, MOERT_I64}); // b[1] = 1
  steps.step(MOERT_STEP_OUTPUT, {y, 0, 2});
  steps.step(MOERT_STEP_COPY, {y, 4, b, 4, 0});
  steps.step(MOERT_STEP_FREE, {a});
  steps.step(MOERT_STEP_RETURN, {});
  EXPECT_EQ(runForIntegers(builder), (std::vector<int64_t>{8, 1}));
}

TEST(Interpreter, RefusesBadValues) {
  struct Case {
    const char *message;
    std::function<void(ArtifactBuilder &)> write;
  };
  // Register 0 is 0, 1 is -1, 2 is 8; slot 0 has 8 bytes, slot 1 is empty.
  const Case cases[] = {
      {"division by zero",
       [](auto &b) {
         b.steps.step(MOERT_STEP_BINARY, {3, 2, 0, MOERT_BINARY_FLOORDIV});
       }},
      {"(alloc): size -1 is negative",
       [](auto &b) {
         b.steps.step(MOERT_STEP_ALLOC, {b.slot(1), 1});
       }},
      {"element 8 of 1",
       [](auto &b) {
         b.steps.step(MOERT_STEP_LOAD, {3, b.slot(0), 2, MOERT_I64});
       }},
      {"element -1 of 8",
       [](auto &b) {
         b.steps.step(MOERT_STEP_LOAD, {3, b.slot(0), 1, MOERT_U8});
       }},
      {"the slot is empty",
       [](auto &b) {
         b.steps.step(MOERT_STEP_LOAD, {3, b.slot(1), 0, MOERT_U8});
       }},
      {"8 bytes from offset 8 of 8",
       [](auto &b) {
         b.steps.step(MOERT_STEP_COPY, {b.slot(0), 0, b.slot(0), 2, 2});
       }},
      {"-1 bytes from offset 0",
       [](auto &b) {
         b.steps.step(MOERT_STEP_COPY, {b.slot(0), 0, b.slot(0), 0, 1});
       }},
      {"is empty",
       [](auto &b) {
         b.steps.step(MOERT_STEP_ALIAS, {b.slot(2), b.slot(1), 0});
       }},
      {"offset -1 exceeds the 8 bytes",
       [](auto &b) {
         b.steps.step(MOERT_STEP_ALIAS, {b.slot(2), b.slot(0), 1});
       }},
      {"the shapes differ", [](auto &b) { b.check(0, "the shapes differ"); }},
      {"a view of an input or a weight",
       [](auto &b) {
         b.steps.step(MOERT_STEP_ALIAS, {b.slot(2), b.weightSlot(0), 0});
         b.steps.step(MOERT_STEP_STORE, {b.slot(2), 0, 0, MOERT_U8});
       }},
      {"output 'y' has impossible extents -1",
       [](auto &b) {
         b.steps.step(MOERT_STEP_OUTPUT, {b.slot(1), 0, 1});
       }},
      {"output 'y' is produced twice",
       [](auto &b) {
         b.steps.step(MOERT_STEP_OUTPUT, {b.slot(1), 0, 2});
         b.steps.step(MOERT_STEP_OUTPUT, {b.slot(2), 0, 2});
       }},
      {"output 'y' was not produced", [](auto &) {}},
  };
  for (const Case &entry : cases) {
    ArtifactBuilder builder;
    builder.output("y", MOERT_I64, {-1 - int64_t(builder.symbol("n"))});
    builder.weight("w", MOERT_U8, {1}, Bytes(1));
    builder.steps.constant(1, -1);
    builder.steps.constant(2, 8);
    builder.steps.step(MOERT_STEP_ALLOC, {builder.slot(0), 2});
    entry.write(builder);
    builder.steps.step(MOERT_STEP_RETURN, {});
    expectFailure(builder, entry.message);
  }
}

TEST(Interpreter, ReportsHowKernelsFail) {
  const moert_kernel_fn_t kernels[] = {
      [](void *const *, const int64_t *, void *, int64_t, int64_t) { return int32_t(MOERT_KERNEL_INDEX_OUT_OF_RANGE); },
      [](void *const *, const int64_t *, void *, int64_t, int64_t) { return int32_t(MOERT_KERNEL_BAD_VALUE); },
      [](void *const *, const int64_t *, void *, int64_t, int64_t) { return int32_t(7); }};
  const char *messages[] = {"node 'gather_3': an index lies outside the tensor it indexes",
                            "node 'gather_3': a value for which the operator is undefined",
                            "node 'gather_3': kernel result 7"};
  for (size_t i = 0; i < 3; ++i) {
    ArtifactBuilder builder;
    const uint32_t kernel = builder.kernel("gather", 0, 0, kernels[i]);
    builder.steps.constant(0, 1);
    builder.dispatch(kernel, 0, 0, 1, "gather_3", {}, {});
    builder.steps.step(MOERT_STEP_RETURN, {});
    expectFailure(builder, messages[i]);
  }
}

TEST(Interpreter, GivesKernelsScalarsAndScratch) {
  ArtifactBuilder builder;
  builder.output("y", MOERT_I64, {2});
  auto sum = [](void *const *buffers, const int64_t *scalars, void *scratch, int64_t begin, int64_t end) {
    std::memset(scratch, 1, 1000);
    if (reinterpret_cast<uintptr_t>(scratch) % 64 != 0)
      return int32_t(MOERT_KERNEL_BAD_VALUE);
    for (int64_t i = begin; i < end; ++i)
      static_cast<int64_t *>(buffers[0])[i] = scalars[0] * 10 + scalars[1] + i;
    return int32_t(MOERT_KERNEL_OK);
  };
  const uint32_t kernel = builder.kernel("sum", 1, 2, sum);
  builder.steps.constant(0, 2);
  builder.steps.constant(1, 7);
  builder.steps.constant(2, 1000);
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, 0});
  builder.dispatch(kernel, 0, 0, 2, "sum", {builder.slot(0)}, {0, 1});
  builder.dispatch(kernel, 3, 0, 2, "no tasks", {builder.slot(5)}, {0, 1}); // an empty slot does not matter
  builder.steps.step(MOERT_STEP_RETURN, {});
  EXPECT_EQ(runForIntegers(builder), (std::vector<int64_t>{27, 28}));
}

TEST(Interpreter, RefusesBadDispatches) {
  struct Case {
    const char *message;
    int64_t grid, scratch;
    uint32_t slot;
  };
  for (const Case &entry : {Case{"grid of -1 tasks", -1, 0, 0}, Case{"scratch of -5 bytes", 1, -5, 0},
                            Case{"buffer 0 of the dispatch at word 17 is empty", 1, 0, 1}}) {
    ArtifactBuilder builder;
    const uint32_t kernel = builder.kernel(
        "k", 1, 0, [](void *const *, const int64_t *, void *, int64_t, int64_t) { return int32_t(MOERT_KERNEL_OK); });
    builder.steps.constant(0, entry.grid);
    builder.steps.constant(1, entry.scratch);
    builder.steps.constant(2, 0);
    builder.steps.step(MOERT_STEP_ALLOC, {builder.slot(0), 2});
    builder.steps.step(MOERT_STEP_FREE, {builder.slot(1)});
    builder.dispatch(kernel, 0, 2, 1, "node", {builder.slot(entry.slot)}, {});
    builder.steps.step(MOERT_STEP_RETURN, {});
    expectFailure(builder, entry.message);
  }
}

TEST(Interpreter, ReportsRouting) {
  ArtifactBuilder builder;
  Bytes experts(4 * sizeof(int32_t)), gates(4 * sizeof(float));
  const int32_t expertValues[] = {3, 1, 0, -1};
  const float gateValues[] = {0.75f, 0.25f, 1, 0};
  std::memcpy(experts.data(), expertValues, sizeof(expertValues));
  std::memcpy(gates.data(), gateValues, sizeof(gateValues));
  builder.weight("experts", MOERT_I32, {2, 2}, experts);
  builder.weight("gates", MOERT_F32, {2, 2}, gates);
  builder.layer("mlp", 4, 2, {});
  builder.steps.constant(0, 2);
  builder.steps.step(MOERT_STEP_ROUTING, {0, builder.weightSlot(0), builder.weightSlot(1), 0});
  builder.steps.constant(0, 3);
  builder.steps.step(MOERT_STEP_ROUTING, {0, builder.weightSlot(0), builder.weightSlot(1), 0});
  builder.steps.step(MOERT_STEP_RETURN, {});
  const ProgramPtr program = open(builder.build());
  std::vector<int32_t> seen;
  moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
  options.routing_context = &seen;
  options.routing = [](void *context, size_t layer, int64_t tokens, uint32_t selected, const int32_t *chosen,
                       const float *weights) {
    EXPECT_EQ(layer, 0u);
    EXPECT_EQ(weights[0], 0.75f);
    static_cast<std::vector<int32_t> *>(context)->assign(chosen, chosen + tokens * selected);
  };
  const SessionPtr session = makeSession(program.get(), options);
  EXPECT_FAILS(moert_session_run(session.get(), nullptr, 0, nullptr, 0), MOERT_RUN_FAILED,
               "buffers of 16 and 16 bytes for 3 tokens and 2 experts each");
  EXPECT_EQ(seen, (std::vector<int32_t>{3, 1, 0, -1}));
}

TEST(Binary, WrapsAndRounds) {
  constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
  struct Case {
    uint32_t binary;
    int64_t lhs, rhs, expected;
  };
  const Case cases[] = {
      {MOERT_BINARY_ADD, most, 1, least}, {MOERT_BINARY_SUB, least, 1, most},   {MOERT_BINARY_MUL, most, 2, -2},
      {MOERT_BINARY_DIV, -7, 2, -3},      {MOERT_BINARY_DIV, least, -1, least}, {MOERT_BINARY_REM, -7, 2, -1},
      {MOERT_BINARY_REM, least, -1, 0},   {MOERT_BINARY_FLOORDIV, -7, 2, -4},   {MOERT_BINARY_FLOORDIV, 7, -2, -4},
      {MOERT_BINARY_FLOORDIV, -8, 2, -4}, {MOERT_BINARY_CEILDIV, 7, 2, 4},      {MOERT_BINARY_CEILDIV, -7, 2, -3},
      {MOERT_BINARY_CEILDIV, -7, -2, 4},  {MOERT_BINARY_FLOORMOD, -7, 2, 1},    {MOERT_BINARY_FLOORMOD, 7, -2, -1},
      {MOERT_BINARY_MIN, -1, 1, -1},      {MOERT_BINARY_MAX, -1, 1, 1},         {MOERT_BINARY_AND, 6, 3, 2},
      {MOERT_BINARY_OR, 6, 3, 7},         {MOERT_BINARY_XOR, 6, 3, 5},          {MOERT_BINARY_EQ, 2, 2, 1},
      {MOERT_BINARY_NE, 2, 2, 0},         {MOERT_BINARY_LT, -1, 0, 1},          {MOERT_BINARY_LE, 0, 0, 1},
      {MOERT_BINARY_GT, 0, 0, 0},         {MOERT_BINARY_GE, 0, 0, 1},
  };
  for (const Case &entry : cases) {
    int64_t result = 0;
    EXPECT_TRUE(moert::evaluateBinary(entry.binary, entry.lhs, entry.rhs, result));
    EXPECT_EQ(result, entry.expected) << entry.binary << ": " << entry.lhs << ", " << entry.rhs;
  }
  int64_t result = 0;
  for (uint32_t binary = MOERT_BINARY_DIV; binary <= MOERT_BINARY_FLOORMOD; ++binary)
    EXPECT_FALSE(moert::evaluateBinary(binary, 1, 0, result));
}

} // namespace
