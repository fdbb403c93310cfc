// Steps and the state between them, on a model whose state is the list of its tokens.
#ifdef MOERT_EMULATOR
#include "fake_cuda.h"
#endif
#include "gpu_kernels.h"
#include "runtime_fixture.h"

#include <functional>

using namespace moert::test;

namespace {

struct StateCase {
  const char *name;
  bool inPlace;
  const char *device;
};

// With a functional state and with one in place.
class StateTest : public testing::TestWithParam<StateCase> {
protected:
  StateTest() : program(open(makeModel())), session(makeSession(program.get(), makeOptions())) {}

#ifdef MOERT_EMULATOR
  const FakeCuda driver; // only used by what runs on it
#endif
  static Bytes makeModel() {
    ArtifactBuilder builder = makeSuccessorModel(GetParam().inPlace);
    builder.kernel("none", 0, 0, [](void *const *, const int64_t *, void *, int64_t, int64_t) { return 0; });
    builder.gpuVariant("sm_80", 80, makeModule({makeEntry("none", 0, 0, "")}), {builder.gpuEntry("none", 32)});
    return builder.build();
  }
  static moert_session_options_t makeOptions() {
    moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
    options.device = GetParam().device;
    return options;
  }

  // The token with the best score after these.
  static int64_t step(moert_session_t *session, std::vector<int64_t> tokens) {
    const std::vector<int64_t> dims = {1, static_cast<int64_t>(tokens.size())};
    const moert_tensor_view_t input = viewOf(tokens, dims);
    moert_tensor_view_t logits = {};
    EXPECT_EQ(moert_session_step(session, &input, 1, &logits, 1), MOERT_OK) << moert_last_error();
    const std::vector<int32_t> scores = elementsOf<int32_t>(logits);
    for (size_t i = 0; i < scores.size(); ++i)
      if (scores[i])
        return static_cast<int64_t>(i);
    return -1;
  }
  int64_t step(std::vector<int64_t> tokens) { return step(session.get(), std::move(tokens)); }

  static Bytes save(moert_session_t *session) {
    size_t size = 0;
    EXPECT_EQ(moert_session_state_save(session, nullptr, 0, &size), MOERT_BUFFER_TOO_SMALL);
    Bytes bytes(size);
    EXPECT_EQ(moert_session_state_save(session, bytes.data(), size, &size), MOERT_OK) << moert_last_error();
    return bytes;
  }

  ProgramPtr program;
  SessionPtr session;
};

TEST_P(StateTest, GrowsAndResets) {
  EXPECT_EQ(moert_session_state_length(session.get()), 0);
  EXPECT_EQ(step({10, 20, 30}), 31);
  EXPECT_EQ(step({40}), 41);
  EXPECT_EQ(moert_session_state_length(session.get()), 4);
  EXPECT_EQ(moert_session_state_reset(session.get()), MOERT_OK);
  EXPECT_EQ(moert_session_state_length(session.get()), 0);
  EXPECT_EQ(step({7}), 8);
  EXPECT_EQ(moert_session_state_length(session.get()), 1);
}

TEST_P(StateTest, FunctionalRunSeesTheSameValues) {
  step({10, 20, 30});
  std::vector<int64_t> tokens = {50}, past = {10, 20, 30};
  const std::vector<int64_t> one = {1, 1}, three = {1, 3};
  const moert_tensor_view_t inputs[] = {viewOf(tokens, one), viewOf(past, three)};
  moert_tensor_view_t outputs[2] = {};
  ASSERT_EQ(moert_session_run(session.get(), inputs, 2, outputs, 2), MOERT_OK) << moert_last_error();
  EXPECT_EQ(elementsOf<int64_t>(outputs[1]), (std::vector<int64_t>{10, 20, 30, 50}));
  EXPECT_EQ(moert_session_state_length(session.get()), 3); // a run leaves the state alone
}

TEST_P(StateTest, FailedStepKeepsTheState) {
  step({10, 20});
  std::vector<int64_t> nothing;
  const std::vector<int64_t> dims = {1, 0};
  const moert_tensor_view_t input = viewOf(nothing, dims);
  EXPECT_FAILS(moert_session_step(session.get(), &input, 1, nullptr, 0), MOERT_RUN_FAILED, "no tokens");
  EXPECT_EQ(moert_session_state_length(session.get()), 2);
  EXPECT_EQ(step({30}), 31);
  EXPECT_EQ(moert_session_state_length(session.get()), 3);
}

TEST_P(StateTest, Truncates) {
  step({10, 20, 30});
  EXPECT_EQ(moert_session_state_truncate(session.get(), 2), MOERT_OK);
  EXPECT_EQ(moert_session_state_length(session.get()), 2);
  SessionPtr other = makeSession(program.get(), makeOptions());
  step(other.get(), {10, 20});
  EXPECT_EQ(save(session.get()), save(other.get()));
  EXPECT_FAILS(moert_session_state_truncate(session.get(), 3), MOERT_INVALID_ARGUMENT,
               "cannot truncate to 3 positions: state 'past' holds 2");
  EXPECT_FAILS(moert_session_state_truncate(session.get(), -1), MOERT_INVALID_ARGUMENT, "cannot truncate to -1");
}

const StateCase stateCases[] = {
    {"Functional", false, "cpu"},
    {"InPlace", true, "cpu"},
#ifdef MOERT_EMULATOR
    {"FunctionalOnEmu", false, "emu:sm_80"},
    {"InPlaceOnEmu", true, "emu:sm_80"},
    {"FunctionalOnCuda", false, "cuda"},
    {"InPlaceOnCuda", true, "cuda"},
#endif
};

INSTANTIATE_TEST_SUITE_P(State, StateTest, testing::ValuesIn(stateCases),
                         [](const auto &info) { return info.param.name; });

// Two rows that grow behind each other's capacity: present = past ++ new along axis 1, in place.
TEST(State, GrowsInPlaceAlongAnInnerAxis) {
  ArtifactBuilder builder;
  const int64_t past = -1 - int64_t(builder.symbol("past")), size = -1 - int64_t(builder.symbol("size"));
  builder.input("new", MOERT_I64, {2, size});
  builder.input("past", MOERT_I64, {2, past});
  builder.output("present", MOERT_I64, {2, -1 - int64_t(builder.symbol("total"))});
  builder.states.push_back({1, 0, 1, 1});
  StepWriter &steps = builder.steps;
  enum { sizeR, pastR, total, capacity, eight, zero, target, source };
  auto binary = [&](uint32_t result, uint32_t lhs, uint32_t rhs, uint32_t op) {
    steps.step(MOERT_STEP_BINARY, {result, lhs, rhs, op});
  };
  steps.step(MOERT_STEP_INPUT_DIM, {sizeR, 0, 1});
  steps.step(MOERT_STEP_INPUT_DIM, {pastR, 1, 1});
  binary(total, sizeR, pastR, MOERT_BINARY_ADD);
  steps.step(MOERT_STEP_STATE, {builder.slot(0), capacity, 0, total});
  steps.constant(eight, 8);
  for (uint32_t extent : {capacity, sizeR, pastR})
    binary(extent, extent, eight, MOERT_BINARY_MUL); // in bytes
  steps.step(MOERT_STEP_COPY, {builder.slot(0), pastR, 0, zero, sizeR});
  binary(target, capacity, pastR, MOERT_BINARY_ADD);
  steps.step(MOERT_STEP_COPY, {builder.slot(0), target, 0, sizeR, sizeR});
  steps.step(MOERT_STEP_RETURN, {});
  const ProgramPtr program = open(builder.build());
  const SessionPtr session = makeSession(program.get());

  std::vector<int64_t> first, second; // the rows, as they should be
  for (int64_t added : {1, 3, 100, 1, 0, 40}) {
    std::vector<int64_t> elements;
    for (std::vector<int64_t> *row : {&first, &second})
      for (int64_t i = 0; i < added; ++i) {
        elements.push_back(static_cast<int64_t>(row->size()) + (row == &second ? 1000 : 0));
        row->push_back(elements.back());
      }
    const std::vector<int64_t> dims = {2, added};
    const moert_tensor_view_t input = viewOf(elements, dims);
    ASSERT_EQ(moert_session_step(session.get(), &input, 1, nullptr, 0), MOERT_OK) << moert_last_error();
  }
  // Saved state holds the positions without gaps: header, extents, elements, hash.
  size_t bytes = 0;
  moert_session_state_save(session.get(), nullptr, 0, &bytes);
  std::vector<int64_t> saved(bytes / 8);
  ASSERT_EQ(moert_session_state_save(session.get(), saved.data(), bytes, &bytes), MOERT_OK) << moert_last_error();
  std::vector<int64_t> expected = first;
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(std::vector<int64_t>(saved.begin() + 8, saved.end() - 4), expected);

  // A run without state gives the same from past and new.
  std::vector<int64_t> elements = {7, 8};
  const std::vector<int64_t> one = {2, 1}, held = {2, static_cast<int64_t>(first.size())};
  const moert_tensor_view_t inputs[] = {viewOf(elements, one), viewOf(expected, held)};
  moert_tensor_view_t output = {};
  ASSERT_EQ(moert_session_run(session.get(), inputs, 2, &output, 1), MOERT_OK) << moert_last_error();
  first.push_back(7);
  first.insert(first.end(), second.begin(), second.end());
  first.push_back(8);
  EXPECT_EQ(elementsOf<int64_t>(output), first);
}

// Programs that use a state in place wrongly.
TEST(State, RefusesMisuseInPlace) {
  struct Case {
    const char *message;
    std::function<void(ArtifactBuilder &)> write;
  };
  for (const Case &entry : {Case{"state 'past' holds 2 positions and cannot shrink to 0",
                                 [](ArtifactBuilder &b) {
                                   b.steps.step(MOERT_STEP_STATE, {b.slot(0), 1, 0, 2});
                                 }},
                            Case{"state 'past' is asked for twice",
                                 [](ArtifactBuilder &b) {
                                   b.steps.step(MOERT_STEP_STATE, {b.slot(0), 1, 0, 0});
                                   b.steps.step(MOERT_STEP_STATE, {b.slot(0), 1, 0, 0});
                                 }},
                            Case{"output 'present' was not produced", [](ArtifactBuilder &) {}},
                            Case{"the slot is empty", [](ArtifactBuilder &b) {
                                   b.steps.step(MOERT_STEP_STATE, {b.slot(0), 1, 0, 0});
                                   b.steps.step(MOERT_STEP_LOAD, {1, b.inputSlot(1), 2, MOERT_I64});
                                 }}}) {
    ArtifactBuilder builder;
    const int64_t n = -1 - int64_t(builder.symbol("n")), past = -1 - int64_t(builder.symbol("past"));
    builder.input("n", MOERT_I64, {n});
    builder.input("past", MOERT_I64, {past});
    builder.output("present", MOERT_I64, {past});
    builder.states.push_back({1, 0, 0, 1});
    builder.steps.constant(0, 2);
    builder.steps.step(MOERT_STEP_INPUT_DIM, {3, 0, 0});
    const uint32_t jump = builder.steps.step(MOERT_STEP_JUMP_IF_ZERO, {3, 0});
    entry.write(builder);
    builder.steps.step(MOERT_STEP_RETURN, {});
    builder.steps.words[jump + 2] = builder.steps.here(); // the first step, without "n", only makes a state
    builder.steps.step(MOERT_STEP_STATE, {builder.slot(0), 1, 0, 0});
    builder.steps.step(MOERT_STEP_RETURN, {});
    const ProgramPtr program = open(builder.build());
    const SessionPtr session = makeSession(program.get());
    std::vector<int64_t> elements(1);
    const std::vector<int64_t> none = {0}, one = {1};
    const moert_tensor_view_t nothing = {MOERT_I64, 1, none.data(), nullptr, 0}, something = viewOf(elements, one);
    ASSERT_EQ(moert_session_step(session.get(), &nothing, 1, nullptr, 0), MOERT_OK) << moert_last_error();
    EXPECT_FAILS(moert_session_step(session.get(), &something, 1, nullptr, 0), MOERT_RUN_FAILED, entry.message);
    EXPECT_EQ(moert_session_state_length(session.get()), 2);
  }
}

// The axis lies inside: rows move together.
TEST(State, TruncatesAnInnerAxis) {
  ArtifactBuilder builder;
  const int64_t past = -1 - int64_t(builder.symbol("past")), size = -1 - int64_t(builder.symbol("size"));
  builder.input("new", MOERT_I64, {2, size});
  builder.input("past", MOERT_I64, {2, past});
  builder.output("present", MOERT_I64, {2, size});
  builder.states.push_back({1, 0, 1, 0}); // replaced by "new" in each step
  builder.steps.constant(0, 2);
  builder.steps.step(MOERT_STEP_INPUT_DIM, {1, 0, 1});
  builder.steps.constant(2, 16);
  builder.steps.step(MOERT_STEP_BINARY, {2, 2, 1, MOERT_BINARY_MUL});
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, 0, 1});
  builder.steps.step(MOERT_STEP_COPY, {builder.slot(0), 3, 0, 3, 2});
  builder.steps.step(MOERT_STEP_RETURN, {});
  const ProgramPtr program = open(builder.build());
  const SessionPtr session = makeSession(program.get()), other = makeSession(program.get());
  auto step = [](moert_session_t *target, std::vector<int64_t> elements) {
    const std::vector<int64_t> dims = {2, static_cast<int64_t>(elements.size() / 2)};
    const moert_tensor_view_t input = viewOf(elements, dims);
    EXPECT_EQ(moert_session_step(target, &input, 1, nullptr, 0), MOERT_OK) << moert_last_error();
  };
  step(session.get(), {1, 2, 3, 4, 5, 6});
  ASSERT_EQ(moert_session_state_truncate(session.get(), 2), MOERT_OK) << moert_last_error();
  step(other.get(), {1, 2, 4, 5});
  size_t size1 = 0, size2 = 0;
  Bytes first(1000), second(1000);
  ASSERT_EQ(moert_session_state_save(session.get(), first.data(), 1000, &size1), MOERT_OK);
  ASSERT_EQ(moert_session_state_save(other.get(), second.data(), 1000, &size2), MOERT_OK);
  EXPECT_EQ(size1, size2);
  EXPECT_EQ(first, second);
}

// A state that each step replaces by its input; the output is what it was before.
class ReplacedStateTest : public testing::TestWithParam<const char *> {
protected:
  ReplacedStateTest() : program(open(makeModel())), session(makeSession(program.get(), makeOptions())) {}

#ifdef MOERT_EMULATOR
  const FakeCuda driver;
#endif
  static Bytes makeModel() {
    ArtifactBuilder builder;
    const int64_t n = -1 - int64_t(builder.symbol("n"));
    builder.input("x", MOERT_I64, {n});
    builder.input("past", MOERT_I64, {n});
    builder.output("before", MOERT_I64, {n});
    builder.output("present", MOERT_I64, {n});
    builder.states.push_back({1, 1, MOERT_STATE_REPLACED, 0});
    StepWriter &steps = builder.steps;
    enum { size, bytes, zero };
    steps.step(MOERT_STEP_INPUT_DIM, {size, 0, 0});
    steps.constant(bytes, 8);
    steps.step(MOERT_STEP_BINARY, {bytes, bytes, size, MOERT_BINARY_MUL});
    for (uint32_t output : {0u, 1u}) {
      steps.step(MOERT_STEP_OUTPUT, {builder.slot(output), output, size});
      steps.step(MOERT_STEP_COPY, {builder.slot(output), zero, builder.inputSlot(1 - output), zero, bytes});
    }
    builder.check(size, "no elements");
    steps.step(MOERT_STEP_RETURN, {});
    builder.kernel("none", 0, 0, [](void *const *, const int64_t *, void *, int64_t, int64_t) { return 0; });
    builder.gpuVariant("sm_80", 80, makeModule({makeEntry("none", 0, 0, "")}), {builder.gpuEntry("none", 32)});
    return builder.build();
  }
  static moert_session_options_t makeOptions() {
    moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
    options.device = GetParam();
    return options;
  }
  static std::vector<int64_t> step(moert_session_t *session, std::vector<int64_t> x) {
    const std::vector<int64_t> dims = {static_cast<int64_t>(x.size())};
    const moert_tensor_view_t input = viewOf(x, dims);
    moert_tensor_view_t before = {};
    EXPECT_EQ(moert_session_step(session, &input, 1, &before, 1), MOERT_OK) << moert_last_error();
    return elementsOf<int64_t>(before);
  }
  std::vector<int64_t> step(std::vector<int64_t> x) { return step(session.get(), std::move(x)); }

  ProgramPtr program;
  SessionPtr session;
};

using Elements = std::vector<int64_t>;

TEST_P(ReplacedStateTest, IsZeroAtFirst) {
  EXPECT_EQ(step({1, 2}), (Elements{0, 0}));
  EXPECT_EQ(step({3, 4}), (Elements{1, 2}));
  EXPECT_EQ(moert_session_state_length(session.get()), 0); // nothing grows
  EXPECT_EQ(moert_session_state_reset(session.get()), MOERT_OK);
  EXPECT_EQ(step({5, 6, 7}), (Elements{0, 0, 0}));
  EXPECT_EQ(step({8, 9, 10}), (Elements{5, 6, 7}));
}

TEST_P(ReplacedStateTest, FailedStepKeepsIt) {
  Elements none;
  const Elements noExtent = {0};
  const moert_tensor_view_t nothing = viewOf(none, noExtent);
  EXPECT_FAILS(moert_session_step(session.get(), &nothing, 1, nullptr, 0), MOERT_RUN_FAILED, "no elements");
  EXPECT_EQ(step({1, 2}), (Elements{0, 0}));
  Elements one = {7};
  const Elements oneExtent = {1};
  const moert_tensor_view_t other = viewOf(one, oneExtent);
  EXPECT_FAILS(moert_session_step(session.get(), &other, 1, nullptr, 0), MOERT_BAD_INPUT, "expected 1");
  EXPECT_EQ(step({3, 4}), (Elements{1, 2}));
}

TEST_P(ReplacedStateTest, ForksSavesAndLoads) {
  step({1, 2});
  moert_session_t *copy = nullptr;
  ASSERT_EQ(moert_session_state_fork(session.get(), &copy), MOERT_OK) << moert_last_error();
  const SessionPtr forked(copy), loaded = makeSession(program.get(), makeOptions());
  size_t size = 0;
  Bytes bytes(1000);
  ASSERT_EQ(moert_session_state_save(session.get(), bytes.data(), bytes.size(), &size), MOERT_OK) << moert_last_error();
  ASSERT_EQ(moert_session_state_load(loaded.get(), bytes.data(), size), MOERT_OK) << moert_last_error();
  EXPECT_EQ(step({3, 4}), (Elements{1, 2}));
  EXPECT_EQ(step(forked.get(), {5, 6}), (Elements{1, 2}));
  EXPECT_EQ(step(loaded.get(), {7, 8}), (Elements{1, 2}));
  EXPECT_EQ(step({0, 0}), (Elements{3, 4}));
}

TEST_P(ReplacedStateTest, TruncatesToNothingOnly) {
  step({1, 2});
  EXPECT_FAILS(moert_session_state_truncate(session.get(), 1), MOERT_UNSUPPORTED,
               "cannot truncate to 1 positions: each step replaces state 'past'");
  EXPECT_EQ(moert_session_state_truncate(session.get(), 0), MOERT_OK);
  EXPECT_EQ(step({3, 4}), (Elements{0, 0}));
}

#ifdef MOERT_EMULATOR
INSTANTIATE_TEST_SUITE_P(State, ReplacedStateTest, testing::Values("cpu", "emu:sm_80", "cuda"),
                         [](const auto &info) { return std::string(info.param).substr(0, 3); });
#else
INSTANTIATE_TEST_SUITE_P(State, ReplacedStateTest, testing::Values("cpu"));
#endif

TEST_P(StateTest, Forks) {
  step({10, 20, 30});
  moert_session_t *copy = nullptr;
  ASSERT_EQ(moert_session_state_fork(session.get(), &copy), MOERT_OK) << moert_last_error();
  const SessionPtr forked(copy);
  EXPECT_EQ(step({40}), 41);
  EXPECT_EQ(step(forked.get(), {50}), 51);
  EXPECT_EQ(moert_session_state_length(forked.get()), 4);
  EXPECT_NE(save(forked.get()), save(session.get()));
}

TEST_P(StateTest, SavesAndLoads) {
  step({10, 20, 30});
  const Bytes bytes = save(session.get());
  const SessionPtr other = makeSession(program.get(), makeOptions());
  step(other.get(), {1});
  ASSERT_EQ(moert_session_state_load(other.get(), bytes.data(), bytes.size()), MOERT_OK) << moert_last_error();
  EXPECT_EQ(moert_session_state_length(other.get()), 3);
  EXPECT_EQ(save(other.get()), bytes);
  EXPECT_EQ(step(other.get(), {40}), 41);

  const SessionPtr empty = makeSession(program.get(), makeOptions());
  const Bytes none = save(empty.get());
  ASSERT_EQ(moert_session_state_load(other.get(), none.data(), none.size()), MOERT_OK) << moert_last_error();
  EXPECT_EQ(moert_session_state_length(other.get()), 0);
}

TEST_P(StateTest, RefusesDamagedOrForeignBytes) {
  step({10, 20, 30});
  const Bytes good = save(session.get());
  auto load = [&](const Bytes &bytes) { return moert_session_state_load(session.get(), bytes.data(), bytes.size()); };
  Bytes bytes = good;
  bytes[60] ^= std::byte(1);
  EXPECT_FAILS(load(bytes), MOERT_INVALID_FILE, "saved state: hash does not match, the bytes are damaged");
  bytes = good;
  bytes.resize(40);
  EXPECT_FAILS(load(bytes), MOERT_INVALID_FILE, "saved state: 40 bytes, expected at least 80");
  bytes = good;
  bytes[0] = std::byte(0);
  EXPECT_FAILS(load(bytes), MOERT_INVALID_FILE, "saved state: it does not start with the magic bytes");
  const ProgramPtr foreign = open(makeCopyProgram().build());
  const Bytes other = save(makeSession(foreign.get()).get());
  EXPECT_FAILS(load(other), MOERT_INVALID_FILE, "saved state: it belongs to another program");
  EXPECT_EQ(save(session.get()), good);
}

TEST(State, NeedsItsSymbols) {
  ArtifactBuilder builder;
  const int64_t batch = -1 - int64_t(builder.symbol("batch")), past = -1 - int64_t(builder.symbol("past"));
  builder.input("past_key", MOERT_F32, {batch, past});
  builder.output("present_key", MOERT_F32, {batch, past});
  builder.states.push_back({0, 0, 1, 0});
  builder.steps.step(MOERT_STEP_RETURN, {});
  const ProgramPtr program = open(builder.build());
  const SessionPtr session = makeSession(program.get());
  EXPECT_FAILS(moert_session_step(session.get(), nullptr, 0, nullptr, 0), MOERT_BAD_INPUT,
               "state input 'past_key' axis 0: no other input determines 'batch'");
}

} // namespace
