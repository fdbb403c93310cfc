// A module from its text: variables in global and constant memory, then its kernels.
#include "devices/emu/ptx_module.h"
#include "devices/emu/kernel_builder.h"
#include "devices/emu/memory.h"
#include "devices/emu/ptx_parser.h"

#include <algorithm>
#include <cstring>

namespace moert::emu {
namespace {

class VariablePlacer {
public:
  VariablePlacer(const ModuleSyntax &syntax, GlobalMemory &memory, ModuleNames &names)
      : syntax(syntax), memory(memory), names(names) {}

  // First all addresses, then the values, which may be addresses.
  Status place() {
    for (const VariableSyntax &variable : syntax.variables)
      if (variable.space != ".shared")
        MOERT_TRY(allocate(variable));
    for (const VariableSyntax &variable : syntax.variables)
      if (variable.space != ".shared")
        MOERT_TRY(initialize(variable));
    return Status::success();
  }

private:
  template <typename... Pieces> static Status refuse(const VariableSyntax &variable, const Pieces &...pieces) {
    return failure(MOERT_UNSUPPORTED, "line ", variable.line, ": variable '", variable.name, "' ", pieces...);
  }

  Status allocate(const VariableSyntax &variable) {
    uint64_t alignment, bytes;
    MOERT_TRY(measureVariable(variable, alignment, bytes));
    if (variable.isExtern || bytes == 0)
      return refuse(variable, "is not defined in this module");
    const Variable placed = {variable.space == ".const" ? VariableSpace::Const : VariableSpace::Global,
                             memory.allocate(bytes), bytes};
    return names.emplace(variable.name, placed).second ? Status::success() : refuse(variable, "is declared twice");
  }

  // What has no value is zero.
  Status initialize(const VariableSyntax &variable) {
    const Variable &placed = names.at(variable.name);
    std::vector<std::byte> image(placed.bytes);
    const uint64_t elementBytes = placed.bytes / variable.count;
    if (variable.initialValues.size() > variable.count)
      return refuse(variable, "has ", variable.initialValues.size(), " values, expected at most ", variable.count);
    for (size_t i = 0; i < variable.initialValues.size(); ++i) {
      uint64_t bits;
      MOERT_TRY(evaluate(variable, variable.initialValues[i], elementBytes, bits));
      std::memcpy(image.data() + i * elementBytes, &bits, elementBytes);
    }
    return memory.write(placed.address, image);
  }

  Status evaluate(const VariableSyntax &variable, const InitialValueSyntax &value, uint64_t bytes, uint64_t &bits) {
    bits = value.bits;
    if (value.variable.empty())
      return Status::success();
    const auto found = names.find(value.variable);
    if (found == names.end() || bytes != 8)
      return refuse(variable, "cannot hold the address of '", value.variable, "'");
    bits += found->second.address;
    return Status::success();
  }

  const ModuleSyntax &syntax;
  GlobalMemory &memory;
  ModuleNames &names;
};

} // namespace

Status Module::load(std::string_view ptx, Module &module, GlobalMemory *memory) {
  ModuleSyntax syntax;
  MOERT_TRY(parsePtx(ptx, syntax));
  if (syntax.version.empty() || syntax.target.empty())
    return failure(MOERT_UNSUPPORTED, "PTX without '.version' and '.target'");
  ModuleNames variables;
  const auto needsMemory = std::find_if(syntax.variables.begin(), syntax.variables.end(),
                                        [](const VariableSyntax &variable) { return variable.space != ".shared"; });
  if (memory)
    MOERT_TRY(VariablePlacer(syntax, *memory, variables).place());
  else if (needsMemory != syntax.variables.end())
    return failure(MOERT_UNSUPPORTED, "line ", needsMemory->line, ": variable '", needsMemory->name,
                   "' needs device memory, and the module is loaded without any");
  module.kernels.clear();
  const auto sources = std::make_shared<const SourceMap>(std::move(syntax.sources));
  for (const FunctionSyntax &function : syntax.functions) {
    if (!function.isKernel)
      continue;
    Kernel &kernel = module.kernels.emplace_back();
    kernel.sources = sources;
    MOERT_TRY(KernelBuilder(syntax, variables, function, kernel).build());
  }
  return Status::success();
}

const Kernel *Module::findKernel(std::string_view name) const {
  const auto found =
      std::find_if(kernels.begin(), kernels.end(), [&](const Kernel &kernel) { return kernel.name == name; });
  return found == kernels.end() ? nullptr : &*found;
}

} // namespace moert::emu
