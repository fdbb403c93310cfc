// Recursive descent over the tokens of a PTX module.
#include "devices/emu/ptx_parser.h"
#include "devices/emu/ptx_lexer.h"

#include <charconv>

namespace moert::emu {
namespace {

class Parser {
public:
  Parser(const std::vector<Token> &tokens, ModuleSyntax &module) : next(tokens.data()), module(module) {}

  Status parseModule();

private:
  template <typename... Pieces> Status refuse(uint32_t line, const Pieces &...pieces) {
    return failure(MOERT_UNSUPPORTED, "line ", line, ": ", pieces...);
  }
  Status refuseNext(std::string_view expected) {
    return refuse(next->line, "expected ", expected, ", found ",
                  next->kind == Token::Kind::End ? std::string("the end") : "'" + std::string(next->text) + "'");
  }

  bool accept(char mark) { return next->is(mark) && (++next, true); }
  bool accept(std::string_view word) { return next->is(word) && (++next, true); }
  Status expect(char mark) {
    const char text[] = {'\'', mark, '\'', '\0'};
    return accept(mark) ? Status::success() : refuseNext(text);
  }
  Status takeWord(std::string_view what, std::string_view &text) {
    if (next->kind != Token::Kind::Word)
      return refuseNext(what);
    text = next++->text;
    return Status::success();
  }

  Status takeInteger(uint64_t &bits);
  Status parseLiteral(OperandSyntax &operand);
  Status parseKernel();
  Status parseThreads(std::array<uint32_t, 3> &threads);
  Status parseVariable(VariableSyntax &variable);
  Status parseRegisters(KernelSyntax &kernel);
  Status parseStatement(KernelSyntax &kernel);
  Status parseInstruction(KernelSyntax &kernel);
  Status parseOperand(OperandSyntax &operand);
  Status parseAddress(OperandSyntax &operand);

  const Token *next;
  ModuleSyntax &module;
};

Status Parser::takeInteger(uint64_t &bits) {
  std::string_view text = next->text;
  if (next->kind != Token::Kind::Number)
    return refuseNext("an integer");
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    return refuse(next->line, "integer '", text, "' is neither decimal nor hexadecimal");
  }
  if (base == 10 && text.ends_with('U'))
    text.remove_suffix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, base);
  if (error != std::errc() || end != text.data() + text.size())
    return refuse(next->line, "'", next->text, "' is not an integer of 64 bits");
  ++next;
  return Status::success();
}

Status Parser::parseLiteral(OperandSyntax &operand) {
  const bool isNegative = accept('-');
  const std::string_view text = next->text;
  const bool isFloat32 = text.size() == 10 && (text.starts_with("0f") || text.starts_with("0F"));
  const bool isFloat64 = text.size() == 18 && (text.starts_with("0d") || text.starts_with("0D"));
  if (!isFloat32 && !isFloat64) {
    operand.kind = OperandSyntax::Kind::Integer;
    MOERT_TRY(takeInteger(operand.bits));
    if (isNegative)
      operand.bits = 0 - operand.bits;
    return Status::success();
  }
  operand.kind = isFloat32 ? OperandSyntax::Kind::Float32 : OperandSyntax::Kind::Float64;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), operand.bits, 16);
  if (isNegative || error != std::errc() || end != text.data() + text.size())
    return refuse(next->line, "'", text, "' is not a floating-point number");
  ++next;
  return Status::success();
}

Status Parser::parseModule() {
  uint64_t bits;
  while (next->kind != Token::Kind::End) {
    if (accept(".version")) {
      if (next->kind != Token::Kind::Number)
        return refuseNext("a version");
      module.version = next++->text;
    } else if (accept(".target")) {
      MOERT_TRY(takeWord("a target", module.target));
    } else if (accept(".address_size")) {
      const uint32_t line = next->line;
      MOERT_TRY(takeInteger(bits));
      if (bits != 64)
        return refuse(line, "addresses of ", bits, " bits, expected 64");
    } else if (next->is(".visible") || next->is(".entry")) {
      accept(".visible");
      if (!accept(".entry"))
        return refuseNext("'.entry'");
      MOERT_TRY(parseKernel());
    } else if (next->is(".extern") || next->is(".shared")) {
      accept(".extern");
      if (!next->is(".shared"))
        return refuseNext("'.shared'");
      MOERT_TRY(parseVariable(module.variables.emplace_back()));
      MOERT_TRY(expect(';'));
    } else {
      return refuseNext("a directive of a module");
    }
  }
  return Status::success();
}

Status Parser::parseKernel() {
  KernelSyntax &kernel = module.kernels.emplace_back();
  kernel.line = next->line;
  MOERT_TRY(takeWord("the name of a kernel", kernel.name));
  if (accept('(') && !accept(')')) {
    do {
      if (!next->is(".param"))
        return refuseNext("'.param'");
      MOERT_TRY(parseVariable(kernel.parameters.emplace_back()));
    } while (accept(','));
    MOERT_TRY(expect(')'));
  }
  while (!next->is('{')) {
    uint64_t ignored;
    if (accept(".maxntid")) {
      MOERT_TRY(parseThreads(kernel.maxThreads));
    } else if (accept(".reqntid")) {
      MOERT_TRY(parseThreads(kernel.threads));
    } else if (accept(".minnctapersm") || accept(".maxnreg")) {
      MOERT_TRY(takeInteger(ignored)); // what the assembler shall aim for
    } else {
      return refuseNext("a directive of a kernel or '{'");
    }
  }
  MOERT_TRY(expect('{'));
  while (!accept('}'))
    MOERT_TRY(parseStatement(kernel));
  return Status::success();
}

Status Parser::parseThreads(std::array<uint32_t, 3> &threads) {
  threads = {1, 1, 1};
  size_t axis = 0;
  do {
    uint64_t count;
    const uint32_t line = next->line;
    MOERT_TRY(takeInteger(count));
    if (axis == 3 || count == 0 || count > 1024)
      return refuse(line, "expected up to three counts of threads between 1 and 1024");
    threads[axis++] = static_cast<uint32_t>(count);
  } while (accept(','));
  return Status::success();
}

// `.shared .align 16 .b8 name[64]`, `.param .u64 .ptr .global .align 1 name`.
Status Parser::parseVariable(VariableSyntax &variable) {
  variable.line = next->line;
  MOERT_TRY(takeWord("a state space", variable.space));
  while (true) {
    uint64_t ofPointee;
    if (accept(".align")) {
      MOERT_TRY(takeInteger(variable.alignment));
    } else if (accept(".ptr")) {
      // Says what the pointer refers to, which every access is checked against anyway.
      if (next->is(".global") || next->is(".shared") || next->is(".local") || next->is(".const"))
        ++next;
      if (accept(".align"))
        MOERT_TRY(takeInteger(ofPointee));
    } else if (next->kind == Token::Kind::Word && next->text.starts_with('.') && variable.type.empty()) {
      variable.type = next++->text.substr(1);
    } else {
      break;
    }
  }
  if (variable.alignment & (variable.alignment - 1))
    return refuse(variable.line, "alignment ", variable.alignment, " is not a power of two");
  MOERT_TRY(takeWord("a name", variable.name));
  if (accept('[')) {
    variable.count = 0;
    if (accept(']'))
      return Status::success();
    MOERT_TRY(takeInteger(variable.count));
    if (variable.count > (uint64_t(1) << 32))
      return refuse(variable.line, "variable of ", variable.count, " elements");
    MOERT_TRY(expect(']'));
  }
  return Status::success();
}

Status Parser::parseRegisters(KernelSyntax &kernel) {
  const uint32_t line = next->line;
  std::string_view type;
  MOERT_TRY(takeWord("a type", type));
  do {
    RegisterSyntax registers = {line, type.substr(type.starts_with('.')), {}, 0};
    MOERT_TRY(takeWord("a register", registers.name));
    if (accept('<')) {
      uint64_t count;
      MOERT_TRY(takeInteger(count));
      if (count == 0 || count > (1 << 16))
        return refuse(line, "expected 1 to 65536 registers, found ", count);
      registers.count = static_cast<uint32_t>(count);
      MOERT_TRY(expect('>'));
    }
    kernel.registers.push_back(registers);
  } while (accept(','));
  return expect(';');
}

Status Parser::parseStatement(KernelSyntax &kernel) {
  if (accept(".reg"))
    return parseRegisters(kernel);
  if (next->is(".shared") || next->is(".local")) {
    MOERT_TRY(parseVariable(kernel.variables.emplace_back()));
    return expect(';');
  }
  if (next->kind == Token::Kind::Word && next[1].is(':')) {
    kernel.labels.push_back({next->line, next->text, kernel.instructions.size()});
    next += 2;
    return Status::success();
  }
  return parseInstruction(kernel);
}

Status Parser::parseInstruction(KernelSyntax &kernel) {
  InstructionSyntax &instruction = kernel.instructions.emplace_back();
  instruction.line = next->line;
  if (accept('@')) {
    instruction.isGuardNegated = accept('!');
    MOERT_TRY(takeWord("a predicate", instruction.guard));
  }
  if (next->kind == Token::Kind::Word && next->text.starts_with('.'))
    return refuse(next->line, "directive '", next->text, "' is not known");
  MOERT_TRY(takeWord("an instruction", instruction.mnemonic));
  std::string_view rest = instruction.mnemonic;
  const size_t dot = rest.find('.');
  instruction.opcode = rest.substr(0, dot);
  while (rest.find('.') != std::string_view::npos) {
    rest.remove_prefix(rest.find('.') + 1);
    // `shared::cta` and the like come as several tokens and are refused as such.
    instruction.modifiers.push_back(rest.substr(0, rest.find('.')));
  }
  if (accept(';'))
    return Status::success();
  do
    MOERT_TRY(parseOperand(instruction.operands.emplace_back()));
  while (accept(','));
  return expect(';');
}

Status Parser::parseOperand(OperandSyntax &operand) {
  if (accept('['))
    return parseAddress(operand);
  if (accept('{')) {
    operand.kind = OperandSyntax::Kind::Vector;
    do {
      if (next->is('{') || next->is('['))
        return refuseNext("an element of a vector");
      MOERT_TRY(parseOperand(operand.elements.emplace_back()));
    } while (accept(','));
    return expect('}');
  }
  if (next->is('-') || next->kind == Token::Kind::Number)
    return parseLiteral(operand);
  operand.kind = OperandSyntax::Kind::Name;
  return takeWord("an operand", operand.name);
}

Status Parser::parseAddress(OperandSyntax &operand) {
  operand.kind = OperandSyntax::Kind::Address;
  bool hasOffset = true;
  if (next->kind == Token::Kind::Word) {
    operand.name = next++->text;
    hasOffset = accept('+') || next->is('-');
  }
  if (hasOffset) {
    const bool isNegative = accept('-');
    MOERT_TRY(takeInteger(operand.bits));
    if (isNegative)
      operand.bits = 0 - operand.bits;
  }
  return expect(']');
}

} // namespace

Status parsePtx(std::string_view text, ModuleSyntax &module) {
  std::vector<Token> tokens;
  MOERT_TRY(tokenize(text, tokens));
  return Parser(tokens, module).parseModule();
}

} // namespace moert::emu
