// JSON escaping and punctuation.
#include "json.h"

#include <charconv>
#include <cmath>

namespace moert::tools {

void JsonWriter::separate() {
  if (needsComma)
    text += ',';
  if (breaksLine)
    text += '\n';
  needsComma = true;
  breaksLine = false;
}

JsonWriter &JsonWriter::open(char bracket) {
  separate();
  text += bracket;
  needsComma = false;
  return *this;
}

JsonWriter &JsonWriter::close(char bracket) {
  if (breaksLine)
    text += '\n';
  breaksLine = false;
  text += bracket;
  needsComma = true;
  return *this;
}

JsonWriter &JsonWriter::newLine() {
  breaksLine = true;
  return *this;
}

void JsonWriter::quote(std::string_view content) {
  constexpr char digits[] = "0123456789abcdef";
  text += '"';
  for (const char character : content) {
    const auto code = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\')
      (text += '\\') += character;
    else if (code < 0x20)
      ((text += "\\u00") += digits[code >> 4]) += digits[code & 15];
    else
      text += character;
  }
  text += '"';
}

JsonWriter &JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  text += ':';
  needsComma = false;
  return *this;
}

JsonWriter &JsonWriter::value(std::string_view content) {
  separate();
  quote(content);
  return *this;
}

JsonWriter &JsonWriter::value(double number) {
  separate();
  if (!std::isfinite(number)) {
    text += "null";
    return *this;
  }
  char digits[32];
  text.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  return *this;
}

JsonWriter &JsonWriter::value(bool truth) {
  separate();
  text += truth ? "true" : "false";
  return *this;
}

} // namespace moert::tools
