// Numbers, words and variables of PTX.
#include "devices/emu/ptx_reader.h"

#include <charconv>

namespace moert::emu {

Status TokenReader::refuseNext(std::string_view expected) const {
  return refuse(next->line, "expected ", expected, ", found ",
                next->kind == Token::Kind::End ? std::string("the end") : "'" + std::string(next->text) + "'");
}

bool TokenReader::acceptAny(std::initializer_list<std::string_view> words) {
  for (std::string_view word : words)
    if (accept(word))
      return true;
  return false;
}

Status TokenReader::expect(char mark) {
  const char text[] = {'\'', mark, '\'', '\0'};
  return accept(mark) ? Status::success() : refuseNext(text);
}

Status TokenReader::takeWord(std::string_view what, std::string_view &text) {
  if (next->kind != Token::Kind::Word)
    return refuseNext(what);
  text = next++->text;
  return Status::success();
}

Status TokenReader::takeInteger(uint64_t &bits) {
  std::string_view text = next->text;
  if (next->kind != Token::Kind::Number)
    return refuseNext("an integer");
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0' && text != "0U") {
    return refuse(next->line, "integer '", text, "' is neither decimal nor hexadecimal");
  }
  if (text.ends_with('U'))
    text.remove_suffix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, base);
  if (error != std::errc() || end != text.data() + text.size())
    return refuse(next->line, "'", next->text, "' is not an integer of 64 bits");
  ++next;
  return Status::success();
}

Status TokenReader::takeLiteral(OperandSyntax &operand) {
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

bool TokenReader::acceptSourceLocation() {
  const bool isFile = next->is(".file");
  if (!isFile && !next->is(".loc"))
    return false;
  const uint32_t line = next++->line;
  uint64_t numbers[2] = {};
  for (uint64_t &number : numbers)
    if (next->line == line && next->kind == Token::Kind::Number) {
      std::from_chars(next->text.data(), next->text.data() + next->text.size(), number);
      ++next;
    }
  if (!isFile)
    sources.addLocation(line, numbers[0], numbers[1]);
  else if (next->kind == Token::Kind::String)
    sources.addFile(numbers[0], next->text);
  while (next->line == line && !atEnd())
    ++next;
  return true;
}

Status TokenReader::takeVariable(VariableSyntax &variable) {
  variable.line = next->line;
  MOERT_TRY(takeWord("a state space", variable.space));
  while (true) {
    uint64_t ofPointee;
    if (accept(".align")) {
      MOERT_TRY(takeInteger(variable.alignment));
    } else if (accept(".ptr")) {
      // Says what the pointer refers to, which every access is checked against anyway.
      acceptAny({".global", ".shared", ".local", ".const"});
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

} // namespace moert::emu
