// The step program as text. The program has passed its checks, so operands are printed as they come.
#include "dump.h"
#include "element_type.h"
#include "step/step_format.h"

namespace moert::tools {
namespace {

class StepPrinter {
public:
  explicit StepPrinter(const Artifact &artifact) : artifact(artifact), words(artifact.program.words) {}

  std::string print() {
    for (size_t step = 0; step < words.size(); step += stepWordCount(words[step]))
      printStep(step);
    return std::move(text);
  }

private:
  void printStep(size_t step);
  void printOperand(StepOperand operand);
  std::string formatSlot(uint32_t slot) const;
  std::string formatString();
  static std::string formatRegister(uint32_t index) { return "r" + std::to_string(index); }
  void append(const std::string &operand) { text += " " + operand; }

  const Artifact &artifact;
  std::span<const uint32_t> words;
  std::string text;
  size_t at = 0, end = 0;
  uint32_t buffers = 0;
};

// Inputs and weights by name.
std::string StepPrinter::formatSlot(uint32_t slot) const {
  if (slot < artifact.inputs.size())
    return "%" + artifact.inputs[slot].name;
  if (slot - artifact.inputs.size() < artifact.weights.size())
    return "@" + artifact.weights[slot - artifact.inputs.size()].name;
  return "s" + std::to_string(slot);
}

std::string StepPrinter::formatString() {
  const std::string quoted = "'" + std::string(artifact.stepString(words[at], words[at + 1])) + "'";
  at += 2;
  return quoted;
}

void StepPrinter::printOperand(StepOperand operand) {
  switch (operand) {
  case StepOperand::ResultRegister:
  case StepOperand::Register:
    return append(formatRegister(words[at++]));
  case StepOperand::ResultSlot:
  case StepOperand::ReleasedSlot:
  case StepOperand::WrittenSlot:
  case StepOperand::Slot:
    return append(formatSlot(words[at++]));
  case StepOperand::Immediate64:
    append(std::to_string(static_cast<int64_t>(uint64_t(words[at + 1]) << 32 | words[at])));
    at += 2;
    return;
  case StepOperand::String:
    return append(formatString());
  case StepOperand::Kernel:
    return append(artifact.kernels[words[at++]].name);
  case StepOperand::Input:
    return append("%" + artifact.inputs[words[at++]].name);
  case StepOperand::Output:
    return append("%" + artifact.outputs[words[at++]].name);
  case StepOperand::ElementType:
    return append(elementName(words[at++]));
  case StepOperand::BinaryOperator:
    return append(getBinaryName(words[at++]));
  case StepOperand::Target:
    return append("->" + std::to_string(words[at++]));
  case StepOperand::Axis:
  case StepOperand::Layer:
  case StepOperand::StateInPlace:
    return append(std::to_string(words[at++]));
  case StepOperand::BufferCount:
    buffers = words[at++];
    return;
  case StepOperand::ScalarCount:
    ++at;
    return;
  case StepOperand::OutputExtents:
    while (at < end)
      append(formatRegister(words[at++]));
    return;
  case StepOperand::DispatchOperands:
    for (uint32_t i = 0; i < buffers; ++i)
      append(formatSlot(words[at++]));
    while (at < end)
      append(formatRegister(words[at++]));
    return;
  }
}

void StepPrinter::printStep(size_t step) {
  const StepFormat &format = getStepFormat(stepOpcode(words[step]));
  text += std::string(6 - std::min<size_t>(6, std::to_string(step).size()), ' ') + std::to_string(step) + "  " +
          format.name;
  at = step + 1;
  end = step + stepWordCount(words[step]);
  for (StepOperand operand : format.operands)
    printOperand(operand);
  text += "\n";
}

} // namespace

std::string dumpSteps(const Artifact &artifact) { return StepPrinter(artifact).print(); }

} // namespace moert::tools
