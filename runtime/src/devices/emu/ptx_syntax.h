// What a PTX module says, before names and instructions get a meaning. Texts point into the source.
#pragma once
#include "devices/emu/source_map.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace moert::emu {

struct OperandSyntax {
  enum class Kind : uint8_t {
    Name,    // register, special register, variable (`bits` is added to its address), label or `_`
    Integer, // `bits` is its two's complement
    Float32, // `0f3F800000`
    Float64, // `0d3FF0000000000000`
    Vector,  // `{a, b}`: `elements`
    List,    // `(a, b)` of a call: `elements`
    Pair,    // `a|b`: `elements`
    Negated, // `!name`
    Address, // `[name+offset]`, `[name]`, `[offset]`: `name`, `bits`
  };
  Kind kind;
  std::string_view name;
  uint64_t bits = 0;
  std::vector<OperandSyntax> elements;
};

// Names declared between braces hide those of the same name outside. Scope 0 is the body of the function.
using ScopeIndex = uint32_t;

struct InstructionSyntax {
  uint32_t line;
  std::string_view mnemonic;               // as written
  std::string_view opcode;                 // up to the first dot
  std::vector<std::string_view> modifiers; // what follows, without dots
  std::string_view guard;                  // predicate register, or empty
  bool isGuardNegated = false;
  std::vector<OperandSyntax> operands;
  ScopeIndex scope = 0;
};

// `.reg .b32 %r<8>`: registers %r0 to %r7; `count` is 0 for a single one called `name`.
struct RegisterSyntax {
  uint32_t line;
  std::string_view type, name;
  uint32_t count = 0;
  ScopeIndex scope = 0;
};

// One element of an initialiser: a number, or the address of a variable plus one.
struct InitialValueSyntax {
  std::string_view variable; // empty: a number
  bool isGeneric = false;    // the address is a generic one
  uint64_t bits = 0;         // as an integer or floating-point literal has them
};

// A parameter or a variable.
struct VariableSyntax {
  uint32_t line;
  std::string_view space, type, name;
  uint64_t alignment = 0; // 0: that of the type
  uint64_t count = 1;     // elements; 0 if only the launch knows
  bool isExtern = false;
  std::vector<InitialValueSyntax> initialValues;
  ScopeIndex scope = 0;
};

struct LabelSyntax {
  uint32_t line;
  std::string_view name;
  size_t instruction; // that it stands before
  ScopeIndex scope = 0;
};

// `name: .branchtargets a, b;` for brx.idx.
struct BranchTableSyntax {
  uint32_t line;
  std::string_view name;
  std::vector<std::string_view> labels;
};

// A kernel (`.entry`) or a function that kernels call (`.func`).
struct FunctionSyntax {
  uint32_t line;
  std::string_view name;
  bool isKernel = false, hasBody = false;
  std::vector<VariableSyntax> results, parameters;
  std::vector<ScopeIndex> scopes; // the scope around each one; scope 0 lies in itself
  std::vector<RegisterSyntax> registers;
  std::vector<VariableSyntax> variables;
  std::vector<LabelSyntax> labels;
  std::vector<BranchTableSyntax> branchTables;
  std::vector<InstructionSyntax> instructions;
  std::array<uint32_t, 3> maxThreads = {}; // .maxntid; zeros if not given
  std::array<uint32_t, 3> threads = {};    // .reqntid; zeros if not given
};

struct ModuleSyntax {
  std::string_view version, target;
  std::vector<VariableSyntax> variables;
  std::vector<FunctionSyntax> functions;
  SourceMap sources;
};

} // namespace moert::emu
