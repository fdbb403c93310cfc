// Walks over the tokens of a PTX module: what the parsers of declarations and of bodies share.
#pragma once
#include "devices/emu/ptx_lexer.h"
#include "devices/emu/ptx_syntax.h"
#include "devices/emu/source_map.h"

#include <string>

namespace moert::emu {

class TokenReader {
public:
  explicit TokenReader(const std::vector<Token> &tokens) : next(tokens.data()) {}

  template <typename... Pieces> Status refuse(uint32_t line, const Pieces &...pieces) const {
    return failure(MOERT_UNSUPPORTED, "line ", line, ": ", pieces...);
  }
  Status refuseNext(std::string_view expected) const;

  const Token &peek(size_t ahead = 0) const { return next[ahead]; }
  bool atEnd() const { return next->kind == Token::Kind::End; }
  uint32_t getLine() const { return next->line; }
  void skip() { ++next; }

  bool accept(char mark) { return next->is(mark) && (++next, true); }
  bool accept(std::string_view word) { return next->is(word) && (++next, true); }
  // The state space of a variable or pointer.
  bool acceptAny(std::initializer_list<std::string_view> words);
  Status expect(char mark);
  Status takeWord(std::string_view what, std::string_view &text);
  // An unsigned number.
  Status takeInteger(uint64_t &bits);
  // A number with its sign, integer or floating-point.
  Status takeLiteral(OperandSyntax &operand);
  // `.file` and `.loc`, which end with their line.
  bool acceptSourceLocation();
  // What follows belongs to no location that came before.
  void endSourceLocation() { sources.addLocation(next->line, 0, 0); }
  SourceMap &getSources() { return sources; }

  // `.shared .align 16 .b8 name[64]`, `.param .u64 .ptr .global .align 1 name`.
  Status takeVariable(VariableSyntax &variable);

private:
  const Token *next;
  SourceMap sources;
};

// The statements between the braces of a function, both included.
Status parseBody(TokenReader &reader, FunctionSyntax &function);

} // namespace moert::emu
