// All instructions by name.
#include "devices/emu/decoder.h"

#include <algorithm>

namespace moert::emu {
namespace {

using OpcodeTable = std::unordered_map<std::string_view, std::vector<const OpcodeRow *>>;

const OpcodeTable &getOpcodeTable() {
  static const OpcodeTable table = [] {
    OpcodeTable result;
    for (const auto rows :
         {getIntegerOpcodes(), getCarryOpcodes(), getFloatOpcodes(), getHalfOpcodes(), getApproximationOpcodes(),
          getLogicOpcodes(), getBitFieldOpcodes(), getCompareOpcodes(), getSelectOpcodes(), getConvertOpcodes(),
          getMoveOpcodes(), getMemoryOpcodes(), getAtomicOpcodes(), getAsyncOpcodes(), getMatrixProductOpcodes(),
          getMatrixMoveOpcodes(), getWarpOpcodes(), getControlOpcodes(), getBarrierOpcodes()})
      for (const OpcodeRow &row : rows)
        result[row.opcode].push_back(&row);
    return result;
  }();
  return table;
}

TypeClass classify(const InstructionSyntax &syntax) {
  for (auto name = syntax.modifiers.rbegin(); name != syntax.modifiers.rend(); ++name)
    if (Type type; parseType(*name, type))
      return type == Type::F32 || type == Type::F64 ? TypeClass::Float
             : isFloat(type)                        ? TypeClass::Half
                                                    : TypeClass::Integer;
  return TypeClass::Any;
}

} // namespace

Status findOpcode(const InstructionSyntax &syntax, const OpcodeRow *&row) {
  const OpcodeTable &table = getOpcodeTable();
  const size_t withModifier =
      syntax.opcode.size() + (syntax.modifiers.empty() ? 0 : 1 + syntax.modifiers.front().size());
  auto rows = table.find(syntax.mnemonic.substr(0, withModifier));
  if (rows == table.end())
    rows = table.find(syntax.opcode);
  if (rows == table.end())
    return failure(MOERT_UNSUPPORTED, "line ", syntax.line, ": '", syntax.mnemonic, "': this instruction is not known");
  const TypeClass types = classify(syntax);
  // Without a type the first row says what it misses.
  const auto fits = [&](const OpcodeRow *candidate) {
    return types == TypeClass::Any || candidate->types == TypeClass::Any || candidate->types == types;
  };
  const auto found = std::find_if(rows->second.begin(), rows->second.end(), fits);
  if (found == rows->second.end())
    return failure(MOERT_UNSUPPORTED, "line ", syntax.line, ": '", syntax.mnemonic,
                   "': no form of this instruction has this type");
  row = *found;
  return Status::success();
}

} // namespace moert::emu
