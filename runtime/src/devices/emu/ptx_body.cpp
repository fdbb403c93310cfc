// Recursive descent over the body of a function: declarations, labels and instructions.
#include "devices/emu/ptx_reader.h"

namespace moert::emu {
namespace {

class BodyParser {
public:
  BodyParser(TokenReader &reader, FunctionSyntax &function) : reader(reader), function(function) {}

  Status parse() {
    function.scopes.push_back(0);
    reader.endSourceLocation();
    return parseBlock();
  }

private:
  Status parseBlock();
  Status parseStatement();
  Status parseRegisters();
  Status parseBranchTable(std::string_view name);
  Status parseInstruction();
  Status parseOperands(std::vector<OperandSyntax> &operands);
  Status parseOperand(OperandSyntax &operand);
  Status parseElements(OperandSyntax &operand, char end);
  Status parseName(OperandSyntax &operand);
  Status parseAddress(OperandSyntax &operand);

  TokenReader &reader;
  FunctionSyntax &function;
  static constexpr uint32_t maxDepth = 64;
  ScopeIndex scope = 0;
  uint32_t depth = 0;
};

Status BodyParser::parseBlock() {
  MOERT_TRY(reader.expect('{'));
  while (!reader.accept('}'))
    MOERT_TRY(parseStatement());
  return Status::success();
}

Status BodyParser::parseStatement() {
  const Token &first = reader.peek();
  if (first.is('{')) {
    const ScopeIndex outer = scope;
    if (++depth > maxDepth)
      return reader.refuse(first.line, "more than ", maxDepth, " blocks inside each other");
    scope = static_cast<ScopeIndex>(function.scopes.size());
    function.scopes.push_back(outer);
    MOERT_TRY(parseBlock());
    scope = outer;
    --depth;
    return Status::success();
  }
  if (reader.accept(".reg"))
    return parseRegisters();
  if (first.is(".shared") || first.is(".local") || first.is(".param")) {
    VariableSyntax &variable = function.variables.emplace_back();
    variable.scope = scope;
    MOERT_TRY(reader.takeVariable(variable));
    return reader.expect(';');
  }
  if (reader.accept(".pragma")) { // advice for the assembler
    while (reader.peek().kind == Token::Kind::String || reader.peek().is(','))
      reader.skip();
    return reader.expect(';');
  }
  if (reader.acceptSourceLocation() || reader.accept(';'))
    return Status::success();
  if (first.kind == Token::Kind::Word && reader.peek(1).is(':')) {
    reader.skip();
    reader.skip();
    if (reader.accept(".branchtargets"))
      return parseBranchTable(first.text);
    function.labels.push_back({first.line, first.text, function.instructions.size(), scope});
    return Status::success();
  }
  return parseInstruction();
}

Status BodyParser::parseRegisters() {
  const uint32_t line = reader.getLine();
  std::string_view type;
  MOERT_TRY(reader.takeWord("a type", type));
  do {
    RegisterSyntax registers = {line, type.substr(type.starts_with('.')), {}, 0, scope};
    MOERT_TRY(reader.takeWord("a register", registers.name));
    if (reader.accept('<')) {
      uint64_t count;
      MOERT_TRY(reader.takeInteger(count));
      if (count == 0 || count > (1 << 16))
        return reader.refuse(line, "expected 1 to 65536 registers, found ", count);
      registers.count = static_cast<uint32_t>(count);
      MOERT_TRY(reader.expect('>'));
    }
    function.registers.push_back(registers);
  } while (reader.accept(','));
  return reader.expect(';');
}

Status BodyParser::parseBranchTable(std::string_view name) {
  BranchTableSyntax &table = function.branchTables.emplace_back(BranchTableSyntax{reader.getLine(), name, {}});
  do
    MOERT_TRY(reader.takeWord("a label", table.labels.emplace_back()));
  while (reader.accept(','));
  return reader.expect(';');
}

Status BodyParser::parseInstruction() {
  InstructionSyntax &instruction = function.instructions.emplace_back();
  instruction.line = reader.getLine();
  instruction.scope = scope;
  if (reader.accept('@')) {
    instruction.isGuardNegated = reader.accept('!');
    MOERT_TRY(reader.takeWord("a predicate", instruction.guard));
  }
  if (reader.peek().kind == Token::Kind::Word && reader.peek().text.starts_with('.'))
    return reader.refuse(reader.getLine(), "directive '", reader.peek().text, "' is not known");
  MOERT_TRY(reader.takeWord("an instruction", instruction.mnemonic));
  std::string_view rest = instruction.mnemonic;
  instruction.opcode = rest.substr(0, rest.find('.'));
  while (rest.find('.') != std::string_view::npos) {
    rest.remove_prefix(rest.find('.') + 1);
    instruction.modifiers.push_back(rest.substr(0, rest.find('.')));
  }
  if (reader.accept(';'))
    return Status::success();
  MOERT_TRY(parseOperands(instruction.operands));
  return reader.expect(';');
}

Status BodyParser::parseOperands(std::vector<OperandSyntax> &operands) {
  do
    MOERT_TRY(parseOperand(operands.emplace_back()));
  while (reader.accept(','));
  return Status::success();
}

Status BodyParser::parseOperand(OperandSyntax &operand) {
  if (reader.accept('['))
    return parseAddress(operand);
  if (reader.accept('{')) {
    operand.kind = OperandSyntax::Kind::Vector;
    return parseElements(operand, '}');
  }
  if (reader.accept('(')) {
    operand.kind = OperandSyntax::Kind::List;
    return reader.accept(')') ? Status::success() : parseElements(operand, ')');
  }
  if (reader.peek().is('-') || reader.peek().kind == Token::Kind::Number)
    return reader.takeLiteral(operand);
  if (reader.accept('!')) {
    operand.kind = OperandSyntax::Kind::Negated;
    return reader.takeWord("a predicate", operand.name);
  }
  MOERT_TRY(parseName(operand));
  if (!reader.accept('|'))
    return Status::success();
  OperandSyntax first = operand, second;
  MOERT_TRY(parseName(second));
  operand = {OperandSyntax::Kind::Pair, {}, 0, {first, second}};
  return Status::success();
}

// The elements of a vector or list are plain.
Status BodyParser::parseElements(OperandSyntax &operand, char end) {
  do {
    if (reader.peek().is('{') || reader.peek().is('[') || reader.peek().is('('))
      return reader.refuseNext("an element of a vector");
    MOERT_TRY(parseOperand(operand.elements.emplace_back()));
  } while (reader.accept(','));
  return reader.expect(end);
}

Status BodyParser::parseName(OperandSyntax &operand) {
  operand.kind = OperandSyntax::Kind::Name;
  MOERT_TRY(reader.takeWord("an operand", operand.name));
  return reader.accept('+') ? reader.takeInteger(operand.bits) : Status::success();
}

Status BodyParser::parseAddress(OperandSyntax &operand) {
  operand.kind = OperandSyntax::Kind::Address;
  bool hasOffset = true;
  if (reader.peek().kind == Token::Kind::Word) {
    MOERT_TRY(reader.takeWord("a name", operand.name));
    hasOffset = reader.accept('+') || reader.peek().is('-');
  }
  if (hasOffset) {
    const bool isNegative = reader.accept('-');
    MOERT_TRY(reader.takeInteger(operand.bits));
    if (isNegative)
      operand.bits = 0 - operand.bits;
  }
  return reader.expect(']');
}

} // namespace

Status parseBody(TokenReader &reader, FunctionSyntax &function) { return BodyParser(reader, function).parse(); }

} // namespace moert::emu
