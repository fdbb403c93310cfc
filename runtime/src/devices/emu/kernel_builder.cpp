// A kernel becomes one flat list of instructions: calls are replaced by the function that is called, with registers and
// variables of its own, so that branches, lanes that meet and poison need no notion of a call. Hence no recursion.
#include "devices/emu/kernel_builder.h"
#include "devices/emu/instructions_call.h"
#include "devices/emu/memory.h"
#include "devices/emu/reconvergence.h"

#include <algorithm>

namespace moert::emu {
namespace {

constexpr size_t maxInstructions = 1 << 20;
constexpr uint32_t maxRegisters = 1 << 17;
// A label behind the last instruction; no text can contain it.
constexpr std::string_view endLabel = " end";

// A variable lies at an address that is aligned as declared and no better, so that accesses which need more show.
uint64_t alignExactly(uint64_t end, uint64_t alignment) {
  const uint64_t address = (end + alignment - 1) & ~(alignment - 1);
  return address & alignment ? address : address + alignment;
}

OperandSyntax makeName(std::string_view name) { return {OperandSyntax::Kind::Name, name, 0, {}}; }

} // namespace

Status measureVariable(const VariableSyntax &syntax, uint64_t &alignment, uint64_t &bytes) {
  Type type;
  if (!parseType(syntax.type, type) || type == Type::Pred)
    return failure(MOERT_UNSUPPORTED, "line ", syntax.line, ": variable '", syntax.name, "' of unknown type '",
                   syntax.type, "'");
  alignment = std::max<uint64_t>(syntax.alignment, getBytes(type));
  bytes = syntax.count * getBytes(type);
  return Status::success();
}

Status KernelBuilder::build() {
  kernel.name = syntax.name;
  kernel.maxThreads = syntax.maxThreads;
  kernel.threads = syntax.threads;
  Instance instance = {syntax, Names(pool, visible, syntax.scopes), true, {}, {}};
  for (const VariableSyntax &parameter : syntax.parameters)
    MOERT_TRY(addParameter(parameter, instance.names));
  visitReachable();
  MOERT_TRY(placeShared());
  MOERT_TRY(expand(instance));
  findReconvergence(kernel.code);
  return Status::success();
}

const FunctionSyntax *KernelBuilder::findFunction(std::string_view name) const {
  const FunctionSyntax *found = nullptr;
  for (const FunctionSyntax &function : module.functions)
    if (function.name == name && !function.isKernel && (!found || function.hasBody))
      found = &function;
  return found;
}

void KernelBuilder::visitReachable() {
  reachable = {&syntax};
  for (size_t i = 0; i < reachable.size(); ++i)
    for (const InstructionSyntax &instruction : reachable[i]->instructions)
      for (const OperandSyntax &operand : instruction.operands) {
        used.insert(operand.name);
        for (const OperandSyntax &element : operand.elements)
          used.insert(element.name);
        const FunctionSyntax *callee = instruction.opcode == "call" ? findFunction(operand.name) : nullptr;
        if (callee && std::find(reachable.begin(), reachable.end(), callee) == reachable.end())
          reachable.push_back(callee);
      }
}

bool KernelBuilder::isAddressTaken(std::string_view parameter) const {
  return std::any_of(syntax.instructions.begin(), syntax.instructions.end(), [&](const InstructionSyntax &instruction) {
    return instruction.opcode == "mov" && instruction.operands.size() == 2 && instruction.operands[1].name == parameter;
  });
}

Status KernelBuilder::addParameter(const VariableSyntax &parameter, Names &names) {
  uint64_t alignment, bytes;
  MOERT_TRY(measureVariable(parameter, alignment, bytes));
  const uint64_t offset = (kernel.parameterBytes + alignment - 1) & ~(alignment - 1);
  if (bytes == 0 || offset + bytes > 4096)
    return failure(MOERT_UNSUPPORTED, "line ", parameter.line, ": parameters of kernel '", syntax.name,
                   "' do not fit 4096 bytes");
  kernel.parameterBytes = static_cast<uint32_t>(offset + bytes);
  kernel.parameters.push_back(
      {std::string(parameter.name), static_cast<uint32_t>(offset), static_cast<uint32_t>(bytes)});
  Variable variable = {VariableSpace::KernelParameter, offset, bytes};
  if (isAddressTaken(parameter.name)) {
    Variable copy;
    MOERT_TRY(place(parameter, copy));
    variable.localCopy = copy.address;
    parameterCopies.push_back(makeParameterCopy({offset, bytes, copy.address, parameter.line}));
  }
  return names.addVariable(parameter, variable);
}

Status KernelBuilder::place(const VariableSyntax &variable, Variable &placed) {
  uint64_t alignment, bytes;
  MOERT_TRY(measureVariable(variable, alignment, bytes));
  if (bytes == 0)
    return failure(MOERT_UNSUPPORTED, "line ", variable.line, ": variable '", variable.name, "' without a size");
  const bool isShared = variable.space == ".shared";
  uint64_t &end = isShared ? kernel.sharedBytes : kernel.localBytes;
  const uint64_t address = alignExactly(variablesBase + end, alignment);
  end = address + bytes - variablesBase;
  if (end > (1 << 20))
    return failure(MOERT_UNSUPPORTED, "line ", variable.line, ": ", isShared ? "shared" : "local",
                   " variables of kernel '", syntax.name, "' are larger than 1048576 bytes");
  placed = {isShared                     ? VariableSpace::Shared
            : variable.space == ".local" ? VariableSpace::Local
                                         : VariableSpace::CallParameter,
            address, bytes};
  return Status::success();
}

// Shared variables exist once, however often a function is put in place. All arrays without a size begin at one
// address, behind the others.
Status KernelBuilder::placeShared() {
  std::vector<const VariableSyntax *> variables, unsized;
  for (const VariableSyntax &variable : module.variables)
    if (variable.space == ".shared" && used.contains(variable.name))
      variables.push_back(&variable);
  for (const FunctionSyntax *function : reachable)
    for (const VariableSyntax &variable : function->variables)
      if (variable.space == ".shared")
        variables.push_back(&variable);
  uint64_t strictest = 1;
  for (const VariableSyntax *variable : variables) {
    uint64_t alignment, bytes;
    MOERT_TRY(measureVariable(*variable, alignment, bytes));
    if (bytes) {
      MOERT_TRY(place(*variable, shared[variable]));
    } else {
      strictest = std::max(strictest, alignment);
      unsized.push_back(variable);
    }
  }
  if (!unsized.empty()) {
    const uint64_t address = alignExactly(variablesBase + kernel.sharedBytes, strictest);
    kernel.sharedBytes = address - variablesBase;
    for (const VariableSyntax *variable : unsized)
      shared[variable] = {VariableSpace::Shared, address, 0};
  }
  for (const VariableSyntax &variable : module.variables)
    if (const auto found = shared.find(&variable); found != shared.end())
      visible[variable.name] = found->second;
  return Status::success();
}

Status KernelBuilder::declare(Instance &instance) {
  for (const VariableSyntax &variable : instance.function.variables) {
    Variable placed;
    if (const auto known = shared.find(&variable); known != shared.end())
      placed = known->second;
    else
      MOERT_TRY(place(variable, placed));
    MOERT_TRY(instance.names.addVariable(variable, placed));
  }
  for (const RegisterSyntax &registers : instance.function.registers)
    MOERT_TRY(instance.names.addRegisters(registers));
  for (const InstructionSyntax &instruction : instance.function.instructions)
    instance.names.addWriter(instruction);
  for (const LabelSyntax &label : instance.function.labels)
    MOERT_TRY(instance.names.addLabel(label));
  return instance.names.addLabel({0, endLabel, instance.function.instructions.size(), 0});
}

// Puts the code of a function behind what there is. The end of its text ends a lane of a kernel, and leads out of a
// function that was called.
Status KernelBuilder::expand(Instance &instance) {
  const FunctionSyntax &function = instance.function;
  if (std::find(activeCalls.begin(), activeCalls.end(), &function) != activeCalls.end())
    return failure(MOERT_UNSUPPORTED, "line ", function.line, ": function '", function.name,
                   "' calls itself, which is not supported");
  activeCalls.push_back(&function);
  const uint32_t firstRegister = kernel.registerCount;
  const uint64_t firstLocal = kernel.localBytes;
  MOERT_TRY(declare(instance));
  if (instance.isKernel)
    kernel.code = parameterCopies;
  else
    kernel.code.push_back(makeEntry({firstRegister, kernel.registerCount, variablesBase + firstLocal,
                                     kernel.localBytes - firstLocal, function.line}));
  for (const InstructionSyntax &instruction : function.instructions) {
    instance.positions.push_back(static_cast<uint32_t>(kernel.code.size()));
    instance.names.enter(instruction.scope);
    MOERT_TRY(decode(instruction, instance));
    if (kernel.code.size() > maxInstructions || kernel.registerCount > maxRegisters)
      return failure(MOERT_UNSUPPORTED, "line ", instruction.line, ": kernel '", syntax.name, "' has more than ",
                     maxInstructions, " instructions or ", maxRegisters, " registers with all that it calls");
  }
  instance.positions.push_back(static_cast<uint32_t>(kernel.code.size()));
  if (instance.isKernel) {
    const uint32_t line = function.instructions.empty() ? function.line : function.instructions.back().line;
    MOERT_TRY(decodeOne({line, "ret", "ret", {}, {}, false, {}, 0}, instance));
  }
  for (const uint32_t branch : instance.branches)
    kernel.code[branch].target = instance.positions[kernel.code[branch].target];
  activeCalls.pop_back();
  return Status::success();
}

Status KernelBuilder::decode(const InstructionSyntax &from, Instance &instance) {
  if (from.opcode == "call")
    return decodeCall(from, instance);
  if (from.opcode == "brx")
    return decodeBranchTable(from, instance);
  if (from.opcode != "ret" || instance.isKernel)
    return decodeOne(from, instance);
  InstructionSyntax leave = from;
  leave.mnemonic = leave.opcode = "bra";
  leave.operands = {makeName(endLabel)};
  return decodeOne(leave, instance);
}

Status KernelBuilder::decodeOne(const InstructionSyntax &from, Instance &instance) {
  const auto index = static_cast<uint32_t>(kernel.code.size());
  Instruction &instruction = kernel.code.emplace_back();
  instruction.line = from.line;
  instruction.isGuardNegated = from.isGuardNegated;
  Decoder decoder(from, instance.names, instruction);
  const OpcodeRow *row;
  MOERT_TRY(findOpcode(from, row));
  if (!from.guard.empty()) {
    const Names::RegisterName *guard = instance.names.findRegister(from.guard);
    if (!guard || guard->type != Type::Pred)
      return decoder.refuse("'", from.guard, "' is not a predicate");
    instruction.guard = guard->slot;
  }
  MOERT_TRY(row->decode(decoder));
  instruction.traits = findTraits(from);
  if (instruction.target != noInstruction)
    instance.branches.push_back(index);
  return decoder.finish();
}

// `brx.idx %r, table;`: one comparison and branch for each entry but the last, then a plain branch. An index beyond the
// table has no defined meaning.
Status KernelBuilder::decodeBranchTable(const InstructionSyntax &from, Instance &instance) {
  Instruction none;
  const Decoder decoder(from, instance.names, none);
  if (from.mnemonic != "brx.idx" && from.mnemonic != "brx.idx.uni")
    return decoder.refuse("this instruction is not known");
  const auto &tables = instance.function.branchTables;
  const auto table = from.operands.size() != 2
                         ? tables.end()
                         : std::find_if(tables.begin(), tables.end(), [&](const BranchTableSyntax &candidate) {
                             return candidate.name == from.operands[1].name;
                           });
  if (table == tables.end() || !from.guard.empty())
    return decoder.refuse("expected a register and the name of a branch table, and no predicate");
  constexpr std::string_view isEntry = " is entry"; // a predicate that no text can name
  if (!instance.names.findRegister(isEntry))
    MOERT_TRY(instance.names.addRegisters({from.line, "pred", isEntry, 0, 0}));
  for (size_t i = 0; i < table->labels.size(); ++i) {
    const OperandSyntax index = {OperandSyntax::Kind::Integer, {}, i, {}};
    MOERT_TRY(decodeOne({from.line,
                         "setp.eq.u32",
                         "setp",
                         {"eq", "u32"},
                         {},
                         false,
                         {makeName(isEntry), from.operands[0], index},
                         from.scope},
                        instance));
    MOERT_TRY(
        decodeOne({from.line, "bra", "bra", {}, isEntry, false, {makeName(table->labels[i])}, from.scope}, instance));
  }
  return decodeOne({from.line, "trap", "trap", {}, {}, false, {}, from.scope}, instance);
}

// Gives the parameters of the function that is called the places of the caller's variables.
Status KernelBuilder::bind(const InstructionSyntax &call, const std::vector<VariableSyntax> &formals,
                           const OperandSyntax *actuals, Instance &caller, Names &callee) {
  Instruction none;
  const Decoder decoder(call, caller.names, none);
  const size_t count = actuals ? actuals->elements.size() : 0;
  if (count != formals.size())
    return decoder.refuse(count, " arguments or results, expected ", formals.size());
  for (size_t i = 0; i < count; ++i) {
    const std::string_view name = actuals->elements[i].name;
    const Variable *actual = caller.names.findVariable(name);
    uint64_t alignment, bytes;
    MOERT_TRY(measureVariable(formals[i], alignment, bytes));
    if (!actual || actual->space != VariableSpace::CallParameter || actual->bytes != bytes ||
        actual->address % alignment)
      return decoder.refuse("'", name, "' is no variable of .param with ", bytes, " bytes, aligned to ", alignment);
    MOERT_TRY(callee.addVariable(formals[i], *actual));
  }
  return Status::success();
}

// `call (results), function, (arguments);`, where both lists may be absent.
Status KernelBuilder::decodeCall(const InstructionSyntax &from, Instance &instance) {
  Instruction none;
  const Decoder decoder(from, instance.names, none);
  const auto isList = [&](size_t i) {
    return i < from.operands.size() && from.operands[i].kind == OperandSyntax::Kind::List;
  };
  const size_t position = isList(0);
  const OperandSyntax *results = position ? from.operands.data() : nullptr;
  const OperandSyntax *arguments = isList(position + 1) ? &from.operands[position + 1] : nullptr;
  if (from.operands.size() != position + 1 + (arguments != nullptr) || !from.guard.empty())
    return decoder.refuse("expected '(results), function, (arguments)' and no predicate");
  const FunctionSyntax *callee = findFunction(from.operands[position].name);
  if (!callee || !callee->hasBody)
    return decoder.refuse("no function '", from.operands[position].name, "' in this module");
  Instance inner = {*callee, Names(pool, visible, callee->scopes), false, {}, {}};
  MOERT_TRY(bind(from, callee->results, results, instance, inner.names));
  MOERT_TRY(bind(from, callee->parameters, arguments, instance, inner.names));
  return expand(inner);
}

} // namespace moert::emu
