// Cuts PTX text into words, numbers and marks; comments and white space fall away.
#include "devices/emu/ptx_lexer.h"

namespace moert::emu {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%' || c == '.';
}
bool isWordPart(char c) { return isWordStart(c) || isDigit(c); }
bool isMark(char c) { return c != '\0' && std::string_view("[]{}()<>,;:@!+-=|").find(c) != std::string_view::npos; }

class Lexer {
public:
  Lexer(std::string_view text, std::vector<Token> &tokens) : text(text), tokens(tokens) {}

  Status run() {
    while (position < text.size())
      MOERT_TRY(step());
    tokens.push_back({Token::Kind::End, line, {}});
    return Status::success();
  }

private:
  char at(size_t offset) const { return position + offset < text.size() ? text[position + offset] : '\0'; }

  Status step() {
    const char c = at(0);
    if (c == '\n') {
      ++line;
      ++position;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++position;
    } else if (c == '/' && at(1) == '/') {
      position = std::min(text.find('\n', position), text.size());
    } else if (c == '/' && at(1) == '*') {
      return skipBlockComment();
    } else if (c == '"') {
      return takeString();
    } else if (isDigit(c)) {
      take(Token::Kind::Number);
    } else if (isWordStart(c)) {
      take(Token::Kind::Word);
    } else if (isMark(c)) {
      tokens.push_back({Token::Kind::Mark, line, text.substr(position++, 1)});
    } else {
      return failure(MOERT_UNSUPPORTED, "line ", line, ": character ", static_cast<int>(static_cast<unsigned char>(c)),
                     " has no meaning here");
    }
    return Status::success();
  }

  void take(Token::Kind kind) {
    size_t end = position + 1;
    while (end < text.size() && (isWordPart(text[end]) || isInnerColons(end)))
      end += isWordPart(text[end]) ? 1 : 2;
    tokens.push_back({kind, line, text.substr(position, end - position)});
    position = end;
  }

  // `shared::cta` is one word.
  bool isInnerColons(size_t at) const {
    return text.substr(at, 2) == "::" && at + 2 < text.size() && isWordPart(text[at + 2]);
  }

  Status takeString() {
    const size_t end = text.find_first_of("\"\n", position + 1);
    if (end == std::string_view::npos || text[end] == '\n')
      return failure(MOERT_UNSUPPORTED, "line ", line, ": string without an end");
    tokens.push_back({Token::Kind::String, line, text.substr(position + 1, end - position - 1)});
    position = end + 1;
    return Status::success();
  }

  Status skipBlockComment() {
    const size_t end = text.find("*/", position + 2);
    if (end == std::string_view::npos)
      return failure(MOERT_UNSUPPORTED, "line ", line, ": comment without an end");
    for (; position < end + 2; ++position)
      line += text[position] == '\n';
    return Status::success();
  }

  std::string_view text;
  std::vector<Token> &tokens;
  size_t position = 0;
  uint32_t line = 1;
};

} // namespace

Status tokenize(std::string_view text, std::vector<Token> &tokens) { return Lexer(text, tokens).run(); }

} // namespace moert::emu
