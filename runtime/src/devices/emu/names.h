// The names that the instructions of one function may use, and what they have become.
#pragma once
#include "devices/emu/ptx_syntax.h"
#include "devices/emu/ptx_types.h"
#include "devices/emu/register_pool.h"

#include <unordered_map>
#include <unordered_set>

namespace moert::emu {

// Where a variable lies. A parameter of a kernel is read from the launch; those of calls lie in local memory.
enum class VariableSpace : uint8_t { KernelParameter, CallParameter, Shared, Local, Global, Const };

struct Variable {
  VariableSpace space;
  // Relative to the window of its space, or to the first parameter of the kernel.
  uint64_t address, bytes;
  // Where a parameter of a kernel whose address is taken is copied to, in local memory; 0: nowhere.
  uint64_t localCopy = 0;
};

// Variables that every function of a module sees.
using ModuleNames = std::unordered_map<std::string_view, Variable>;

class Names {
public:
  // `scopes` as FunctionSyntax has them.
  Names(RegisterPool &pool, const ModuleNames &module, const std::vector<ScopeIndex> &scopes)
      : pool(pool), module(module), parents(scopes), scopes(scopes.size()) {}

  Status addRegisters(const RegisterSyntax &syntax);
  Status addVariable(const VariableSyntax &syntax, const Variable &variable);
  Status addLabel(const LabelSyntax &syntax);

  // `instruction` may write what its first operand names.
  void addWriter(const InstructionSyntax &instruction);
  // Whether no instruction of the function writes a register, which compilers use for parts that do not matter.
  bool isNeverWritten(std::string_view name) const { return !written.contains(name); }

  // Later look-ups are made from inside of this scope.
  void enter(ScopeIndex scope) { current = scope; }

  struct RegisterName {
    Slot slot;
    Type type;
  };
  const RegisterName *findRegister(std::string_view name) const;
  const Variable *findVariable(std::string_view name) const;
  // Index of the instruction of the function's text behind a label, or noInstruction.
  uint32_t findLabel(std::string_view name) const;

  RegisterPool &getPool() { return pool; }
  Slot getConstant(uint64_t bits, uint32_t bytes) { return pool.getConstant(bits, bytes); }

private:
  struct Scope {
    std::unordered_map<std::string, RegisterName> registers;
    std::unordered_map<std::string_view, Variable> variables;
    std::unordered_map<std::string_view, uint32_t> labels;
  };
  // The innermost declaration of a name, or null.
  template <typename Key, typename Map> const auto *find(const Key &name, Map Scope::*names) const {
    for (ScopeIndex scope = current;; scope = parents[scope]) {
      const auto found = (scopes[scope].*names).find(name);
      if (found != (scopes[scope].*names).end())
        return &found->second;
      if (scope == 0)
        return static_cast<decltype(&found->second)>(nullptr);
    }
  }

  RegisterPool &pool;
  const ModuleNames &module;
  const std::vector<ScopeIndex> &parents;
  std::vector<Scope> scopes;
  std::unordered_set<std::string_view> written;
  ScopeIndex current = 0;
};

} // namespace moert::emu
