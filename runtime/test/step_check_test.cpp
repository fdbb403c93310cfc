// Step programs that the checker refuses, each with its message.
#include "runtime_fixture.h"

#include <functional>

using namespace moert::test;

namespace {

struct StepCase {
  const char *name;
  std::function<void(ArtifactBuilder &)> write; // appends steps; a RETURN follows if `returns`
  const char *message;
  bool returns = true;
};

class RefusedStep : public testing::TestWithParam<StepCase> {};

int32_t doNothing(void *const *, const int64_t *, void *, int64_t, int64_t) { return MOERT_KERNEL_OK; }

TEST_P(RefusedStep, HasAMessage) {
  ArtifactBuilder builder;
  builder.registers = builder.slots = 2;
  builder.input("x", MOERT_I64, {4});
  builder.output("y", MOERT_I64, {4, 2});
  builder.weight("w", MOERT_I64, {1}, Bytes(8));
  builder.kernel("k", 1, 1, doNothing);
  GetParam().write(builder);
  if (GetParam().returns)
    builder.steps.step(MOERT_STEP_RETURN, {});
  ProgramPtr program;
  EXPECT_FAILS(tryOpen(builder.build(), program), MOERT_INVALID_FILE, GetParam().message);
}

void addState(ArtifactBuilder &builder, bool inPlace) {
  const int64_t past = -1 - int64_t(builder.symbol("past"));
  builder.input("past", MOERT_I64, {past});
  builder.output("present", MOERT_I64, {past});
  builder.states.push_back({1, 1, 0, inPlace});
}

// Slots: 0 the input, 1 the weight, 2 and 3 free.
#define STEP_CASE(name, message, opcode, ...)                                                                          \
  StepCase {                                                                                                           \
    name, [](ArtifactBuilder &b) { b.steps.step(opcode, {__VA_ARGS__}); }, message                                     \
  }

const StepCase stepCases[] = {
    {"NoSteps", [](ArtifactBuilder &) {}, "program section: no steps", false},
    {"NoReturn", [](ArtifactBuilder &b) { b.steps.constant(0, 1); },
     "step at word 0 (const): the last step must be a return or a jump", false},
    STEP_CASE("UnknownOpcode", "unknown opcode 200 at word 0", 200),
    {"WordsBeyondEnd", [](ArtifactBuilder &b) { b.steps.words = {5u << 8}; }, "5 words, expected 1 to 1", false},
    {"NoWords", [](ArtifactBuilder &b) { b.steps.words = {0}; }, "0 words, expected 1 to 1", false},
    STEP_CASE("TooFewWords", "step at word 0 (const): 3 words are too few", MOERT_STEP_CONST, 0, 0),
    STEP_CASE("TooManyWords", "step at word 0 (free): 3 words, expected 2", MOERT_STEP_FREE, 2, 0),
    STEP_CASE("Register", "register 2, expected less than 2", MOERT_STEP_CONST, 2, 0, 0),
    STEP_CASE("Slot", "slot 4, expected less than 4", MOERT_STEP_FREE, 4),
    STEP_CASE("AllocInput", "slot 0 holds an input or a weight, which cannot change", MOERT_STEP_ALLOC, 0, 0),
    STEP_CASE("FreeWeight", "slot 1 holds an input or a weight", MOERT_STEP_FREE, 1),
    STEP_CASE("MoveFromInput", "slot 0 holds an input or a weight", MOERT_STEP_MOVE, 2, 0),
    STEP_CASE("StoreToInput", "slot 0 holds an input or a weight", MOERT_STEP_STORE, 0, 0, 0, MOERT_I64),
    STEP_CASE("CopyToWeight", "slot 1 holds an input or a weight", MOERT_STEP_COPY, 1, 0, 0, 0, 0),
    STEP_CASE("BinaryOperator", "operator 19, expected less than 19", MOERT_STEP_BINARY, 0, 0, 0, MOERT_BINARY_COUNT),
    STEP_CASE("Input", "input 1, expected less than 1", MOERT_STEP_INPUT_DIM, 0, 1, 0),
    STEP_CASE("Axis", "axis 1, expected less than 1", MOERT_STEP_INPUT_DIM, 0, 0, 1),
    STEP_CASE("Output", "output 1, expected less than 1", MOERT_STEP_OUTPUT, 2, 1),
    STEP_CASE("OutputExtents", "1 extents for output 'y' of rank 2", MOERT_STEP_OUTPUT, 2, 0, 0),
    STEP_CASE("FloatElement", "element type 1 is not an integer type", MOERT_STEP_LOAD, 0, 0, 0, MOERT_F32),
    STEP_CASE("NarrowFloatElement", "element type 23 is not an integer type", MOERT_STEP_LOAD, 0, 0, 0, MOERT_F4E2M1FN),
    STEP_CASE("UnknownElement", "element type 0 is not an integer type", MOERT_STEP_STORE, 2, 0, 0, 0),
    STEP_CASE("JumpOutside", "target 9 is not the start of a step", MOERT_STEP_JUMP, 9),
    STEP_CASE("JumpIntoStep", "target 1 is not the start of a step", MOERT_STEP_JUMP_IF_ZERO, 0, 1),
    STEP_CASE("CheckMessage", "step at word 0 (check): string operand: string of 9 bytes at offset 900",
              MOERT_STEP_CHECK, 0, 900, 9),
    STEP_CASE("Layer", "layer 0, expected less than 0", MOERT_STEP_ROUTING, 0, 2, 2, 0),
    {"State",
     [](ArtifactBuilder &b) {
       addState(b, false);
       b.steps.step(MOERT_STEP_STATE, {b.slot(0), 0, 1, 0});
     },
     "state 1, expected less than 1"},
    {"StateNotInPlace",
     [](ArtifactBuilder &b) {
       addState(b, false);
       b.steps.step(MOERT_STEP_STATE, {b.slot(0), 0, 0, 0});
     },
     "state 0 is not in place"},
    {"OutputOfStateInPlace",
     [](ArtifactBuilder &b) {
       addState(b, true);
       b.steps.step(MOERT_STEP_OUTPUT, {b.slot(0), 1, 0});
     },
     "output 'present' is a state in place"},
    STEP_CASE("Kernel", "kernel 1, expected less than 1", MOERT_STEP_DISPATCH, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    STEP_CASE("KernelArguments", "2 buffers and 0 scalars for kernel 'k', expected 1 and 1", MOERT_STEP_DISPATCH, 0, 0,
              0, 0, 0, 0, 0, 0, 2, 0, 0, 0),
    STEP_CASE("OperandsMissing", "1 operands, expected 2", MOERT_STEP_DISPATCH, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0),
    STEP_CASE("DispatchSlot", "slot 4, expected less than 4", MOERT_STEP_DISPATCH, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 4, 0),
    STEP_CASE("DispatchBlocks", "register 2, expected less than 2", MOERT_STEP_DISPATCH, 0, 0, 0, 0, 2, 0, 0, 0, 1, 1,
              2, 0),
    STEP_CASE("DispatchWorkspace", "register 2, expected less than 2", MOERT_STEP_DISPATCH, 0, 0, 0, 0, 0, 2, 0, 0, 1,
              1, 2, 0),
};

INSTANTIATE_TEST_SUITE_P(Steps, RefusedStep, testing::ValuesIn(stepCases),
                         [](const auto &info) { return info.param.name; });

TEST(StepCounts, AreBoundedByTheProgram) {
  auto sections = makeCopyProgram().getSections();
  auto open = [&](uint32_t registers, uint32_t slots) {
    auto damaged = sections;
    moert_step_program_t row;
    std::memcpy(&row, damaged[MOERT_SECTION_PROGRAM].data(), sizeof(row));
    row.register_count = registers;
    row.slot_count = slots;
    std::memcpy(damaged[MOERT_SECTION_PROGRAM].data(), &row, sizeof(row));
    ProgramPtr program;
    return tryOpen(ArtifactBuilder::build(damaged), program);
  };
  EXPECT_FAILS(open(1u << 31, 2), MOERT_INVALID_FILE, "2147483648 registers for");
  EXPECT_FAILS(open(8, 1u << 31), MOERT_INVALID_FILE, "2147483648 slots, expected 1 for inputs and weights");
  EXPECT_FAILS(open(8, 0), MOERT_INVALID_FILE, "0 slots, expected 1 for inputs and weights");
}

} // namespace
