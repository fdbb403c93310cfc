// The table of step opcodes.
#include "step/step_format.h"

namespace moert {

using enum StepOperand;

namespace operands {
static constexpr StepOperand constant[] = {ResultRegister, Immediate64};
static constexpr StepOperand binary[] = {ResultRegister, Register, Register, BinaryOperator};
static constexpr StepOperand select[] = {ResultRegister, Register, Register, Register};
static constexpr StepOperand inputDim[] = {ResultRegister, Input, Axis};
static constexpr StepOperand alloc[] = {ResultSlot, Register};
static constexpr StepOperand output[] = {ResultSlot, Output, OutputExtents};
static constexpr StepOperand release[] = {ReleasedSlot};
static constexpr StepOperand alias[] = {ResultSlot, Slot, Register};
static constexpr StepOperand move[] = {ResultSlot, ReleasedSlot};
static constexpr StepOperand load[] = {ResultRegister, Slot, Register, ElementType};
static constexpr StepOperand store[] = {WrittenSlot, Register, Register, ElementType};
static constexpr StepOperand copy[] = {WrittenSlot, Register, Slot, Register, Register};
static constexpr StepOperand dispatch[] = {Kernel,   Register, Register,    Register,    Register,
                                           Register, String,   BufferCount, ScalarCount, DispatchOperands};
static constexpr StepOperand jump[] = {Target};
static constexpr StepOperand jumpIfZero[] = {Register, Target};
static constexpr StepOperand check[] = {Register, String};
static constexpr StepOperand routing[] = {Layer, Slot, Slot, Register};
static constexpr StepOperand state[] = {ResultSlot, ResultRegister, StateInPlace, Register};
} // namespace operands

static constexpr StepFormat formats[stepOpcodeCount] = {
    {"return", {}},
    {"const", operands::constant},
    {"binary", operands::binary},
    {"select", operands::select},
    {"input_dim", operands::inputDim},
    {"alloc", operands::alloc},
    {"output", operands::output},
    {"free", operands::release},
    {"alias", operands::alias},
    {"move", operands::move},
    {"load", operands::load},
    {"store", operands::store},
    {"copy", operands::copy},
    {"dispatch", operands::dispatch},
    {"jump", operands::jump},
    {"jump_if_zero", operands::jumpIfZero},
    {"check", operands::check},
    {"routing", operands::routing},
    {"state", operands::state},
};

static constexpr const char *binaryNames[MOERT_BINARY_COUNT] = {
    "add", "sub", "mul", "div", "rem", "floordiv", "ceildiv", "floormod", "min", "max",
    "and", "or",  "xor", "eq",  "ne",  "lt",       "le",      "gt",       "ge"};

const StepFormat &getStepFormat(uint32_t opcode) { return formats[opcode]; }
const char *getBinaryName(uint32_t binary) { return binaryNames[binary]; }

} // namespace moert
