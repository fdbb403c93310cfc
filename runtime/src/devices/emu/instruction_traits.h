// What an instruction is to those who watch it run: counters, race detection and the scheduler.
#pragma once
#include "devices/emu/ptx_syntax.h"

#include <cstdint>

namespace moert::emu {

enum class InstructionClass : uint8_t { Integer, Float, Special, Memory, Tensor, Control, Barrier };
constexpr uint32_t instructionClassCount = 7;

// Types of the operands of matrix products that are counted apart.
enum class TensorType : uint8_t { F16, BF16, TF32, F64, Int8, Int4, Other };
constexpr uint32_t tensorTypeCount = 7;

// What it does to the addresses that it accesses. A copy reads global and writes shared memory.
enum class AccessKind : uint8_t { None, Read, Write, Atomic, Copy };
enum class MemoryOrder : uint8_t { Weak, Relaxed, Acquire, Release, AcquireRelease };
// Among whose threads an ordered access is ordered. On one GPU the system is the device.
enum class Scope : uint8_t { Block, Device };

// Relaxed atomics on integers whose order among others of the same kind does not matter to what is left in memory.
enum class Reduction : uint8_t { None, Add, Min, Max, And, Or, Xor };

struct InstructionTraits {
  InstructionClass kind = InstructionClass::Integer;
  AccessKind access = AccessKind::None;
  MemoryOrder order = MemoryOrder::Weak;
  Scope scope = Scope::Device;
  bool isPoll = false;   // may be what a loop waits by
  bool isEffect = false; // others may go on because of it
  bool isBarrierWait = false;
  bool isNonCoherent = false; // reads what nobody writes during the launch
  bool isPrivate = false;     // of memory that other blocks do not have
  Reduction reduction = Reduction::None;
  TensorType tensorType = TensorType::Other;
  uint32_t tensorOperations = 0; // multiplications and additions of a warp
};

InstructionTraits findTraits(const InstructionSyntax &syntax);

} // namespace moert::emu
