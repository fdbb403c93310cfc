// A decoded instruction: what to call, and where its operands lie. Nothing is looked up by name after loading.
#pragma once
#include "devices/emu/instruction_traits.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace moert::emu {

class Warp;
struct Instruction;

// One bit for each lane.
using LaneMask = uint32_t;
constexpr uint32_t warpSize = 32;
constexpr LaneMask allLanes = ~LaneMask(0);

// Index of a register of the warp. Immediates, special registers and addresses of variables are registers too, filled
// when the warp starts.
using Slot = uint32_t;
constexpr Slot noSlot = ~Slot(0);

// `mask` is not empty. The program counter already points behind the instruction.
using Handler = void (*)(Warp &warp, const Instruction &instruction, LaneMask mask);

constexpr uint32_t noInstruction = ~uint32_t(0);
constexpr size_t maxOperands = 14; // of mma.sync

// `[base+offset]`.
struct AddressOperand {
  Slot base = noSlot;
  bool isWide = true; // the base has 64 bits, not 32
  int64_t offset = 0;
};

struct Instruction {
  Handler execute = nullptr;
  std::array<Slot, maxOperands> slots = {}; // destinations first, vectors spread out
  Slot guard = noSlot;
  bool isGuardNegated = false;
  bool isExit = false;
  uint8_t width = 1; // elements of a vector, matrices of ldmatrix
  uint32_t line = 0;
  std::array<AddressOperand, 2> addresses;
  int64_t immediate = 0; // what the handler says
  // Of branches: where they go, and where the lanes meet again (noInstruction: nowhere).
  uint32_t target = noInstruction, reconvergence = noInstruction;
  InstructionTraits traits;
};

} // namespace moert::emu
