// The operands of each step opcode as data, for the checker and for printing.
#pragma once
#include "moert/moert_artifact.h"

#include <cstdint>
#include <span>

namespace moert {

// What a word of a step means. Some kinds take two words.
enum class StepOperand : uint8_t {
  ResultRegister,
  Register,
  ResultSlot,   // filled by the step
  ReleasedSlot, // emptied by the step
  Slot,         // read, or written through
  WrittenSlot,  // its bytes are written
  Immediate64,  // two words
  String,       // two words
  Kernel,
  Input,
  Axis, // of the input before it
  Output,
  ElementType,
  BinaryOperator,
  Target,
  Layer,
  StateInPlace,
  BufferCount,
  ScalarCount,
  // The rest of the step; last in the list.
  OutputExtents,   // a register for each dimension of the output
  DispatchOperands // the buffers' slots, then the scalars' registers
};

struct StepFormat {
  const char *name;
  std::span<const StepOperand> operands;
};

enum { stepOpcodeCount = MOERT_STEP_STATE + 1 };

// Expects a known opcode.
const StepFormat &getStepFormat(uint32_t opcode);
const char *getBinaryName(uint32_t binary);

inline uint32_t stepOpcode(uint32_t firstWord) { return firstWord & 0xff; }
inline uint32_t stepWordCount(uint32_t firstWord) { return firstWord >> 8; }

} // namespace moert
