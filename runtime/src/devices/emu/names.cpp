// Declarations become registers, variables and labels of a scope.
#include "devices/emu/names.h"

#include <algorithm>

namespace moert::emu {
namespace {

Status refuseAt(uint32_t line, std::string_view what, std::string_view name) {
  return failure(MOERT_UNSUPPORTED, "line ", line, ": ", what, " '", name, "'");
}

} // namespace

Status Names::addRegisters(const RegisterSyntax &syntax) {
  Type type;
  if (!parseType(syntax.type, type))
    return refuseAt(syntax.line, "unknown type", syntax.type);
  for (uint32_t i = 0; i < std::max(syntax.count, uint32_t(1)); ++i) {
    const std::string name = std::string(syntax.name) + (syntax.count ? std::to_string(i) : "");
    if (!scopes[syntax.scope].registers.emplace(name, RegisterName{pool.addRegister(), type}).second)
      return refuseAt(syntax.line, "second declaration of", name);
  }
  return Status::success();
}

Status Names::addVariable(const VariableSyntax &syntax, const Variable &variable) {
  if (!scopes[syntax.scope].variables.emplace(syntax.name, variable).second)
    return refuseAt(syntax.line, "second declaration of", syntax.name);
  return Status::success();
}

Status Names::addLabel(const LabelSyntax &syntax) {
  if (!scopes[syntax.scope].labels.emplace(syntax.name, static_cast<uint32_t>(syntax.instruction)).second)
    return refuseAt(syntax.line, "second declaration of", syntax.name);
  return Status::success();
}

void Names::addWriter(const InstructionSyntax &instruction) {
  if (instruction.operands.empty())
    return;
  const OperandSyntax &target = instruction.operands.front();
  written.insert(target.name);
  for (const OperandSyntax &element : target.elements)
    written.insert(element.name);
}

const Names::RegisterName *Names::findRegister(std::string_view name) const {
  return find(std::string(name), &Scope::registers);
}

const Variable *Names::findVariable(std::string_view name) const {
  if (const Variable *own = find(name, &Scope::variables))
    return own;
  const auto found = module.find(name);
  return found == module.end() ? nullptr : &found->second;
}

uint32_t Names::findLabel(std::string_view name) const {
  const uint32_t *label = find(name, &Scope::labels);
  return label ? *label : noInstruction;
}

} // namespace moert::emu
