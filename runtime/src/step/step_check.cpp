// One pass over the words checks every operand against the table in step_format.cpp; jump targets are checked after it,
// when all step starts are known.
#include "step/step_check.h"

#include "artifact/strings.h"
#include "element_type.h"
#include "step/step_format.h"

#include <vector>

namespace moert {
namespace {

class StepChecker {
public:
  explicit StepChecker(const Artifact &artifact)
      : artifact(artifact), program(artifact.program), words(program.words),
        fixedSlots(artifact.inputs.size() + artifact.weights.size()) {}

  Status check();

private:
  Status checkCounts() const;
  Status checkStep();
  Status checkOperand(StepOperand operand);
  Status checkOutputExtents();
  Status checkDispatchOperands();
  Status checkRegister();
  Status checkSlot(bool mayBeFixed);

  bool hasWords(uint64_t count) const { return stepEnd - at >= count; }
  Status below(std::string_view what, uint64_t limit);
  template <typename... Pieces> Status stepFailure(const Pieces &...pieces) const {
    return failure(MOERT_INVALID_FILE, "program section: step at word ", stepBegin, " (",
                   getStepFormat(stepOpcode(words[stepBegin])).name, "): ", pieces...);
  }

  const Artifact &artifact;
  const StepProgram &program;
  std::span<const uint32_t> words;
  const uint64_t fixedSlots;
  size_t at = 0, stepBegin = 0, stepEnd = 0;
  std::vector<bool> startsStep;
  std::vector<std::pair<size_t, uint32_t>> jumps; // step, target
  // Operands that others of the same step depend on.
  uint32_t kernel = 0, input = 0, output = 0, buffers = 0, scalars = 0;
};

// Registers and slots are declared by a number in the file, so they are bounded by what the words could use.
Status StepChecker::checkCounts() const {
  if (words.empty())
    return failure(MOERT_INVALID_FILE, "program section: no steps");
  if (program.registerCount > words.size())
    return failure(MOERT_INVALID_FILE, "program section: ", program.registerCount, " registers for ", words.size(),
                   " words");
  if (program.slotCount < fixedSlots || program.slotCount - fixedSlots > words.size())
    return failure(MOERT_INVALID_FILE, "program section: ", program.slotCount, " slots, expected ", fixedSlots,
                   " for inputs and weights and at most ", words.size(), " more");
  return Status::success();
}

Status StepChecker::below(std::string_view what, uint64_t limit) {
  const uint32_t value = words[at++];
  if (value >= limit)
    return stepFailure(what, " ", value, ", expected less than ", limit);
  return Status::success();
}

Status StepChecker::checkRegister() { return below("register", program.registerCount); }

Status StepChecker::checkSlot(bool mayBeFixed) {
  const uint32_t slot = words[at];
  MOERT_TRY(below("slot", program.slotCount));
  if (!mayBeFixed && slot < fixedSlots)
    return stepFailure("slot ", slot, " holds an input or a weight, which cannot change");
  return Status::success();
}

Status StepChecker::checkOutputExtents() {
  for (const moert_state_t &state : artifact.states)
    if (state.in_place && state.output == output)
      return stepFailure("output '", artifact.outputs[output].name, "' is a state in place");
  const size_t rank = artifact.outputs[output].dims.size();
  if (stepEnd - at != rank)
    return stepFailure(stepEnd - at, " extents for output '", artifact.outputs[output].name, "' of rank ", rank);
  while (at < stepEnd)
    MOERT_TRY(checkRegister());
  return Status::success();
}

Status StepChecker::checkDispatchOperands() {
  const KernelDeclaration &declaration = artifact.kernels[kernel];
  if (buffers != declaration.bufferCount || scalars != declaration.scalarCount)
    return stepFailure(buffers, " buffers and ", scalars, " scalars for kernel '", declaration.name, "', expected ",
                       declaration.bufferCount, " and ", declaration.scalarCount);
  if (stepEnd - at != uint64_t(buffers) + scalars)
    return stepFailure(stepEnd - at, " operands, expected ", uint64_t(buffers) + scalars);
  for (uint32_t i = 0; i < buffers; ++i)
    MOERT_TRY(checkSlot(/*mayBeFixed=*/true));
  for (uint32_t i = 0; i < scalars; ++i)
    MOERT_TRY(checkRegister());
  return Status::success();
}

Status StepChecker::checkOperand(StepOperand operand) {
  const uint32_t value = words[at];
  switch (operand) {
  case StepOperand::ResultRegister:
  case StepOperand::Register:
    return checkRegister();
  case StepOperand::ResultSlot:
  case StepOperand::ReleasedSlot:
  case StepOperand::WrittenSlot:
    return checkSlot(/*mayBeFixed=*/false);
  case StepOperand::Slot:
    return checkSlot(/*mayBeFixed=*/true);
  case StepOperand::Immediate64:
    at += 2;
    return Status::success();
  case StepOperand::String: {
    std::string_view text;
    if (Status status = lookUpString(artifact, {value, words[at + 1]}, "string operand", text); !status.ok())
      return stepFailure(status.getMessage());
    at += 2;
    return Status::success();
  }
  case StepOperand::Kernel:
    kernel = value;
    return below("kernel", artifact.kernels.size());
  case StepOperand::Input:
    input = value;
    return below("input", artifact.inputs.size());
  case StepOperand::Axis:
    return below("axis", artifact.inputs[input].dims.size());
  case StepOperand::Output:
    output = value;
    return below("output", artifact.outputs.size());
  case StepOperand::ElementType:
    ++at;
    if (elementSize(value) == 0 || isFloat(value))
      return stepFailure("element type ", value, " is not an integer type");
    return Status::success();
  case StepOperand::BinaryOperator:
    return below("operator", MOERT_BINARY_COUNT);
  case StepOperand::Target:
    jumps.emplace_back(stepBegin, value);
    ++at;
    return Status::success();
  case StepOperand::Layer:
    return below("layer", artifact.layers.size());
  case StepOperand::StateInPlace:
    MOERT_TRY(below("state", artifact.states.size()));
    return artifact.states[value].in_place ? Status::success() : stepFailure("state ", value, " is not in place");
  case StepOperand::BufferCount:
    buffers = value;
    ++at;
    return Status::success();
  case StepOperand::ScalarCount:
    scalars = value;
    ++at;
    return Status::success();
  case StepOperand::OutputExtents:
    return checkOutputExtents();
  case StepOperand::DispatchOperands:
    return checkDispatchOperands();
  }
  return stepFailure("unknown operand");
}

uint64_t fixedWords(StepOperand operand) {
  switch (operand) {
  case StepOperand::Immediate64:
  case StepOperand::String:
    return 2;
  case StepOperand::OutputExtents:
  case StepOperand::DispatchOperands:
    return 0;
  default:
    return 1;
  }
}

Status StepChecker::checkStep() {
  const uint32_t first = words[at];
  stepBegin = at;
  if (stepOpcode(first) >= stepOpcodeCount)
    return failure(MOERT_INVALID_FILE, "program section: unknown opcode ", stepOpcode(first), " at word ", at);
  const uint32_t count = stepWordCount(first);
  if (count == 0 || count > words.size() - at)
    return stepFailure(count, " words, expected 1 to ", words.size() - at);
  stepEnd = at + count;
  startsStep[at++] = true;
  for (StepOperand operand : getStepFormat(stepOpcode(first)).operands) {
    if (!hasWords(fixedWords(operand)))
      return stepFailure(count, " words are too few");
    MOERT_TRY(checkOperand(operand));
  }
  if (at != stepEnd)
    return stepFailure(count, " words, expected ", at - stepBegin);
  return Status::success();
}

Status StepChecker::check() {
  MOERT_TRY(checkCounts());
  startsStep.resize(words.size());
  while (at < words.size())
    MOERT_TRY(checkStep());
  const uint32_t last = stepOpcode(words[stepBegin]);
  if (last != MOERT_STEP_RETURN && last != MOERT_STEP_JUMP)
    return stepFailure("the last step must be a return or a jump");
  for (auto [step, target] : jumps) {
    stepBegin = step;
    if (target >= words.size() || !startsStep[target])
      return stepFailure("target ", target, " is not the start of a step");
  }
  return Status::success();
}

} // namespace

Status checkStepProgram(const Artifact &artifact) { return StepChecker(artifact).check(); }

} // namespace moert
