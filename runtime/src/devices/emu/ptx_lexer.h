// PTX text as tokens.
#pragma once
#include "status.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace moert::emu {

struct Token {
  enum class Kind : uint8_t {
    // Identifiers, directives, registers and mnemonics with their dots: `add.s32`, `%tid.x`, `.reg`, `$L__BB0_1`,
    // `ld.shared::cta.b32`.
    Word,
    Number, // as written: `12`, `7.0`, `0x1F`, `0f3F800000`
    String, // without its quotes
    Mark,   // one of []{}()<>,;:@!+-=|
    End,
  };

  Kind kind;
  uint32_t line;
  std::string_view text; // into the source

  bool is(char mark) const { return kind == Kind::Mark && text[0] == mark; }
  bool is(std::string_view word) const { return kind == Kind::Word && text == word; }
};

// The last token is an End. `text` must outlive the tokens.
Status tokenize(std::string_view text, std::vector<Token> &tokens);

} // namespace moert::emu
