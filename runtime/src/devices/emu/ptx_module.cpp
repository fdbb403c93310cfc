// Syntax -> kernels: places parameters and variables, decodes instructions through the opcode tables.
#include "devices/emu/ptx_module.h"
#include "devices/emu/decoder.h"
#include "devices/emu/memory.h"
#include "devices/emu/ptx_parser.h"
#include "devices/emu/reconvergence.h"

#include <algorithm>

namespace moert::emu {
namespace {

using OpcodeTable = std::unordered_map<std::string_view, const OpcodeRow *>;

const OpcodeTable &getOpcodeTable() {
  static const OpcodeTable table = [] {
    OpcodeTable result;
    for (const auto rows :
         {getArithmeticOpcodes(), getLogicOpcodes(), getCompareOpcodes(), getConvertOpcodes(), getMoveOpcodes(),
          getMemoryOpcodes(), getAsyncOpcodes(), getMatrixOpcodes(), getControlOpcodes()})
      for (const OpcodeRow &row : rows)
        result.emplace(row.opcode, &row);
    return result;
  }();
  return table;
}

Status measure(const VariableSyntax &syntax, uint64_t &alignment, uint64_t &bytes) {
  Type type;
  if (!parseType(syntax.type, type) || type == Type::Pred)
    return failure(MOERT_UNSUPPORTED, "line ", syntax.line, ": variable '", syntax.name, "' of unknown type '",
                   syntax.type, "'");
  alignment = std::max<uint64_t>(syntax.alignment, getBytes(type));
  bytes = syntax.count * getBytes(type);
  return Status::success();
}

class KernelBuilder {
public:
  KernelBuilder(const ModuleSyntax &module, const KernelSyntax &syntax, Kernel &kernel)
      : module(module), syntax(syntax), kernel(kernel), names(kernel) {}

  Status build() {
    kernel.name = syntax.name;
    kernel.maxThreads = syntax.maxThreads;
    kernel.threads = syntax.threads;
    for (const VariableSyntax &parameter : syntax.parameters)
      MOERT_TRY(addParameter(parameter));
    for (const auto *variables : {&module.variables, &syntax.variables})
      for (const VariableSyntax &variable : *variables)
        if (variable.count)
          MOERT_TRY(addVariable(variable));
    MOERT_TRY(addDynamicShared());
    for (const RegisterSyntax &registers : syntax.registers)
      MOERT_TRY(names.addRegisters(registers));
    for (const LabelSyntax &label : syntax.labels)
      MOERT_TRY(names.addLabel(label));
    return decode();
  }

private:
  Status addParameter(const VariableSyntax &parameter) {
    uint64_t alignment, bytes;
    MOERT_TRY(measure(parameter, alignment, bytes));
    const uint64_t offset = (kernel.parameterBytes + alignment - 1) & ~(alignment - 1);
    if (bytes == 0 || offset + bytes > 4096)
      return failure(MOERT_UNSUPPORTED, "line ", parameter.line, ": parameters of kernel '", syntax.name,
                     "' do not fit 4096 bytes");
    kernel.parameterBytes = static_cast<uint32_t>(offset + bytes);
    kernel.parameters.push_back(
        {std::string(parameter.name), static_cast<uint32_t>(offset), static_cast<uint32_t>(bytes)});
    return names.addVariable(parameter, offset, bytes);
  }

  // A variable lies at an address that is aligned as declared and no better, so that accesses which need more show.
  static uint64_t place(uint64_t end, uint64_t alignment) {
    const uint64_t address = (end + alignment - 1) & ~(alignment - 1);
    return address & alignment ? address : address + alignment;
  }

  Status addVariable(const VariableSyntax &variable) {
    uint64_t alignment, bytes;
    MOERT_TRY(measure(variable, alignment, bytes));
    uint64_t &end = variable.space == ".shared" ? kernel.sharedBytes : kernel.localBytes;
    const uint64_t address = place(variablesBase + end, alignment);
    end = address + bytes - variablesBase;
    if (end > (1 << 20))
      return failure(MOERT_UNSUPPORTED, "line ", variable.line, ": ", variable.space.substr(1),
                     " variables of kernel '", syntax.name, "' are larger than 1048576 bytes");
    return names.addVariable(variable, address, bytes);
  }

  // All arrays without a size begin at one address, behind the others.
  Status addDynamicShared() {
    uint64_t alignment = 1;
    std::vector<const VariableSyntax *> unsized;
    for (const auto *variables : {&module.variables, &syntax.variables})
      for (const VariableSyntax &variable : *variables)
        if (variable.count == 0) {
          uint64_t own, bytes;
          MOERT_TRY(measure(variable, own, bytes));
          if (variable.space != ".shared")
            return failure(MOERT_UNSUPPORTED, "line ", variable.line, ": variable '", variable.name,
                           "' without a size");
          alignment = std::max(alignment, own);
          unsized.push_back(&variable);
        }
    if (unsized.empty())
      return Status::success();
    const uint64_t address = place(variablesBase + kernel.sharedBytes, alignment);
    kernel.sharedBytes = address - variablesBase;
    kernel.hasDynamicShared = true;
    for (const VariableSyntax *variable : unsized)
      MOERT_TRY(names.addVariable(*variable, address, 0));
    return Status::success();
  }

  Status decode() {
    kernel.code.reserve(syntax.instructions.size() + 1);
    for (const InstructionSyntax &instruction : syntax.instructions)
      MOERT_TRY(decode(instruction));
    // The end of the text ends a lane.
    const uint32_t lastLine = syntax.instructions.empty() ? syntax.line : syntax.instructions.back().line;
    const InstructionSyntax end = {lastLine, "ret", "ret", {}, {}, false, {}};
    MOERT_TRY(decode(end));
    findReconvergence(kernel.code);
    return Status::success();
  }

  Status decode(const InstructionSyntax &from) {
    Instruction &instruction = kernel.code.emplace_back();
    instruction.line = from.line;
    instruction.isGuardNegated = from.isGuardNegated;
    Decoder decoder(from, names, instruction);
    const auto row = getOpcodeTable().find(from.opcode);
    if (row == getOpcodeTable().end())
      return decoder.refuse("this instruction is not known");
    if (!from.guard.empty()) {
      const Names::RegisterName *guard = names.findRegister(from.guard);
      if (!guard || guard->type != Type::Pred)
        return decoder.refuse("'", from.guard, "' is not a predicate");
      instruction.guard = guard->slot;
    }
    MOERT_TRY(row->second->decode(decoder));
    return decoder.finish();
  }

  const ModuleSyntax &module;
  const KernelSyntax &syntax;
  Kernel &kernel;
  Names names;
};

} // namespace

Status Module::load(std::string_view ptx, Module &module) {
  ModuleSyntax syntax;
  MOERT_TRY(parsePtx(ptx, syntax));
  if (syntax.version.empty() || syntax.target.empty())
    return failure(MOERT_UNSUPPORTED, "PTX without '.version' and '.target'");
  module.kernels.clear();
  for (const KernelSyntax &kernel : syntax.kernels)
    MOERT_TRY(KernelBuilder(syntax, kernel, module.kernels.emplace_back()).build());
  return Status::success();
}

const Kernel *Module::findKernel(std::string_view name) const {
  const auto found =
      std::find_if(kernels.begin(), kernels.end(), [&](const Kernel &kernel) { return kernel.name == name; });
  return found == kernels.end() ? nullptr : &*found;
}

} // namespace moert::emu
