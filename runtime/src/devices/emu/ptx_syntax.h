// What a PTX module says, before names and instructions get a meaning. Texts point into the source.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace moert::emu {

struct OperandSyntax {
  enum class Kind : uint8_t {
    Name,    // register, special register, variable or label
    Integer, // `bits` is its two's complement
    Float32, // `0f3F800000`
    Float64, // `0d3FF0000000000000`
    Vector,  // `{a, b}`: `elements`
    Address, // `[name+offset]`, `[name]`, `[offset]`: `name`, `bits`
  };
  Kind kind;
  std::string_view name;
  uint64_t bits = 0;
  std::vector<OperandSyntax> elements;
};

struct InstructionSyntax {
  uint32_t line;
  std::string_view mnemonic;               // as written
  std::string_view opcode;                 // up to the first dot
  std::vector<std::string_view> modifiers; // what follows, without dots
  std::string_view guard;                  // predicate register, or empty
  bool isGuardNegated = false;
  std::vector<OperandSyntax> operands;
};

// `.reg .b32 %r<8>`: registers %r0 to %r7; `count` is 0 for a single one called `name`.
struct RegisterSyntax {
  uint32_t line;
  std::string_view type, name;
  uint32_t count = 0;
};

// A parameter or a variable of shared or local memory.
struct VariableSyntax {
  uint32_t line;
  std::string_view space, type, name;
  uint64_t alignment = 0; // 0: that of the type
  uint64_t count = 1;     // elements; 0 if only the launch knows
};

struct LabelSyntax {
  uint32_t line;
  std::string_view name;
  size_t instruction; // that it stands before
};

struct KernelSyntax {
  uint32_t line;
  std::string_view name;
  std::vector<VariableSyntax> parameters;
  std::vector<RegisterSyntax> registers;
  std::vector<VariableSyntax> variables;
  std::vector<LabelSyntax> labels;
  std::vector<InstructionSyntax> instructions;
  std::array<uint32_t, 3> maxThreads = {}; // .maxntid; zeros if not given
  std::array<uint32_t, 3> threads = {};    // .reqntid; zeros if not given
};

struct ModuleSyntax {
  std::string_view version, target;
  std::vector<VariableSyntax> variables;
  std::vector<KernelSyntax> kernels;
};

} // namespace moert::emu
