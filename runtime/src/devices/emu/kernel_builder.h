// Syntax -> one kernel: places its variables, decodes its instructions, and puts the functions it calls in place.
#pragma once
#include "devices/emu/decoder.h"

#include <unordered_set>

namespace moert::emu {

class KernelBuilder {
public:
  // `variables` are those of the module in global and constant memory.
  KernelBuilder(const ModuleSyntax &module, const ModuleNames &variables, const FunctionSyntax &syntax, Kernel &kernel)
      : module(module), syntax(syntax), kernel(kernel), pool(kernel), visible(variables) {}

  Status build();

private:
  // One function in place of one call.
  struct Instance {
    const FunctionSyntax &function;
    Names names;
    bool isKernel;
    // Of each instruction of the text, and of the end: where its code begins.
    std::vector<uint32_t> positions;
    // Code of this instance whose target is still an instruction of the text.
    std::vector<uint32_t> branches;
  };

  bool isAddressTaken(std::string_view parameter) const;
  Status addParameter(const VariableSyntax &parameter, Names &names);
  Status place(const VariableSyntax &syntax, Variable &variable);
  Status placeShared();
  void visitReachable();

  Status expand(Instance &instance);
  Status declare(Instance &instance);
  Status decode(const InstructionSyntax &from, Instance &instance);
  Status decodeOne(const InstructionSyntax &from, Instance &instance);
  Status decodeCall(const InstructionSyntax &from, Instance &instance);
  Status decodeBranchTable(const InstructionSyntax &from, Instance &instance);
  Status bind(const InstructionSyntax &call, const std::vector<VariableSyntax> &formals, const OperandSyntax *actuals,
              Instance &caller, Names &callee);
  const FunctionSyntax *findFunction(std::string_view name) const;

  const ModuleSyntax &module;
  const FunctionSyntax &syntax;
  Kernel &kernel;
  RegisterPool pool;
  ModuleNames visible;                           // variables of the module that this kernel sees
  std::vector<const FunctionSyntax *> reachable; // this kernel and what it calls
  std::unordered_set<std::string_view> used;     // names in their instructions
  std::unordered_map<const VariableSyntax *, Variable> shared;
  std::vector<Instruction> parameterCopies;        // what the kernel begins with
  std::vector<const FunctionSyntax *> activeCalls; // what is being put in place, outermost first
};

// Bytes and alignment of a parameter or variable.
Status measureVariable(const VariableSyntax &syntax, uint64_t &alignment, uint64_t &bytes);

} // namespace moert::emu
